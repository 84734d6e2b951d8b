from __future__ import annotations

import numpy as np

from stream_ser.audio.array import ArraySource
from stream_ser.types import Block


def test_nothing_more_comes_once_it_is_closed() -> None:
    source = ArraySource(np.zeros(160_000, dtype=np.float32), 16_000)
    came = 0
    for _, item in source.sides():
        came += len(item.samples) if isinstance(item, Block) else 0
        if came:
            source.close()
    assert 0 < came < 80_000
