"""Sound in which nobody says anything: made of what is asked for, counted as it falls, and silence is silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_ser.api import Monitor
from stream_ser_models.card import DEFAULT
from stream_ser_training.corpora import SAMPLE_RATE
from stream_ser_training.streaming.observe import STATES, Seen, observe
from stream_ser_training.streaming.other_sound import LEVEL_DB, MADE, sounds, told_of

LABELS = ("angry", "happy", "neutral", "sad")
HOP = SAMPLE_RATE // 4


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four clips of barking and one of rain, a tone each, at different levels."""
    folder = tmp_path / "esc10" / "audio"
    folder.mkdir(parents=True)
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    lines = ["file,speaker,emotion4,sentence,duration_s"]
    for place in range(5):
        tone = 0.02 * (place + 1) * np.sin(2.0 * np.pi * (300.0 + 100.0 * place) * t)
        soundfile.write(folder / f"{place}.flac", tone.astype(np.float32), SAMPLE_RATE)
        lines.append(f"audio/{place}.flac,,,{'Rain' if place == 4 else 'Dog bark'},1.0")
    (tmp_path / "esc10" / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_sounds_are_as_long_as_asked_for_at_one_level_and_the_same_on_every_run(data: Path) -> None:
    found = sounds(data, minutes=0.25)
    assert set(found) == {*MADE, "noise", "animals"}, "what other corpora have is left out without them"
    again = sounds(data, minutes=0.25)
    for name, sound in found.items():
        assert (sound.shape, sound.dtype) == ((15 * SAMPLE_RATE,), np.float32)
        assert np.abs(sound).max() <= 1.0
        assert np.array_equal(sound, again[name])
    for name in ("hum", "music"):
        assert 10.0 * np.log10(np.square(found[name]).mean()) == pytest.approx(LEVEL_DB, abs=0.5)
    assert not found["silence"][: 7 * SAMPLE_RATE].any()


def test_clips_come_in_turn_and_only_those_meant(data: Path) -> None:
    spectrum = np.abs(np.fft.rfft(sounds(data, minutes=0.25)["animals"]))
    hertz = np.arange(len(spectrum)) / 15.0
    peaks = [spectrum[(hertz > f - 5) & (hertz < f + 5)].max() for f in (300, 400, 500, 600, 700)]
    assert min(peaks[:4]) > 20.0 * peaks[4], "four clips of barking, and no rain"


def test_silence_hum_and_music_bring_no_label(data: Path) -> None:
    with Monitor(model=DEFAULT) as monitor:
        for name in MADE:
            seen = observe(monitor, sounds(data, minutes=0.25)[name], name)
            told = told_of(seen, monitor.labels)
            assert (told["shown"], told["runs"], told["alerts"]) == (0.0, 0, 0), name


def test_labels_runs_and_alerts_are_counted() -> None:
    says = np.full((240, 4), np.nan)
    says[40:120] = (0.97, 0.01, 0.01, 0.01)
    says[120:140] = (0.01, 0.01, 0.01, 0.97)
    judged = ~np.isnan(says[:, 0])
    ends = np.arange(1, 241) * HOP
    seen = Seen(
        starts=np.maximum(0, ends - 8 * HOP),
        ends=ends,
        states=np.where(judged, STATES.index("speech"), STATES.index("silence")),
        labels=np.where(judged, np.where(says[:, 0] > 0.5, 0, 3), -1),
        raw=says,
        smoothed=np.where(judged[:, None], says, 0.25),
    )
    told = told_of(seen, LABELS)
    assert (told["minutes"], told["runs"]) == (1.0, 2)
    assert told["asked"] == told["shown"] == pytest.approx(100 / 240, abs=1e-4)
    assert told["alerts"] == 2, "anger, and unhappy for long"
    assert told["labels"] == {"angry": 0.3333, "happy": 0.0, "neutral": 0.0, "sad": 0.0833}
