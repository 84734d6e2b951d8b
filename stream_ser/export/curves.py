"""The numbers of one stream's points as arrays, thinned where there are more than a picture can show. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_ser.feed.message_types import Message, PointMessage
from stream_ser.types import SAMPLE_RATE

Values = npt.NDArray[np.float64]
COLUMNS = 2_000  # more differ in nothing that an eye can see


@dataclass(frozen=True, slots=True)
class Curves:
    """Points in order of time. NaN breaks a line: sound is missing there, or the model was not asked."""

    seconds: Values  # (n,)
    smoothed: dict[str, Values]  # (n,) for each label
    heard: dict[str, Values]  # the same, only where the model was asked
    dimensions: dict[str, Values]  # (n,) for each dimension
    each: int  # how many points a value is the mean of


class Gatherer:
    """Takes a stream's messages one by one; 8 bytes a number are kept."""

    def __init__(self) -> None:
        self._seconds = array("d")
        self._asked = array("d")
        self._smoothed: dict[str, array[float]] = {}
        self._dimensions: dict[str, array[float]] = {}

    def __call__(self, messages: Iterable[Message]) -> Iterable[Message]:
        """Hand the messages on, and keep their numbers."""
        for message in messages:
            if message["type"] == "hello":
                self._smoothed = self._smoothed or {label: array("d") for label in message["labels"]}
                self._dimensions = self._dimensions or {name: array("d") for name in message["dimensions"]}
            elif message["type"] == "point":
                lost = message["state"] in ("stale", "paused", "warming")
                self._add(message, lost)
            yield message

    def curves(self, columns: int = COLUMNS) -> Curves:
        """What has come, as at most about ``columns`` values."""
        each = max(1, -(-len(self._seconds) // columns))
        asked = np.frombuffer(self._asked) if self._asked else np.empty(0)
        smoothed = {label: _thin(np.array(values), each) for label, values in self._smoothed.items()}
        heard = {label: _thin(np.array(values) * asked, each) for label, values in self._smoothed.items()}
        dimensions = {name: _thin(np.array(values), each) for name, values in self._dimensions.items()}
        return Curves(_thin(np.array(self._seconds), each), smoothed, heard, dimensions, each)

    def _add(self, message: PointMessage, lost: bool) -> None:
        self._seconds.append(message["end"] / SAMPLE_RATE)
        self._asked.append(np.nan if any(p is None for p in message["raw"].values()) else 1.0)
        for label, values in self._smoothed.items():
            values.append(np.nan if lost else message["smoothed"][label])
        for name, values in self._dimensions.items():
            value = message["dimensions"][name]
            values.append(np.nan if value is None else value)


def _thin(values: Values, each: int) -> Values:
    """Means of ``each`` values in a row; NaN only where all of them are."""
    if each == 1:
        return values
    padded = np.full(-(-len(values) // each) * each, np.nan)
    padded[: len(values)] = values
    rows = padded.reshape(-1, each)
    counts = np.sum(~np.isnan(rows), axis=1)
    sums = np.nansum(rows, axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
