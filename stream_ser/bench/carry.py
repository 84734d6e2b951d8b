"""How many live streams one worker carries at each hop, whole and in steps."""

from __future__ import annotations

from typing import Any

from stream_ser.bench.costs import Make, best_ms
from stream_ser.bench.crowd import Crowd, cut
from stream_ser.bench.job import Effort, in_samples
from stream_ser.bench.search import largest, reach
from stream_ser.engine.worker import Worker
from stream_ser_models.card import Card, probe_tokens

SHARE = 0.8  # of what the cost of a window allows: where the search begins


def carried(make: Make, card: Card, cost: dict[str, Any], effort: Effort) -> list[dict[str, Any]]:
    """One row a hop and way. ``cost`` is the engine's, from ``engine_costs``. Raises EngineError when the engine fails."""
    ways = [(hop, False) for hop in effort.whole_hops_s]
    ways += [(hop, True) for hop in effort.hops_s if best_ms(cost, hop) is not None]
    return [
        carried_at(make, card, hop, steps, best_ms(cost, hop if steps else None) or 0.0, effort) for hop, steps in ways
    ]


def carried_at(make: Make, card: Card, hop_s: float, steps: bool, each_ms: float, effort: Effort) -> dict[str, Any]:
    """The largest crowd that passed and the smallest that failed, with a worker of its own.

    ``each_ms`` is what a window is expected to take.
    """
    hop = in_samples(hop_s)
    start = max(int(SHARE * hop_s * 1e3 / each_ms), 1)
    room = reach(start, effort.crowds)
    worker = Worker(lambda: make(hop if steps else 0, room), limit=room)
    worker.start()
    try:
        tokens = probe_tokens(worker.token_count) if worker.token_count else None
        crowd = Crowd(worker, cut(card, hop), hop, steps=steps, tokens=tokens)
        passed, failed = largest(start, effort.crowds, lambda streams: crowd.trial(streams, effort.crowd_s))
    finally:
        worker.stop()
    row: dict[str, Any] = {
        "hop_s": hop_s,
        "steps": steps,
        "carried": passed.streams if passed else 0,
        "not_carried": failed.streams if failed else None,
    }
    if passed is not None:
        row |= {
            "age_p50_ms": round(passed.p50_ms, 2),
            "age_p99_ms": round(passed.p99_ms, 2),
            "fed_late_p99_ms": round(passed.late_p99_ms, 2),
        }
    return row


def one_crowd(make: Make, card: Card, effort: Effort) -> dict[str, Any]:
    """What becomes of ``effort.streams`` streams at the first hop, whole windows. Raises EngineError when the engine fails."""
    hop_s = effort.whole_hops_s[0]
    hop = in_samples(hop_s)
    worker = Worker(lambda: make(0, effort.streams), limit=effort.streams)
    worker.start()
    try:
        tokens = probe_tokens(worker.token_count) if worker.token_count else None
        found = Crowd(worker, cut(card, hop), hop, steps=False, tokens=tokens).trial(effort.streams, effort.crowd_s)
    finally:
        worker.stop()
    return {
        "hop_s": hop_s,
        "streams": found.streams,
        "answered": found.answered,
        "dropped": found.dropped,
        "windows_s": round(found.served / hop_s, 1),
        "age_p50_ms": round(found.p50_ms, 2),
        "age_p99_ms": round(found.p99_ms, 2),
        "fed_late_p99_ms": round(found.late_p99_ms, 2),
    }
