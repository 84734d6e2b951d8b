from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.audio.concealment import HISTORY, LONGEST, Concealer, substitute
from stream_ser.types import Block, Gap, Samples
from tests.conftest import BUNDLED

Item = Block | Gap


def voice(seconds: float = 3.0) -> Samples:
    samples, rate = soundfile.read(BUNDLED, dtype="float32")
    found: Samples = samples[round(2.5 * rate) :][: round(seconds * rate)]
    return found


def holed(sound: Samples, *holes: tuple[int, int], reason: str = "not received") -> list[Item]:
    items: list[Item] = []
    at = 0
    for start, end in holes:
        items += [Block(at, sound[at:start])] if start > at else []
        items.append(Gap(start, end, reason))
        at = end
    return [*items, Block(at, sound[at:])]


def given_out(items: list[Item]) -> list[Item]:
    concealer = Concealer()
    return [*(found for item in items for found in concealer.push(item)), *concealer.finish()]


def blocks(items: list[Item]) -> list[Block]:
    return [item for item in items if isinstance(item, Block)]


def joined(items: list[Item]) -> Samples:
    return np.concatenate([block.samples for block in blocks(items)])


def test_sound_without_holes_is_what_it_was() -> None:
    items = [Block(0, voice()[:16_000]), Block(16_000, voice()[16_000:])]
    assert given_out(items) == items


def test_a_short_hole_is_told_and_filled_and_nothing_real_is_touched() -> None:
    sound = voice()
    start, end = 16_000, 16_320
    items = given_out(holed(sound, (start, end)))
    gap, filling = items[1], items[2]
    assert gap == Gap(start, end, "not received", concealed=True)
    assert isinstance(filling, Block)
    assert (filling.start, filling.end, filling.concealed) == (start, end, True)
    real = joined([item for item in items if not (isinstance(item, Block) and item.concealed)])
    assert np.array_equal(real, np.delete(sound, np.arange(start, end)))
    assert all(after.start == before.end for before, after in pairwise(blocks(items)))


def test_what_fills_a_hole_in_a_steady_tone_is_the_tone() -> None:
    for hertz in (100, 180, 250, 440):
        tone = (0.5 * np.sin(2 * np.pi * hertz * np.arange(16_000) / 16_000)).astype(np.float32)
        filled = joined(given_out(holed(tone, (8_000, 8_320))))
        assert np.abs(filled[8_000:8_320] - tone[8_000:8_320]).max() < 0.1, hertz


def test_a_filling_is_nearer_to_a_voice_than_silence_is() -> None:
    sound = voice()
    holes = [(at, at + 320) for at in range(4_000, len(sound) - 4_000, 4_000)]
    filled = joined(given_out(holed(sound, *holes)))
    power = [float(np.square(filled[a:b]).sum() / max(1e-9, np.square(sound[a:b]).sum())) for a, b in holes]
    assert 0.3 < np.median(power) < 3.0, "as loud as what it stands for"
    error = sum(float(np.square(filled[a:b] - sound[a:b]).sum()) for a, b in holes)
    assert error < sum(float(np.square(sound[a:b]).sum()) for a, b in holes)


def test_a_long_filling_fades_and_never_grows() -> None:
    tone = np.sin(2 * np.pi * 200 * np.arange(HISTORY) / 16_000).astype(np.float32)
    filling = substitute(tone, LONGEST)
    loud = [float(np.abs(filling[at : at + 160]).max()) for at in range(0, LONGEST, 160)]
    assert loud == sorted(loud, reverse=True)
    assert (loud[0], loud[1]) == (1.0, 1.0)
    assert loud[-1] < 0.15
    assert not substitute(np.zeros(HISTORY, dtype=np.float32), LONGEST).any()


@pytest.mark.parametrize(
    ("items", "why"),
    [
        (holed(voice(), (16_000, 16_000 + LONGEST + 1)), "too long"),
        (holed(voice(), (16_000, 16_320), reason="paused"), "nobody may listen"),
        (holed(voice(), (HISTORY - 1, HISTORY + 320)), "too little is known of the voice"),
        (holed(voice(), (0, 320)), "nothing is known of it"),
        ([Block(0, voice()), Gap(48_000, 48_320, "lost")], "nothing comes after it"),
        (
            [Block(0, voice()), Gap(48_000, 48_320, "lost"), Gap(48_320, 50_000, "lost"), Block(50_000, voice())],
            "one hole",
        ),
        (
            [Block(0, voice()), Gap(48_000, 48_320, "lost"), Gap(48_320, 48_640, "paused"), Block(48_640, voice())],
            "paused",
        ),
    ],
)
def test_what_is_not_filled_stays_a_gap(items: list[Item], why: str) -> None:
    assert given_out(items) == items, why


def test_after_a_long_hole_nothing_before_it_is_used() -> None:
    sound = voice()
    items = holed(sound, (16_000, 20_000), (20_400, 20_720))
    assert given_out(items) == items


def test_pieces_of_one_hole_are_filled_at_once() -> None:
    sound = voice()
    whole = given_out(holed(sound, (16_000, 16_640)))
    pieces: list[Item] = [Block(0, sound[:16_000]), Gap(16_000, 16_320, "a"), Gap(16_320, 16_640, "b")]
    found = given_out([*pieces, Block(16_640, sound[16_640:])])
    assert [(item.start, item.end) for item in found if isinstance(item, Gap)] == [(16_000, 16_320), (16_320, 16_640)]
    assert joined(found).tobytes() == joined(whole).tobytes()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9_000), st.integers(1, 2_000)), min_size=1, max_size=6), st.integers(1, 5_000))
def test_however_the_sound_is_cut_the_bits_are_the_same(holes: list[tuple[int, int]], size: int) -> None:
    sound, at, placed = voice(), 0, []
    for apart, length in holes:
        placed.append((at + apart, at + apart + length))
        at += apart + length
    placed = [hole for hole in placed if hole[1] < len(sound)]
    items = holed(sound, *placed)
    cut: list[Item] = []
    for item in items:
        step = size if isinstance(item, Block) else 160
        for start in range(item.start, item.end, step):
            end = min(start + step, item.end)
            cut.append(Block(start, sound[start:end]) if isinstance(item, Block) else Gap(start, end, item.reason))
    whole, pieces = given_out(items), given_out(cut)
    assert joined(pieces).tobytes() == joined(whole).tobytes()
    assert sum(gap.end - gap.start for gap in pieces if isinstance(gap, Gap) and gap.concealed) == sum(
        gap.end - gap.start for gap in whole if isinstance(gap, Gap) and gap.concealed
    )


def test_memory_is_bounded() -> None:
    concealer = Concealer()
    for at in range(0, 160_000, 10):
        list(concealer.push(Block(at, np.ones(10, dtype=np.float32))))
    assert sum(map(len, concealer._recent)) < HISTORY + 10
