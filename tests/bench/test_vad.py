"""What the voice activity detector is worth, on a made-up corpus: one clip of speech, one of quiet noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_ser.audio.silero_vad import FRAME, silero
from stream_ser.audio.vad import VoiceActivityDetector
from stream_ser.bench.vad import loud_frames, open_frames, report
from stream_ser.types import SAMPLE_RATE

SPEECH = slice(40_000, 76_800)  # the first clip of the bundled recording


@pytest.fixture
def corpora(bundled: Path, tmp_path: Path) -> Path:
    samples, rate = soundfile.read(bundled, dtype="float32")
    noise = np.random.default_rng(0).normal(0.0, 1e-3, 2 * SAMPLE_RATE).astype(np.float32)
    for corpus, sound in (("ravdess", samples[SPEECH]), ("esc10", noise)):
        (tmp_path / corpus).mkdir()
        soundfile.write(tmp_path / corpus / "a.wav", sound, rate)
        (tmp_path / corpus / "manifest.csv").write_text("file,emotion,rms_dbfs\na.wav,happy,-30\n", encoding="utf-8")
    return tmp_path


def test_loud_frames_are_those_near_the_loudest() -> None:
    quiet, loud = np.full(FRAME, 0.01, np.float32), np.full(FRAME, 0.5, np.float32)
    assert loud_frames(np.concatenate([quiet, loud, quiet, 0.3 * loud, quiet[:100]])).tolist() == [
        False,
        True,
        False,
        True,
    ]


def test_every_clip_begins_with_a_detector_that_has_forgotten(bundled: Path) -> None:
    speech = soundfile.read(bundled, dtype="float32")[0][SPEECH]
    vad = VoiceActivityDetector(detector=silero)
    first, second = open_frames(vad, speech), open_frames(vad, speech)
    assert first.any()
    assert np.array_equal(first, second)


def test_speech_is_missed_and_noise_let_in(corpora: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report(corpora, silero, "silero")
    speech, noise = capsys.readouterr().out.splitlines()
    assert speech.startswith("silero   ravdess, 100 quietest       1 clips  missed")
    assert float(speech.split("missed")[1].split("%")[0]) < 50.0
    assert "100.0% of clips open for 0.6 s" in speech
    assert "let in   0.0% of frames" in noise
