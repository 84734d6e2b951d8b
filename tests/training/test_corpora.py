"""Manifests and sound files: what is read, and what is refused with the file's name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.training.conftest import write_corpus
from training.corpora import Clip, CorpusError, load, read_corpora, read_manifest

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


def test_another_rate(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", TONE, 44_100)
    with pytest.raises(CorpusError, match=r"a\.wav has 44100 Hz; convert the corpus to 16000 Hz first"):
        load(clip_of(tmp_path / "a.wav"))


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
