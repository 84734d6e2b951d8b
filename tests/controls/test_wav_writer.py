"""Sound that was asked for, in a file that fits the stream: silence where there was none, and none that was withheld."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_ser.audio.source import Notice
from stream_ser.controls import wav_writer
from stream_ser.controls.wav_writer import SoundFile
from stream_ser.errors import FeedError
from stream_ser.types import Block, Gap


def block(start: int, samples: int, value: float) -> Block:
    return Block(start, np.full(samples, value, dtype=np.float32), arrived_ns=1)


def test_missing_and_withheld_sound_is_silence_and_places_fit(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    file = SoundFile(path)
    file.take(Notice("info", "resampling"), False)
    file.take(block(1_000, 400, 0.5), False)
    file.take(Gap(1_400, 2_000, "the device lost sound"), False)
    file.take(block(2_000, 300, 0.7), True)
    file.take(block(2_300, 100, -0.25), False)
    assert not path.exists()
    assert file.close()
    assert file.begin == 1_000
    written, rate = soundfile.read(path)
    assert (rate, len(written)) == (16_000, 1_400)
    np.testing.assert_allclose(written[:400], 0.5, atol=1e-4)
    assert not written[400:1_300].any()
    np.testing.assert_allclose(written[1_300:], -0.25, atol=1e-4)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.wav"]


def test_nothing_heard_leaves_nothing(tmp_path: Path) -> None:
    file = SoundFile(tmp_path / "a.wav")
    assert not file.close()
    assert not file.close()
    file.take(block(0, 100, 0.5), False)
    assert list(tmp_path.iterdir()) == []


def test_what_no_file_can_hold_ends_it_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wav_writer, "MOST", 1_000)
    file = SoundFile(tmp_path / "a.wav")
    file.take(block(0, 900, 0.5), False)
    file.take(block(900, 200, 0.5), False)
    with pytest.raises(FeedError, match="17 hours"):
        file.close()
    assert len(soundfile.read(tmp_path / "a.wav")[0]) == 900


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="cannot write"):
        SoundFile(tmp_path / "none" / "a.wav")
