from __future__ import annotations

import numpy as np

from stream_ser.audio.dc_blocker import DcBlocker
from stream_ser.audio.preparation import Preparation
from stream_ser.types import Block, Gap, Samples

OFFSET = 0.1


def noise(count: int) -> Samples:
    return (0.01 * np.random.default_rng(0).normal(size=count) + OFFSET).astype(np.float32)


def test_a_short_hole_does_not_make_the_offset_heard_again() -> None:
    sound, preparation = noise(32_000), Preparation()
    items: list[Block | Gap] = [Block(0, sound[:16_000]), Gap(16_000, 16_320, "lost"), Block(16_320, sound[16_320:])]
    found = [part for item in items for part in preparation.push(item)]
    heard = np.concatenate([part.samples for part in found if isinstance(part, Block)])
    assert len(heard) == 32_000
    assert np.abs(heard[8_000:]).max() < OFFSET / 2, "neither in the hole nor behind it"


def test_behind_a_long_hole_the_filter_begins_anew() -> None:
    sound, preparation = noise(32_000), Preparation()
    parts = [
        *preparation.push(Block(0, sound[:8_000])),
        *preparation.push(Gap(8_000, 16_000, "lost")),
        *preparation.push(Block(16_000, sound[16_000:])),
    ]
    last = parts[-1]
    assert isinstance(last, Block)
    assert last.samples.tobytes() == DcBlocker().push(sound[16_000:]).tobytes()


def test_a_hole_at_the_end_is_given_back() -> None:
    preparation = Preparation()
    preparation.push(Block(0, noise(16_000)))
    assert preparation.push(Gap(16_000, 16_320, "lost")) == []
    assert preparation.finish() == [Gap(16_000, 16_320, "lost")]
    assert preparation.finish() == []
