"""What a stream's hello says, put together from its source, its model and the engine that runs it."""

from __future__ import annotations

from stream_ser.engine.worker_pool import Workers
from stream_ser.feed.messages import StreamInfo
from stream_ser.types import Role, SourceInfo
from stream_ser_models.card import Card


def introduce(
    info: SourceInfo,
    card: Card,
    worker: Workers,
    stream: str,
    hop: int,
    text: str | None,
    show_text: bool,
    call: str | None,
    role: Role | None,
) -> StreamInfo:
    """The stream called ``stream``; ``text`` names its recogniser, ``hop`` is in samples, ``call`` and ``role`` are a leg's."""
    return StreamInfo(
        stream=stream,
        labels=tuple(card.labels),
        window=card.window_samples,
        hop=hop,
        model_name=card.name,
        model_digest=card.digest,
        engine=worker.engine,
        passed_over=tuple((step.engine, step.reason) for step in worker.steps_down),
        source=info,
        dimensions=tuple(card.dimensions),
        text=text,
        show_text=show_text,
        call=call,
        role=role,
    )
