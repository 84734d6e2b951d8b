"""A model as streams use it: its folder, its card, the hop between two windows, and the workers that run it."""

from __future__ import annotations

from stream_ser.engine.loading import fallback_chain, load_card
from stream_ser.engine.schedule import hop_samples
from stream_ser.engine.worker import LIMIT
from stream_ser.engine.worker_pool import WorkerPool


class LoadedModel:
    """The model called ``name``, for at most ``streams`` streams that ask every ``hop_s`` seconds, on ``threads`` of the CPU.

    Its workers are not started. ``hop_option`` is what a person calls the hop where they set it. Raises EngineError where there
    is no such model or engine, ConfigError where the hop does not fit the model's window.
    """

    def __init__(
        self,
        name: str,
        engine: str,
        hop_s: float,
        streams: int = LIMIT,
        *,
        threads: int = 1,
        hop_option: str = "--hop",
    ) -> None:
        self.folder, self.card = load_card(name)
        self.hop = hop_samples(hop_s, self.card.window_samples, hop_option)
        chain = fallback_chain(self.folder, self.card, engine, hop=self.hop, streams=streams)
        self.worker = WorkerPool(chain, threads, limit=streams)
