from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.text.listener import BEFORE, BLOCK, Listener
from stream_ser.types import Samples, Word
from stream_ser_models.words import Vocabulary
from tests.fakes import FakeDetector

SPEECH = (20 * BLOCK, 40 * BLOCK), (60 * BLOCK, 90 * BLOCK)


class Notebook:
    """A recogniser that notes what it is told; its words are two for each utterance."""

    name = "notebook"

    def __init__(self) -> None:
        self.heard: list[tuple[int, int, bytes]] = []
        self.rests: list[int] = []  # by how much had been heard
        self.resets: list[int] = []
        self.closed = False

    def hear(self, samples: Samples, end: int) -> None:
        self.heard.append((end - len(samples), end, samples.tobytes()))

    def rest(self) -> None:
        self.rests.append(len(self.heard))

    def words(self, until: int, span: int) -> list[Word]:
        return [Word("do", until - span, until - 9), Word("not", until - 9, until)]

    def reset(self, at: int) -> None:
        self.resets.append(at)

    def close(self) -> None:
        self.closed = True


def sound(start: int, end: int) -> Samples:
    return (np.arange(start, end) % 8191 / 8191).astype(np.float32)


def listen(*edges: int, speech: tuple[tuple[int, int], ...] = SPEECH) -> tuple[Listener, Notebook]:
    notebook = Notebook()
    listener = Listener(notebook, FakeDetector(*speech))
    for start, end in pairwise(edges):
        listener.push(start, sound(start, end))
    return listener, notebook


def test_speech_is_heard_whole_from_a_little_before_it() -> None:
    _, notebook = listen(0, 100 * BLOCK)
    spans = [(start // BLOCK, end // BLOCK) for start, end, _ in notebook.heard]
    assert spans[0] == (20 - BEFORE, 21)
    assert spans[1:20] == [(n, n + 1) for n in range(21, 40)]
    assert spans[20] == (60 - BEFORE, 61)
    assert (notebook.rests, spans[-1]) == ([20, 50], (89, 90))
    for start, end, samples in notebook.heard:
        assert samples == sound(start, end).tobytes()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 9_000), min_size=1, max_size=20))
def test_block_sizes_make_no_difference(sizes: list[int]) -> None:
    edges = np.cumsum([0, *sizes]).tolist()
    cut, whole = listen(*edges)[1], listen(0, edges[-1])[1]
    assert (cut.heard, cut.rests) == (whole.heard, whole.rests)


def test_nothing_is_heard_in_silence() -> None:
    assert listen(0, 100 * BLOCK, speech=())[1].heard == []


def test_a_gap_ends_the_utterance_and_blocks_stay_on_the_grid() -> None:
    listener, notebook = listen(0, 30 * BLOCK + 100)
    at = 70 * BLOCK + 7
    listener.reset(at)
    listener.push(at, sound(at, 75 * BLOCK))
    assert notebook.resets == [at]
    start, end, samples = notebook.heard[-4]
    assert (start, end) == (71 * BLOCK, 72 * BLOCK), "the first whole block after the gap, and nothing from before it"
    assert samples == sound(start, end).tobytes()


def test_speech_that_comes_too_fast_goes_by_and_is_counted() -> None:
    listener, notebook = listen(0, 25 * BLOCK)
    listener.skipping = True
    listener.push(25 * BLOCK, sound(25 * BLOCK, 35 * BLOCK))
    assert (listener.skipped, notebook.rests) == (10 * BLOCK, [5])
    listener.skipping = False
    listener.push(35 * BLOCK, sound(35 * BLOCK, 45 * BLOCK))
    assert notebook.heard[5][:2] == ((35 - BEFORE) * BLOCK, 36 * BLOCK)


def test_words_become_numbers_only_for_a_network_that_reads() -> None:
    vocabulary = Vocabulary(["not", "do"])
    reader = Listener(Notebook(), FakeDetector(), vocabulary, 4)
    shower = Listener(Notebook(), FakeDetector())
    words = reader.words(200_000)
    assert [word.text for word in words] == ["do", "not"]
    assert words[0].start == 200_000 - 160_000, "ten seconds where the card says nothing else"
    tokens = reader.tokens(words)
    assert tokens is not None
    assert (tokens.tolist(), tokens.dtype) == ([3, 2, 0, 0], np.int64)
    assert shower.tokens(words) is None


def test_closing_closes_the_recogniser() -> None:
    listener, notebook = listen(0, 10)
    listener.close()
    assert notebook.closed


@pytest.mark.parametrize("start", [0, 1, BLOCK - 1, BLOCK, 10**12 + 7])
def test_a_stream_may_begin_anywhere(start: int) -> None:
    notebook = Notebook()
    listener = Listener(notebook, FakeDetector((0, 10**15)), start=start)
    listener.push(start, sound(start, start + 3 * BLOCK))
    assert all(begin % BLOCK == 0 for begin, _, _ in notebook.heard)
    assert len(notebook.heard) in (2, 3)
