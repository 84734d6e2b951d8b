"""Manifests and sound files: what is read, and what is refused with the file's name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_ser_training.clips import Clip, CorpusError, read_manifest
from stream_ser_training.corpora import FACTS, load, read_corpora, verify
from tests.training.conftest import write_corpus

TONE = (0.2 * np.sin(np.arange(1_600) / 5.0)).astype(np.float32)


def manifest(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "manifest.csv").write_text(text, "utf-8")
    return folder


def clip_of(path: Path) -> Clip:
    return Clip("c", path, "c/s", "", "sad", 0.1, "f")


def test_a_manifest_is_read(tmp_path: Path) -> None:
    folder = write_corpus(
        tmp_path / "mine",
        [
            {"file": "a.wav", "speaker": "1", "sex": "F", "emotion4": "happy", "samples": TONE},
            {"file": "b.wav", "speaker": "2", "emotion4": "", "samples": TONE},  # no label, no clip
            {"file": "c.wav", "speaker": "2", "emotion4": "sad", "sentence": "two", "samples": TONE},
        ],
    )
    first, second = read_manifest(folder)
    assert first == Clip(
        corpus="mine",
        path=folder / "a.wav",
        speaker="mine/1",
        sex="F",
        label="happy",
        duration_s=0.0,
        fingerprint=hashlib.sha1((folder / "a.wav").read_bytes()).hexdigest(),
    )
    assert (second.speaker, second.sex, second.label) == ("mine/2", "", "sad")
    assert second.fingerprint == first.fingerprint  # the same sound twice is seen as such
    assert [clip.label for clip in read_manifest(folder, "sentence")] == ["two"]


def test_fingerprint_and_duration_come_from_the_manifest_where_given(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "mine", [{"file": "a.wav", "samples": TONE}])
    manifest(folder, "file,speaker,emotion4,content_sha1,duration_s\na.wav,1,sad,abc,2.5\n")
    (clip,) = read_manifest(folder)
    assert (clip.fingerprint, clip.duration_s) == ("abc", 2.5)


def test_speakers_of_two_corpora_are_different_people(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_corpus(tmp_path / name, [{"file": "a.wav", "speaker": "1", "emotion4": "sad", "samples": TONE}])
    assert [clip.speaker for clip in read_corpora(tmp_path, ["two", "one"])] == ["two/1", "one/1"]


def refusal(folder: Path) -> str:
    with pytest.raises(CorpusError) as caught:
        read_manifest(folder)
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_a_missing_manifest(tmp_path: Path) -> None:
    assert "give the folder that holds the corpora with --data" in refusal(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,speaker\na.wav,1\n", "no column emotion4, it has file, speaker"),
        ("speaker,emotion4\n1,sad\n", "no column file"),
        ("file;speaker;emotion4\n", "no column emotion4, file, speaker, it has file;speaker;emotion4"),
        ("", "it has none"),
        ("file,speaker,emotion4\n", "no row with a value in 'emotion4'"),
        ("file,speaker,emotion4\na.wav,1,\n", "no row with a value in 'emotion4'"),
        ("file,speaker,emotion4\ngone.wav,1,sad\n", "names 'gone.wav', which is not there"),
        ("emotion4,speaker,file\nsad,1\n", "names None, which is not there"),
        ("file,speaker,emotion4,duration_s\na.wav,1,sad,2 s\n", "'2 s'; write seconds or nothing"),
    ],
)
def test_a_manifest_that_cannot_be_used(tmp_path: Path, text: str, words: str) -> None:
    soundfile.write(tmp_path / "a.wav", TONE, 16_000)
    assert words in refusal(manifest(tmp_path, text))


def test_a_manifest_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_bytes("file,speaker,emotion4\nmüde.wav,1,sad\n".encode("latin-1"))
    assert "save it as CSV in UTF-8" in refusal(tmp_path)


def test_sound_is_mono_float_at_16_khz(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.stack([TONE, -0.5 * TONE], axis=1), 16_000, subtype="FLOAT")
    samples = load(clip_of(tmp_path / "a.wav"))
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, 0.25 * TONE, atol=1e-7)


def test_an_unreadable_clip(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(b"fLaC and nothing more")
    for path in (tmp_path / "a.flac", tmp_path / "gone.wav"):
        with pytest.raises(CorpusError, match=rf"cannot read {path}: .*; replace the file or take its row out"):
            load(clip_of(path))


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_another_rate_is_resampled(tmp_path: Path, rate: int) -> None:
    at = np.arange(rate // 2)
    soundfile.write(tmp_path / "a.wav", 0.2 * np.sin(2 * np.pi * 440.0 * at / rate), rate, subtype="FLOAT")
    samples = load(clip_of(tmp_path / "a.wav"))
    assert samples.dtype == np.float32
    assert len(samples) == 8_000
    expected = 0.2 * np.sin(2 * np.pi * 440.0 * np.arange(8_000) / 16_000)
    assert np.abs(samples - expected)[400:-400].max() < 1e-3


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers(tmp_path: Path, poison: float) -> None:
    samples = TONE.copy()
    samples[7] = poison
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    with pytest.raises(CorpusError, match=r"a\.wav holds samples that are not numbers"):
        load(clip_of(tmp_path / "a.wav"))


def test_no_samples_at_all(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", TONE[:0], 16_000)
    with pytest.raises(CorpusError, match=r"a\.wav holds no sound"):
        load(clip_of(tmp_path / "a.wav"))


def test_without_a_label_column_every_clip_is_read(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "mine", [{"file": "a.wav", "speaker": "1", "samples": TONE}])
    assert [clip.label for clip in read_manifest(folder, "")] == [""]


def test_what_a_manifest_says_beyond_the_label(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", TONE, 16_000)
    folder = manifest(tmp_path, "file,speaker,emotion4,session,intensity,transcript\na.wav,1,sad,two,strong,Oh no\n")
    (clip,) = read_manifest(folder)
    assert (clip.session, clip.intensity, clip.transcript, clip.dimensions) == ("two", "strong", "Oh no", None)


def test_every_corpus_has_a_licence() -> None:
    known = {"ravdess", "emodb", "emovo", "nemo", "crema_d", "baved", "kathleen", "esc10", "goemotions", "librispeech"}
    known |= {"emotiontts", "emospeech", "emogator", "deeply_nonverbal", "donateacry"}
    assert set(FACTS) == known | {"iemocap", "msp_podcast"}
    assert FACTS["iemocap"].non_commercial
    assert FACTS["msp_podcast"].non_commercial


def signed(folder: Path, *, sums: list[str], seconds: str = "0.1") -> Path:
    rows = "".join(f"{name}.wav,1,sad,{seconds},{value}\n" for name, value in zip("abcdef", sums, strict=False))
    return manifest(folder, "file,speaker,emotion4,duration_s,content_sha1\n" + rows)


def test_an_intact_corpus_has_no_problems(tmp_path: Path) -> None:
    for name in "ab":
        soundfile.write(tmp_path / f"{name}.wav", TONE, 16_000)
    digest = hashlib.sha1((tmp_path / "a.wav").read_bytes()).hexdigest()
    assert verify(signed(tmp_path, sums=[digest, digest])) == []


def test_changed_missing_and_cut_files_are_named(tmp_path: Path) -> None:
    for name, samples in (("a", TONE), ("b", 0.5 * TONE), ("d", TONE[:400])):
        soundfile.write(tmp_path / f"{name}.wav", samples, 16_000)
    (tmp_path / "e.wav").write_bytes(b"RIFF")
    digest = hashlib.sha1((tmp_path / "a.wav").read_bytes()).hexdigest()
    problems = verify(signed(tmp_path, sums=[digest, digest, digest, "", ""]))
    assert len(problems) == 4
    text = "\n".join(problems)
    for words in ("b.wav has changed", "c.wav is missing", "d.wav lasts 0.025 s, not 0.1", "e.wav cannot be read"):
        assert words in text


def test_sums_of_another_form_of_the_files_are_no_proof(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", TONE, 16_000)
    (problem,) = verify(signed(tmp_path, sums=["0" * 40]))
    assert "content_sha1 is that of no file (1 compared)" in problem


def test_a_full_copy_is_held_against_its_sums(tmp_path: Path) -> None:
    manifest(tmp_path, "file,speaker,emotion4\n")
    (tmp_path / "AudioWAV").mkdir()
    for name in "ab":
        soundfile.write(tmp_path / "AudioWAV" / f"{name}.wav", TONE, 16_000)
    digest = hashlib.sha256((tmp_path / "AudioWAV" / "a.wav").read_bytes()).hexdigest()
    rows = f"a.wav,{digest},1\nb.wav,{'0' * 64},1\nc.wav,{digest},1\n"
    (tmp_path / "sha256_wav.csv").write_text("file,sha256,bytes\n" + rows, "utf-8")
    changed, missing = verify(tmp_path)
    assert "b.wav has changed" in changed
    assert "c.wav is missing" in missing
