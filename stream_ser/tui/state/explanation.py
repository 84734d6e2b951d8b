"""What a point rests on, as pixels: a ``why`` message decoded, and its pictures sampled on one grid of time and frequency.

Pure, no Textual. All pictures share one frequency axis, the spectrogram's, which is even in mels; maps have other rows and
often end lower, and are nothing where their network does not hear.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_ser.feed.message_types import ExplanationMessage, PictureMessage
from stream_ser.types import SAMPLE_RATE
from stream_ser_models.mel import mel_corners

Values = npt.NDArray[np.float32]

AXIS_HZ = tuple(float(hz) for hz in mel_corners(31, SAMPLE_RATE / 2.0))  # where no spectrogram came; its axis
FLOOR_DB = 55.0  # below a window's loudest cell: what is quieter is drawn as silence


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Values (rows, columns) of a map or a spectrogram and where they lie. Compared by identity."""

    name: str
    of: str | None  # the label whose scores these are
    values: Values
    edges_hz: tuple[float, ...] | None  # None where the one row is all frequencies
    begin_s: float  # from the window's first sample
    end_s: float

    @property
    def strength(self) -> Values:
        """From 0 to 1: for weights of the largest, for scores of the highest above zero, for levels above the floor."""
        highest = float(self.values.max())
        if self.name == "spectrogram":
            share = (self.values - (highest - FLOOR_DB)) / FLOOR_DB
        else:
            share = self.values / highest if highest > 0.0 else np.zeros_like(self.values)
        return np.asarray(np.clip(share, 0.0, 1.0), np.float32)

    def peak(self) -> tuple[float, float | None]:
        """Where the strongest cell is: seconds from the window's first sample, and Hz or None."""
        row, column = np.unravel_index(int(self.values.argmax()), self.values.shape)
        at_s = self.begin_s + (self.end_s - self.begin_s) * (float(column) + 0.5) / self.values.shape[1]
        return at_s, None if self.edges_hz is None else (self.edges_hz[int(row)] + self.edges_hz[int(row) + 1]) / 2.0

    def sampled(self, rows_hz: Values, columns_s: Values) -> Values:
        """Strength (rows, columns) at frequencies and at seconds from the window's first sample; 0 where there is none."""
        width = self.values.shape[1]
        columns = np.floor((columns_s - self.begin_s) / (self.end_s - self.begin_s) * width).astype(np.intp)
        if self.edges_hz is None:
            rows = np.zeros(len(rows_hz), np.intp)
        else:
            rows = np.searchsorted(np.asarray(self.edges_hz), rows_hz, side="right") - 1
        height = self.values.shape[0]
        inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
        found = self.strength[np.clip(rows, 0, height - 1)[:, None], np.clip(columns, 0, width - 1)]
        return np.where(inside, found, np.float32(0.0)).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Reason:
    """What one point rests on. Compared by identity."""

    begin_s: float  # of the window, from the recording's beginning
    end_s: float
    end: int  # sample
    state: str
    label: str | None
    confidence: float
    maps: tuple[Picture, ...]
    spectrogram: Picture | None

    def rows_hz(self, count: int) -> Values:
        """Frequencies of ``count`` rows, highest first, evenly spread over the common axis."""
        axis = np.asarray(AXIS_HZ if self.spectrogram is None else self.spectrogram.edges_hz)
        places = (np.arange(count)[::-1] + 0.5) / count * (len(axis) - 1)
        return np.asarray(np.interp(places, np.arange(len(axis)), axis), np.float32)

    def columns_s(self, count: int) -> Values:
        """Seconds from the window's first sample of ``count`` columns."""
        return np.asarray((np.arange(count) + 0.5) / count * (self.end_s - self.begin_s), np.float32)


def read(message: ExplanationMessage, sample_rate: int, offset_s: float = 0.0) -> Reason:
    """Decode a ``why`` message of a stream that began at ``offset_s`` of its recording."""
    sound = message["spectrogram"]
    return Reason(
        begin_s=offset_s + message["start"] / sample_rate,
        end_s=offset_s + message["end"] / sample_rate,
        end=message["end"],
        state=message["state"],
        label=message["label"],
        confidence=message["confidence"],
        maps=tuple(_picture(each) for each in message["maps"]),
        spectrogram=None if sound is None else _picture(sound),
    )


def _picture(told: PictureMessage) -> Picture:
    cells = np.frombuffer(base64.b64decode(told["values"]), np.uint8).reshape(told["rows"], told["columns"])
    values = told["low"] + cells * np.float32((told["high"] - told["low"]) / 255.0)
    hz, (begin, end) = told["hz"], told["seconds"]
    return Picture(told["name"], told["of"], values.astype(np.float32), None if hz is None else tuple(hz), begin, end)
