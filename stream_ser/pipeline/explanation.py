"""Explanation of a point: the model's attention maps for its window, and the window's sound as a coarse spectrogram.

An ``Explanation`` keeps what its message is made of, and makes it when somebody takes it: in the taker's thread, once for all
takers. So whoever publishes a point does nothing for it but keep a reference, and what is replaced before anybody took it
costs nothing. Thread ownership: any thread may ask for messages; a lock of its own is held while one is made.

Attention says where a network looked. It does not say why a voice sounds as it does, and moving it need not change the label;
``docs/why.md`` has more.
"""

from __future__ import annotations

import threading
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stream_ser.audio.spectrogram import HIGH_DB, LOW_DB, spectrogram
from stream_ser.feed.explanations import ExplanationDetail, picture, why
from stream_ser.feed.message_types import ExplanationMessage, PictureMessage, PictureName
from stream_ser.feed.messages import StreamInfo
from stream_ser.types import SAMPLE_RATE, Hop, Observation, Point, Samples
from stream_ser_models.card import Card
from stream_ser_models.places import places

MOST_ROWS, MOST_COLUMNS = 40, 50  # of a map as it is sent: neighbouring cells are averaged until it fits
# Alone, a map is for those who may not have the sound. TF-CNN's top-down map follows loud voices cell by cell; in columns of
# 200 ms it is too slow for the rise and fall of syllables, without which nobody understands speech.
COLUMNS_ALONE = 10

Map = npt.NDArray[np.float32]


class Curious(Protocol):
    """Knows whether anybody asks: a hub."""

    def asks_why(self, stream: str) -> bool:
        """Whether somebody wants to know what the points of this stream rest on."""


def explain(
    hub: Curious, info: StreamInfo, card: Card, point: Point, hop: Hop, observation: Observation | None
) -> Explanation | None:
    """What a point rests on; None where nobody asks, and where the model was not asked."""
    if observation is None or hop.window is None or not hub.asks_why(info.stream):
        return None
    return Explanation(info, card, point, observation, hop.window.samples)


class Explanation:
    """What one point rests on. ``samples`` are its window's."""

    def __init__(self, info: StreamInfo, card: Card, point: Point, observation: Observation, samples: Samples) -> None:
        self._info, self._card, self._point = info, card, point
        self._observation, self._samples = observation, samples
        self._lock = threading.Lock()
        self._made: dict[ExplanationDetail, ExplanationMessage] = {}

    def message(self, seq: int, asked: ExplanationDetail) -> ExplanationMessage:
        """See ``ExplanationSource``."""
        with self._lock:
            if asked not in self._made:
                sound = self._spectrogram() if asked == "spectrogram" else None
                maps = self._maps(COLUMNS_ALONE if sound is None else MOST_COLUMNS)
                self._made[asked] = why(self._info, self._point, maps, sound)
            made: ExplanationMessage = {**self._made[asked], "seq": seq}
            return made

    def _maps(self, most_columns: int) -> list[PictureMessage]:
        seen = self._observation
        likeliest = self._info.labels[int(np.argmax(seen.logits))]
        maps: list[PictureMessage] = []
        if seen.attention is not None:
            maps += self._map("attention" if seen.top_down is None else "bottom_up", None, seen.attention, most_columns)
        if seen.top_down is not None:
            maps += self._map("top_down", likeliest, seen.top_down, most_columns)
        return maps

    def _map(self, name: PictureName, of: str | None, values: Map, most_columns: int) -> list[PictureMessage]:
        where = places(self._card.architecture, self._card.config, (values.shape[0], values.shape[1]))
        if where is None or not np.isfinite(values).all():
            return []
        if where.halves:
            values = values.reshape(2, -1, values.shape[1]).sum(axis=0)
        rows, columns = values.shape
        tall, wide = -(-rows // MOST_ROWS), -(-columns // most_columns)
        small = _mean_of(_mean_of(values, tall, 0), wide, 1)
        edges = None if where.edges_hz is None else (*where.edges_hz[:-1:tall], where.edges_hz[-1])
        seconds = (where.begin_s, where.begin_s + (where.end_s - where.begin_s) * small.shape[1] * wide / columns)
        low, high = (0.0 if of is None else float(small.min())), float(small.max())
        share = (small - low) / (high - low) if high > low else np.zeros_like(small)
        return [picture(name, of, np.rint(255.0 * share).astype(np.uint8), edges, seconds, (low, high))]

    def _spectrogram(self) -> PictureMessage:
        found = spectrogram(self._samples)
        length = len(self._samples) / SAMPLE_RATE
        return picture("spectrogram", None, found.levels, found.edges_hz, (0.0, length), (LOW_DB, HIGH_DB))


def _mean_of(values: Map, count: int, axis: int) -> Map:
    """Means of that many neighbours along an axis; of fewer at its end."""
    starts = np.arange(0, values.shape[axis], count)
    sizes = np.diff(np.append(starts, values.shape[axis]))
    return np.asarray(np.add.reduceat(values, starts, axis=axis) / (sizes[:, None] if axis == 0 else sizes), np.float32)
