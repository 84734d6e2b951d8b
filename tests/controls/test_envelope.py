"""How loud a recording is from beginning to end, read in the background."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stream_ser.audio.recording import Recording, open_recording
from stream_ser.controls.envelope import PARTS, SILENCE_DBFS, Envelope
from stream_ser.errors import SourceError

RATE = 16_000
PATIENCE_S = 60.0


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def reading() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "envelope"]


def test_levels_are_those_of_equal_parts_and_the_thread_ends_by_itself(write_sound: Callable[..., Path]) -> None:
    tone = 0.5 * np.sin(np.arange(2 * RATE) / 5)
    path = write_sound("half.wav", np.concatenate([np.zeros(2 * RATE), tone]), RATE)
    envelope = Envelope(lambda: open_recording(path, speed=None))
    until(lambda: len(envelope.levels) == PARTS and not reading())
    levels = np.array(envelope.levels)
    assert (levels[: PARTS // 2 - 2] == SILENCE_DBFS).all()
    assert levels[PARTS // 2 + 2 : -2] == pytest.approx(-9.0, abs=1.0), "RMS of a tone of half scale"


def test_it_ends_when_it_is_closed(write_sound: Callable[..., Path]) -> None:
    path = write_sound("long.wav", np.zeros(60 * RATE), RATE)
    begun, go_on = threading.Event(), threading.Event()

    def opened() -> Recording:
        begun.set()
        go_on.wait()
        return open_recording(path, speed=None)

    envelope = Envelope(opened)
    assert envelope.levels == ()
    begun.wait(PATIENCE_S)
    envelope.close()
    go_on.set()
    until(lambda: not reading())
    assert max(envelope.levels, default=SILENCE_DBFS) == SILENCE_DBFS
    assert envelope.levels is not None
    assert not reading(), "and is not begun anew"


def test_what_cannot_be_read_has_none() -> None:
    def opened() -> Recording:
        raise SourceError("there is no file x", fix="check the path")

    envelope = Envelope(opened)
    assert envelope.levels == ()
    until(lambda: not reading())
    assert envelope.levels == ()
