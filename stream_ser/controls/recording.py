"""A recording at the screen: its speed and its place can be changed.

Threads as in :mod:`stream_ser.controls.local_stream`. The speed changes nothing but when points come. **A seek is another
stream**: sound that was not played is no gap, and a trajectory that went on as if nothing had happened would be false. The new
stream begins with sample 0 at the chosen place, and its hello says where that is in the recording (``source.offset_s``). That
is a whole number of hops, so that a screen can keep the results of all of them side by side.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from stream_ser.audio.recording import Recording
from stream_ser.audio.source import Source
from stream_ser.controls.envelope import Envelope
from stream_ser.controls.local_stream import StreamController
from stream_ser.pipeline.runtime import Runtime
from stream_ser.types import SAMPLE_RATE

ENVELOPE_BLOCK = 4000  # samples: a quarter of a second


class RecordingController(StreamController):
    """Begins with ``recording``, which was opened from ``path``."""

    whole = False

    def __init__(self, runtime: Runtime, recording: Recording, path: Path) -> None:
        self._speed = recording.speed
        self._recording = recording
        self._target: float | None = None  # the place that a waiting command goes to, s
        self._aiming = threading.Lock()
        self._envelope = Envelope(lambda: recording.again(0.0, None, ENVELOPE_BLOCK))
        super().__init__(runtime, recording, path.name)

    def close(self) -> None:
        """End the stream, the files and the threads."""
        self._envelope.close()
        super().close()

    @property
    def envelope(self) -> Sequence[float]:
        """How loud the whole recording is; see :class:`stream_ser.controls.capabilities.Enveloped`."""
        return self._envelope.levels

    @property
    def speed(self) -> float | None:
        """Times real time; None for as fast as it goes."""
        return self._speed

    def set_speed(self, speed: float) -> None:
        """Go on at another speed."""
        self._speed = speed
        self._recording.set_speed(speed)

    @property
    def place_s(self) -> float:
        """What is being played, s from the recording's beginning."""
        return self._recording.info.offset_s + self._session.position / SAMPLE_RATE

    @property
    def length_s(self) -> float | None:
        """How long the recording is, s."""
        return self._recording.info.duration_s

    def seek(self, to_s: float) -> None:
        """Go on at another place, as another stream."""
        with self._aiming:
            self._aim(to_s)

    def skip(self, by_s: float) -> None:
        """Go on so much further or back, as another stream; what is asked for while that is done adds up."""
        with self._aiming:
            self._aim((self.place_s if self._target is None else self._target) + by_s)

    def _aim(self, to_s: float) -> None:
        waiting = self._target is not None
        hop_s = self._runtime.hop / SAMPLE_RATE  # on one grid with what was heard before, results share its places
        self._target = max(0.0, round(to_s / hop_s) * hop_s)
        if not waiting and not self._order(self._go):
            self._target = None

    def _go(self) -> None:
        with self._aiming:
            to_s, self._target = self._target or 0.0, None
        self._end(f"going to {to_s:.1f} s of the recording: another stream begins")
        self._begin(self._opener(to_s))

    def _opener(self, begin_s: float) -> Callable[[], Source]:
        def opened() -> Source:
            self._recording = self._recording.again(begin_s, self._speed)
            return self._recording

        return opened

    def _again(self) -> Source:
        return self._opener(self.place_s)()

    def _again_at(self, place: int) -> Callable[[], Source]:
        return self._opener(self._recording.info.offset_s + place / SAMPLE_RATE)
