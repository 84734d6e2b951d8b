"""All parts of the bench in one run, one after the other, each in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from stream_ser.bench import machine
from stream_ser.bench.carry import carried, one_crowd
from stream_ser.bench.costs import add_rates, engine_costs
from stream_ser.bench.front_end import front_end_share
from stream_ser.bench.job import Effort, Job
from stream_ser.bench.live import live_cost
from stream_ser.bench.peers import PEERS, compare, peer_cost
from stream_ser.bench.stream import start_to_ready, stream_cost, words_cost
from stream_ser.engine.backend import Backend
from stream_ser.engine.loading import CUDA, FALLBACK_ORDER, fallback_chain, load_backend, load_card
from stream_ser.errors import EngineError, StreamSerError
from stream_ser.types import SAMPLE_RATE

FOLDERS = re.compile(r"(?<![\w.:/])(?:[A-Za-z]:)?(?:[\\/][^\\/\s:;,'\"]+)*[\\/](?=[^\\/\s])")  # of an absolute path
STEPPING = "mscnn-stream"  # the shipped model that computes only what a hop adds
PATIENCE_S = 300.0  # for one part; the longest takes a minute on an idle core


def bench(
    model: str,
    engine: str,
    recording: Path,
    *,
    peers: bool = False,
    effort: Effort | None = None,
    tell: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Measure one engine, or with ``auto`` every one that can be had, and list those that cannot with their reasons.

    ``tell`` hears what is measured next. Raises EngineError where a part other than an engine or a peer fails, as for a
    recording in which nobody speaks.
    """
    began = time.perf_counter()

    def job(part: str, name: str = "") -> Job:
        if tell is not None:
            tell(f"{part} {name}".rstrip())
        return Job(part, model, name, str(recording), effort or Effort())

    stream, device = _part(job("stream", engine)), _part(job("machine"))
    engines = [part_or_why(job("engine", name)) for name in (FALLBACK_ORDER if engine == "auto" else (engine,))]
    hop_by_hop: dict[str, Any] | None = None
    if not any(cost.get("steps") for cost in engines):  # what the model cannot do is shown on the one that can
        steps = replace(effort or Effort(), hops_s=(0.1, 0.25), whole_hops_s=(0.25,), crowds=2)
        asked = replace(job("engine", "onnx"), model=STEPPING, effort=steps)
        hop_by_hop = {"model": STEPPING, **part_or_why(asked)}
    others = [part_or_why(job("peer", name)) for name in PEERS] if peers else None
    card = load_card(model)[1]
    for cost in engines:
        if "unavailable" not in cost:
            add_rates(cost, card.macs, device["ceiling_gflops"]["cuda" if cost["engine"] in CUDA else "cpu"])
    beside = next((cost for cost in engines if "unavailable" not in cost and cost["engine"] not in CUDA), None)
    for other in others or ():
        if beside is not None:
            compare(other, beside, beside["steps"] or (hop_by_hop or {}).get("steps", []))
    return {
        "machine": device,
        "model": {
            "name": card.name,
            "parameters": card.parameters,
            "macs": card.macs,
            "window_s": card.window_samples / SAMPLE_RATE,
        },
        "engines": engines,
        "hop_by_hop": hop_by_hop,
        "peers": others,
        **stream,
        "took_s": round(time.perf_counter() - began, 1),
    }


def count_parts(engine: str, peers: bool) -> int:
    """How often ``tell`` is called; once less for a model that is computed hop by hop itself."""
    return 3 + (len(FALLBACK_ORDER) if engine == "auto" else 1) + (len(PEERS) if peers else 0)


def child(text: str) -> None:
    """Do one job, given as JSON, in this process, and print what was found; ``{"error": ...}`` for what a person is told."""
    asked = json.loads(text)
    job = Job(**{**asked, "effort": Effort(**asked["effort"])})
    pinned = machine.pin_to_one_core()
    try:
        found = {"machine": _machine, "engine": _costs, "crowd": _crowd, "stream": _stream, "peer": _peer}[job.part](
            job
        )
    except StreamSerError as error:
        found = {"error": {"what": error.what, "fix": error.fix}}
    if job.part == "machine":
        found["pinned"] = pinned
    print(json.dumps(found))


def _part(job: Job) -> dict[str, Any]:
    """Run a job in a fresh process. Raises EngineError with what it said, or with how it ended."""
    call = [sys.executable, "-m", "stream_ser.bench", json.dumps(asdict(job))]
    environment = {**os.environ, **machine.ONE_THREAD}
    try:
        done = subprocess.run(call, capture_output=True, text=True, check=False, env=environment, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"measuring took more than {PATIENCE_S:g} s", fix="see stream-ser doctor") from error
    if done.returncode:
        told = done.stderr.strip().splitlines() or [f"code {done.returncode}"]
        raise EngineError(f"the measuring process ended with {told[-1]}", fix="see stream-ser doctor")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])  # libraries may have said something before
    if "error" in found:
        raise EngineError(found["error"]["what"], fix=found["error"]["fix"])
    return found


def part_or_why(job: Job) -> dict[str, Any]:
    """An engine's or a peer's figures, or why there are none: the end of one is not the bench's."""
    try:
        return {job.part: job.name, **_part(job)}
    except EngineError as error:
        why = FOLDERS.sub(
            "", error.what.removeprefix(f"{job.name}: ")
        )  # results are shown around, and folders are private
        return {job.part: job.name, "unavailable": why}


# What each part does, in its own process


def _machine(job: Job) -> dict[str, Any]:
    return {**machine.describe(), "ceiling_gflops": machine.ceilings(job.effort.loop_s / 4)}


def _costs(job: Job) -> dict[str, Any]:
    folder, card = load_card(job.model)

    def make(hop: int, streams: int) -> Backend:
        return fallback_chain(folder, card, job.name, hop=hop, streams=streams).next()

    cost = engine_costs(make, card, job.effort)
    share = front_end_share(folder, card) if job.name == "onnx" else None
    cost["front_end_share"] = None if share is None else round(share, 4)
    cost["streams"] = carried(make, card, cost, job.effort)
    return cost


def _crowd(job: Job) -> dict[str, Any]:
    folder, card = load_card(job.model)

    def make(hop: int, streams: int) -> Backend:
        return fallback_chain(folder, card, job.name, hop=hop, streams=streams).next()

    return one_crowd(make, card, job.effort)


def _stream(job: Job) -> dict[str, Any]:
    recording = Path(job.recording)
    stream = stream_cost(recording, job.model, job.name)  # first, so that peak memory is the stream's own
    ready = [start_to_ready(job.model, job.name) for _ in range(job.effort.starts)]
    words = words_cost(recording) if "tokens" in load_card(job.model)[1].inputs else None
    live = live_cost(recording, job.model, job.name, job.effort.live_s)
    return {"start_to_ready_s": round(min(ready), 3), "stream": stream, "live": live, "words": words}


def _peer(job: Job) -> dict[str, Any]:
    folder, card = load_card(job.model)
    try:
        ours: Backend | None = load_backend(folder, card, "onnx")
    except EngineError:  # the peer is there without it
        ours = None
    return peer_cost(PEERS[job.name], card, job.effort.loop_s, ours)
