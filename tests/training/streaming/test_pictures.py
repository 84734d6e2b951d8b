"""The page's pictures: the same bytes from the same figures, and other bytes from others."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

from stream_ser_training.streaming.pictures import on_the_way, trade

SIDES = {"test": "known"}
CURVE = [
    {"evidence": nats, "caught": 0.9 - nats / 20, "within_4_s": 0.8 - nats / 12, "false_in_20_min": 6.0 / nats}
    for nats in (2.0, 4.0, 8.0)
]
RECORD: dict[str, Any] = {
    "model": "m",
    "side": "test",
    "curve": {"wideband": CURVE, "telephone": [*CURVE, {"evidence": 9.0, "false_in_20_min": 0.0}]},
    "grid": {"as recorded": {"UA": 0.8, "spread": {"UA": 0.03}}, "noise": {"UA": 0.6, "spread": {}}},
}


def test_what_alerts_trade(tmp_path: Path) -> None:
    first, again, other, fewer = (tmp_path / f"{name}.png" for name in ("a", "b", "c", "d"))
    assert trade([RECORD], first, SIDES, 4.0) == first
    trade([deepcopy(RECORD)], again, SIDES, 4.0)
    trade([RECORD], other, SIDES, 8.0)
    trade([{**RECORD, "curve": {"wideband": CURVE}}], fewer, SIDES, 4.0)
    assert first.read_bytes().startswith(b"\x89PNG")
    assert first.read_bytes() == again.read_bytes()
    assert len({path.read_bytes() for path in (first, other, fewer)}) == 3


def test_what_happens_on_the_way(tmp_path: Path) -> None:
    first, again, other = (tmp_path / f"{name}.png" for name in ("a", "b", "c"))
    assert on_the_way([RECORD], first, SIDES) == first
    on_the_way([RECORD], again, SIDES)
    on_the_way([{**RECORD, "grid": {**RECORD["grid"], "noise": {"UA": 0.7}}}], other, SIDES)
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()
