"""The real recogniser on real speech: what it understands is not tested, but that time plays no part in it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_ser.audio.vad import VoiceActivityDetector
from stream_ser.text import recogniser as protocol
from stream_ser.text.listener import Listener
from stream_ser.types import Samples, Word

pytest.importorskip("pocketsphinx", reason="needs pocketsphinx: pip install 'stream-ser[asr]'")

from stream_ser.text import pocketsphinx_recogniser as module
from stream_ser.text.pocketsphinx_recogniser import PocketsphinxRecogniser

ASKED_EVERY = 4_000
SPAN = 10 * 16_000


@pytest.fixture(scope="module")
def speech(bundled: Path) -> Samples:
    """Someone says: the airplane is almost full. I think …"""
    samples: Samples = soundfile.read(bundled, start=325_000, frames=60_000, dtype="float32")[0]
    return samples


def words_over_time(samples: Samples, cut: int) -> list[tuple[Word, ...]]:
    """The words at every ASKED_EVERY samples, of sound that came in pieces of ``cut``."""
    vad = VoiceActivityDetector()
    listener = Listener(PocketsphinxRecogniser(), vad)
    told = []
    edges = sorted({*range(0, len(samples), cut), *range(0, len(samples), ASKED_EVERY), len(samples)})
    for start, end in pairwise(edges):
        vad.push(start, samples[start:end])
        listener.push(start, samples[start:end])
        if end % ASKED_EVERY == 0:
            told.append(listener.words(end))
    listener.close()
    return told


@pytest.fixture(scope="module")
def whole(speech: Samples) -> list[tuple[Word, ...]]:
    return words_over_time(speech, len(speech))


def texts(words: Sequence[Word]) -> list[str]:
    return [word.text for word in words]


def test_it_understands_something(whole: list[tuple[Word, ...]]) -> None:
    assert {"almost", "full"} <= set(texts(whole[-1]))
    for at, words in enumerate(whole, 1):
        assert all(0 < word.start < word.end <= at * ASKED_EVERY for word in words)
        assert not [word for word in words if not word.text.replace("'", "").isalpha()], (
            "marks and alternates are cleaned"
        )


@pytest.mark.parametrize("cut", [160, 441, 16_000])
def test_words_do_not_depend_on_how_the_sound_came(cut: int, speech: Samples, whole: list[tuple[Word, ...]]) -> None:
    assert words_over_time(speech, cut) == whole


def test_words_depend_on_nothing_that_comes_later(speech: Samples, whole: list[tuple[Word, ...]]) -> None:
    at = 2 * 16_000
    other = speech.copy()
    other[at:] = np.random.default_rng(0).normal(0, 0.1, len(speech) - at)
    assert words_over_time(other, 8_000)[: at // ASKED_EVERY] == whole[: at // ASKED_EVERY]


def test_old_words_are_forgotten_and_a_gap_forgets_all(speech: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    recogniser = PocketsphinxRecogniser()
    sound = speech[: 2 * 16_000]
    recogniser.hear(sound, len(sound))
    recogniser.rest()
    recogniser.rest()
    assert recogniser.words(len(sound), SPAN)
    assert recogniser.words(len(sound) + SPAN, SPAN) == []
    assert len(recogniser._finished) > 0
    recogniser.words(len(sound) + protocol.KEPT, SPAN)
    assert len(recogniser._finished) == 0
    recogniser.hear(sound, 2 * len(sound))
    recogniser.reset(2 * len(sound))
    assert recogniser.words(2 * len(sound), SPAN) == []
    recogniser.close()


def test_an_utterance_without_end_is_cut(speech: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST", 16_000)
    recogniser = PocketsphinxRecogniser()
    starts = []
    for end in range(512, 40_000, 512):
        recogniser.hear(speech[end - 512 : end], end)
        starts.append(recogniser._start)
    assert {None, 0} < set(starts)
    assert max(start for start in starts if start is not None) >= 2 * 16_000 - 512
    recogniser.close()


def test_nothing_that_is_said_is_printed(speech: Samples, capfd: pytest.CaptureFixture[str]) -> None:
    recogniser = PocketsphinxRecogniser()
    recogniser.hear(speech[:16_000], 16_000)
    recogniser.close()
    assert capfd.readouterr() == ("", "")
