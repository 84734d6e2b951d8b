"""A backend and its stepper that keep account of what they were asked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream_ser.bench.costs import Make
from stream_ser.engine.backend import Backend, Output
from stream_ser.types import Samples
from stream_ser_models.card import Card, read_card
from tests.conftest import ROOT


class FakeStepper:
    """Takes hops in ``hops``; streams must begin afresh, and their sound must follow on: its first sample says where."""

    def __init__(self, *hops: int) -> None:
        self.hops = hops
        self.known: set[str] = set()
        self.asked: list[tuple[int, int, bool]] = []  # streams, samples, fresh

    def fits(self, hop: int) -> bool:
        return hop in self.hops

    def step(self, streams: Sequence[str], fresh: Sequence[bool], sound: Samples) -> Output:
        assert len(streams) == len(fresh) == len(sound)
        self.known |= {stream for stream, new in zip(streams, fresh, strict=True) if new}
        assert self.known.issuperset(streams)
        self.asked.append((len(streams), sound.shape[1], fresh[0]))
        return Output(np.zeros((len(streams), 4), dtype=np.float32), None)

    def release(self, stream: str) -> None:
        self.known.discard(stream)


def always(backend: Backend) -> Make:
    """An engine that is whatever it is prepared for."""

    def make(hop: int, streams: int) -> Backend:
        return backend

    return make


def any_card() -> Card:
    return read_card(ROOT / "models" / "stream_ser_models" / "shipped" / "cnn-bilstm")
