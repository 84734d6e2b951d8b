"""How the detector decides, batch by batch; what it makes of real sound is tried in ``test_audiosocket.py``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from stream_ser.calls.protocols import codec_detector
from stream_ser.calls.protocols.codec_detector import BATCH, NEVER_SURE, SURE_OF_SLIN, CodecDetector

Hear = Callable[[str], CodecDetector]
NAMES = {"s": "slin", "a": "alaw", "u": "ulaw", ".": None}


@pytest.fixture
def hear(monkeypatch: pytest.MonkeyPatch) -> Hear:
    """A detector that was given batches which say what the letters do."""

    def made(said: str) -> CodecDetector:
        batches = iter(said)
        monkeypatch.setattr(codec_detector, "codec_of", lambda _: NAMES[next(batches)])
        detector = CodecDetector()
        for _ in said:
            detector.push(bytes(BATCH))
        return detector

    return made


@pytest.mark.parametrize(
    ("said", "leans", "sure"),
    [
        ("", None, False),
        ("s", "slin", False),
        ("s" * (SURE_OF_SLIN - 1), "slin", False),
        ("s" * SURE_OF_SLIN, "slin", True),
        ("aa", None, False),
        ("aaa", "alaw", True),
        ("a.u.u.u", "ulaw", True),
        ("saaa", "slin", False),  # who was heard otherwise needs more than three times as many
        ("saaaa", "alaw", True),
        ("ssaaaaaa", "slin", False),
    ],
)
def test_what_is_heard_often_enough_is_sure(hear: Hear, said: str, leans: str | None, sure: bool) -> None:
    detector = hear(said)
    assert (detector.leans, detector.sure) == (leans, sure)


def test_what_is_never_recognised_is_noise(hear: Hear) -> None:
    assert not hear("." * (NEVER_SURE - 1)).noise
    assert hear("." * NEVER_SURE).noise
    assert not hear("s" + "." * NEVER_SURE).noise


@pytest.mark.parametrize("inverted", [0x55, 0x7F])
def test_steps_of_a_code_go_through_zero(inverted: int) -> None:
    """The smallest positive and the smallest negative value are neighbours' neighbours, and the largest are far apart."""

    def code(positive: bool, magnitude: int) -> int:
        return (0x80 if positive else 0) | (magnitude ^ inverted)

    def steps(*values: tuple[bool, int]) -> float:
        return codec_detector._steps(np.array([code(*value) for value in values], np.uint8), inverted)

    assert steps((True, 0), (True, 1), (True, 3)) == 1.5
    assert steps((True, 0), (False, 0)) == 2.0
    assert steps((True, 127), (False, 127), (True, 127)) == 256.0
    assert steps((False, 5), (False, 9)) == 4.0
