"""What is known of a voice: earlier windows alone, each by its new seconds of speech, whatever is computed beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_ser.engine.voice import Voices
from stream_ser.types import Samples, Window
from stream_ser_models.card import VOICE_CAP_S

WIDTH, LENGTH, HOP = 3, 32_000, 4_000
NOTHING = np.zeros(0, dtype=np.float32)


def window(end: int, voice_s: float = 0.25, stream: str = "s") -> Window:
    return Window(stream, end - LENGTH, end, NOTHING, hop=HOP, voice_s=voice_s)


def vector(value: float) -> Samples:
    return np.full(WIDTH, value, dtype=np.float32)


def test_nothing_is_known_before_anything_was_said() -> None:
    known = Voices().known([window(LENGTH)], WIDTH)
    assert known.total.shape == (1, WIDTH)
    assert not known.total.any()
    assert known.seconds.tolist() == [0.0]


def test_a_window_knows_those_that_ended_before_it_began_and_not_what_overlaps_it() -> None:
    voices = Voices()
    for number in range(9):
        voices.heard(window(LENGTH + number * HOP, 0.25), vector(number))
    asked = window(2 * LENGTH)  # begins where the first one ended
    assert voices.known([asked], WIDTH).seconds.tolist() == [0.25]
    assert voices.known([asked], WIDTH).total[0, 0] == 0.0
    later = voices.known([window(2 * LENGTH + 2 * HOP)], WIDTH)
    assert later.seconds.tolist() == [0.75]
    assert later.total[0].tolist() == [0.75] * WIDTH  # 0.25 · (0 + 1 + 2)


def test_each_counts_by_its_seconds_and_silence_not_at_all() -> None:
    voices = Voices()
    for end, seconds, value in ((LENGTH, 2.0, 1.0), (2 * LENGTH, 0.0, 100.0), (3 * LENGTH, 0.5, 4.0)):
        voices.heard(window(end, seconds), vector(value))
    known = voices.known([window(5 * LENGTH)], WIDTH)
    assert known.seconds.tolist() == [2.5]
    assert known.total[0].tolist() == [4.0] * WIDTH


def test_what_is_long_past_fades() -> None:
    voices = Voices()
    for number in range(400):
        voices.heard(window((number + 1) * LENGTH, 2.0), vector(0.0 if number < 200 else 1.0))
    known = voices.known([window(500 * LENGTH)], WIDTH)
    assert known.seconds.tolist() == [VOICE_CAP_S]
    mean = float(known.total[0, 0] / known.seconds[0])
    assert 1.0 - np.exp(-400.0 / VOICE_CAP_S) == pytest.approx(mean, abs=0.01)


def test_streams_are_apart_and_forgotten_one_by_one() -> None:
    voices = Voices()
    voices.heard(window(LENGTH, 1.0, "a"), vector(1.0))
    voices.heard(window(LENGTH, 2.0, "b"), vector(2.0))
    asked = [window(2 * LENGTH, stream=name) for name in ("a", "b", "c")]
    assert voices.known(asked, WIDTH).seconds.tolist() == [1.0, 2.0, 0.0]
    voices.release("b")
    voices.release("never seen")
    assert voices.known(asked, WIDTH).seconds.tolist() == [1.0, 0.0, 0.0]


def test_a_vector_that_its_owner_writes_over_does_not_change_what_was_heard() -> None:
    voices, values = Voices(), vector(1.0)
    voices.heard(window(LENGTH, 1.0), values)
    values[:] = 9.0
    assert voices.known([window(2 * LENGTH)], WIDTH).total[0].tolist() == [1.0] * WIDTH


heard = st.lists(
    st.tuples(st.integers(1, 12), st.floats(0.0, 2.0, width=32), st.floats(-5.0, 5.0, width=32)),
    min_size=2,
    max_size=40,
)


@given(heard, st.integers(1, 39))
def test_the_future_never_changes_what_was_known(steps: list[tuple[int, float, float]], cut: int) -> None:
    def run(taken: list[tuple[int, float, float]]) -> list[tuple[bytes, float]]:
        voices, end, found = Voices(), LENGTH, []
        for hops, seconds, value in taken:
            end += hops * HOP
            asked = window(end, seconds)
            known = voices.known([asked], WIDTH)
            found.append((known.total.tobytes(), float(known.seconds[0])))
            voices.heard(asked, vector(value))
        return found

    whole = run(steps)
    assert run(steps[:cut]) == whole[: len(steps[:cut])]


@given(heard)
def test_asking_more_often_changes_nothing(steps: list[tuple[int, float, float]]) -> None:
    often, once, end = Voices(), Voices(), LENGTH
    for hops, seconds, value in steps:
        for between in range(hops):
            often.known([window(end + between * HOP)], WIDTH)
        end += hops * HOP
        for voices in (often, once):
            voices.heard(window(end, seconds), vector(value))
    asked = [window(end + 2 * LENGTH)]
    assert often.known(asked, WIDTH).total.tobytes() == once.known(asked, WIDTH).total.tobytes()
