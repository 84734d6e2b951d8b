from __future__ import annotations

import numpy as np

from stream_ser.calls.events import Coded, Lost, Sound


def test_what_is_moved_is_as_long_and_the_same_but_later() -> None:
    assert Lost("customer", 160, 480, "why").moved(800) == Lost("customer", 960, 1_280, "why")
    sound = Sound("customer", 160, np.ones(5, dtype=np.float32)).moved(800)
    assert (sound.leg, sound.start, len(sound.samples)) == ("customer", 960, 5)


def test_coded_samples_are_counted_whole_and_decoded_when_they_are_asked_for() -> None:
    asked: list[bytes] = []

    def decode(data: bytes) -> np.ndarray:
        asked.append(data)
        return np.zeros(len(data) // 2, dtype=np.float32)

    sound = Sound("customer", 0, Coded(bytes(10), 2, decode))
    assert len(sound.samples) == 5
    assert asked == []
    assert sound.decoded.shape == (5,)
    assert asked == [bytes(10)]
