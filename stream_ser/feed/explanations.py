"""Explanation of a point: what it rests on, as a message for those who asked, and how a hub hands it on.

A ``why`` message has no number of its own, like a hello: it is not part of the trajectory. A hub keeps the newest explanation
of a stream until its point is given to subscribers, and a subscription the newest until it is taken; nobody keeps more, no
history has any, and no sink sees one. The functions here are pure; any thread may call them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from stream_ser.feed.message_types import ExplanationMessage, PictureMessage, PictureName
from stream_ser.feed.messages import StreamInfo, heading
from stream_ser.types import Point

ExplanationDetail = Literal["attention", "spectrogram"]  # maps alone, or with the sound as a picture


class ExplanationSource(Protocol):
    """What one point rests on, made into a message by whoever takes it. Any thread may ask, and it may take a millisecond."""

    def message(self, seq: int, asked: ExplanationDetail) -> ExplanationMessage:
        """The ``why`` message for one who has everything up to number ``seq``."""


def why(
    info: StreamInfo, point: Point, maps: Iterable[PictureMessage], spectrogram: PictureMessage | None
) -> ExplanationMessage:
    """Say what a point rests on, for those who asked: attention maps and, where that was asked for, a spectrogram.

    ``maps`` and ``spectrogram`` are made by ``picture``.
    """
    return {
        "type": "why",
        "seq": 0,
        **heading(info, point),
        "maps": list(maps),
        "spectrogram": spectrogram,
    }


def picture(
    name: PictureName,
    of: str | None,
    values: npt.NDArray[np.uint8],
    edges_hz: Sequence[float] | None,
    seconds: tuple[float, float],
    between: tuple[float, float],
) -> PictureMessage:
    """A map or spectrogram (rows, columns), lowest frequency and oldest column first, for ``why``.

    ``of`` is the label whose scores a map holds; ``edges_hz`` the rows + 1 edges, None for one row of all frequencies;
    ``seconds`` where the columns begin and end, from the window's first sample; ``between`` what bytes 0 and 255 stand for.
    """
    rows, columns = values.shape
    return {
        "name": name,
        "of": of,
        "rows": rows,
        "columns": columns,
        "hz": None if edges_hz is None else [round(float(hz), 1) for hz in edges_hz],
        "seconds": [round(float(second), 4) for second in seconds],
        "low": float(between[0]),
        "high": float(between[1]),
        "values": base64.b64encode(np.ascontiguousarray(values).tobytes()).decode(),
    }
