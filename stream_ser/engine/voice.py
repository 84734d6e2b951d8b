"""What is known of each voice before a window: the running sums that a caller's baseline is made of. Pure; the worker's thread.

A network on a pre-trained encoder gives, with each window, the window's own mean frame (``voice``). Earlier ones, each times
the seconds of speech that were new in it, add up to ``total`` and ``seconds``; the network makes the baseline of them
(``stream_ser_models.frames`` has the formula). Invariants:

- A window is asked with windows that ended before it began, never with itself or what overlaps it: what overlaps waits here.
- So what is known depends on the stream's earlier sound and its hop alone, not on speed, blocks or neighbours.
- Silence adds nothing, for windows without speech are never asked. Sums fade beyond ``VOICE_CAP_S``.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from stream_ser.types import Samples, Window
from stream_ser_models.card import VOICE_CAP_S


class Voice(NamedTuple):
    """What is known of the voices of a batch of windows."""

    total: Samples  # (batch, width): sum of earlier windows' mean frames, each times its seconds of new speech
    seconds: Samples  # (batch,)


class _Sums:
    """One stream's sums, and the windows that are too new to be among them."""

    __slots__ = ("newer", "seconds", "total")

    def __init__(self, width: int) -> None:
        self.total = np.zeros(width, dtype=np.float32)
        self.seconds = np.float32(0.0)
        self.newer: deque[tuple[int, Samples, float]] = deque()  # end, mean frame, seconds; at most a window's worth

    def until(self, sample: int) -> None:
        """Count what ended at ``sample`` or before."""
        while self.newer and self.newer[0][0] <= sample:
            _, voice, seconds = self.newer.popleft()
            self.total = self.total + np.float32(seconds) * voice
            self.seconds = np.float32(self.seconds + np.float32(seconds))
            if self.seconds > VOICE_CAP_S:
                share = np.float32(VOICE_CAP_S) / self.seconds
                self.total, self.seconds = self.total * share, np.float32(VOICE_CAP_S)


class Voices:
    """The sums of all streams that the worker knows. ``width`` is the encoder's; 0 for models that know no voices."""

    def __init__(self) -> None:
        self._streams: dict[str, _Sums] = {}

    def known(self, windows: list[Window], width: int) -> Voice:
        """What is known before each window."""
        total = np.zeros((len(windows), width), dtype=np.float32)
        seconds = np.zeros(len(windows), dtype=np.float32)
        for row, window in enumerate(windows):
            sums = self._streams.get(window.stream)
            if sums is not None:
                sums.until(window.start)
                total[row], seconds[row] = sums.total, sums.seconds
        return Voice(total, seconds)

    def heard(self, window: Window, voice: Samples) -> None:
        """Keep a window's own mean frame (width,) for the windows after it."""
        if window.voice_s > 0.0:
            sums = self._streams.setdefault(window.stream, _Sums(len(voice)))
            sums.newer.append((window.end, np.array(voice, dtype=np.float32), window.voice_s))

    def release(self, stream: str) -> None:
        """Forget a stream, known or not."""
        self._streams.pop(stream, None)
