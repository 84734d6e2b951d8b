"""Calls that lose a little: concealed, told, and the same as the same sound offline. Over real sockets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream_ser.api import Monitor
from stream_ser.calls.protocols.g711 import mulaw_decode
from tests.server.serving import HOP_S, Feed, dial, figures, serving, voices
from tests.server.speaking import PIECE, Twilio, encode

VOICE = encode(np.concatenate(voices()), "mulaw")
CHUNKS = [VOICE[at : at + PIECE] for at in range(0, len(VOICE), PIECE)]
HOP = 25  # chunks; none is lost at the end of one, where word of it would come after the next
LOST = frozenset(at for at in range(len(CHUNKS)) if at % HOP < 12 and at * 7919 % 16 == 3) | {300, 301, 302}  # 3 %
HOLE = frozenset(range(400, 412))  # 0.24 s


async def called(folder: Path, lost: frozenset[int]) -> tuple[Feed, dict[str, float]]:
    """A call of ten seconds without some of its chunks."""
    speaker = Twilio("CA1")
    async with serving(folder) as server, Feed(server.url) as feed:
        async with dial(server, speaker.path) as socket:
            for message in speaker.opening():
                await socket.send(message)
            for at, chunk in enumerate(CHUNKS):
                if at not in lost:
                    await socket.send(speaker.media("inbound", at + 1, chunk))
                if at % HOP == HOP - 1:
                    await feed.wait("point", (at + 1) // HOP - 1)
            await socket.send(speaker.closing()[0])
            await feed.wait("call", kind="ended")
        return feed, await figures(server)


def offline(lost: frozenset[int]) -> list[tuple[str, str | None, tuple[float, ...] | None, float]]:
    with Monitor(hop=HOP_S, engine="onnx") as monitor, monitor.stream("call", rate=8_000) as stream:
        points = []
        for at, chunk in enumerate(CHUNKS):
            points += stream.lose(PIECE, "not received") if at in lost else stream.push(mulaw_decode(chunk))
        points += stream.flush()
    return [(point.state, point.label, point.raw, point.concealed_ms) for point in points]


async def test_lost_frames_are_concealed_told_and_cost_no_labels(tmp_path: Path) -> None:
    feed, counted = await called(tmp_path, LOST)
    points = feed.of("point")
    assert [point["state"] for point in points].count("warming") == 3, "before the first window, as without any loss"
    assert {(gap["start"] // 320, gap["concealed"]) for gap in feed.of("gap")} >= {(at, True) for at in (300,)}
    assert {at for gap in feed.of("gap") for at in range(gap["start"] // 320, gap["end"] // 320)} == LOST
    for point in points:
        window = range(point["start"] // 320, point["end"] // 320)
        assert point["concealed_ms"] == 20 * len(LOST.intersection(window)), "told on each point that rests on it"
    found = [
        (p["state"], p["label"], None if None in p["raw"].values() else tuple(p["raw"].values()), p["concealed_ms"])
        for p in points
    ]
    assert found == offline(LOST), "the same bits as offline"
    assert counted["missing_seconds_total"] == pytest.approx(0.02 * len(LOST))


async def test_a_longer_hole_is_a_gap_that_no_window_reaches_across(tmp_path: Path) -> None:
    feed, _ = await called(tmp_path, HOLE)
    (gap,) = feed.of("gap")
    assert (gap["start"], gap["end"], gap["concealed"]) == (400 * 320, 412 * 320, False)
    behind = [point for point in feed.of("point") if point["end"] > gap["start"]]
    assert {point["concealed_ms"] for point in behind} == {0.0}
    assert not [point for point in behind if point["label"] and point["start"] < gap["end"] < point["end"]]
