"""A virtual clock and a scripted sound device that keeps PortAudio's rules."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from stream_ser.audio.devices import Callback, InputDevice
from stream_ser.audio.microphone import REOPEN_THREAD
from stream_ser.errors import SourceError

SECOND = 1_000_000_000


class VirtualClock:
    """Time passes only while someone waits; what was planned for a moment happens at it, in a thread of its own."""

    def __init__(self, now_ns: int = 5_000 * SECOND) -> None:
        self._now = now_ns
        self._plans: list[tuple[int, int, Callable[[], None]]] = []
        self._planned = 0
        self._lock = threading.Lock()

    def now_ns(self) -> int:
        return self._now

    def at(self, ns: int, action: Callable[[], None]) -> None:
        with self._lock:
            self._planned += 1
            heapq.heappush(self._plans, (ns, self._planned, action))

    def _due(self, deadline: int | None) -> Callable[[], None] | None:
        """Take the next plan up to ``deadline`` and go to its moment."""
        with self._lock:
            if not self._plans or (deadline is not None and self._plans[0][0] > deadline):
                return None
            ns, _, action = heapq.heappop(self._plans)
        self._now = max(self._now, ns)
        return action

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        for thread in threading.enumerate():
            if thread.name == REOPEN_THREAD:  # else virtual hours would pass while a real thread starts
                thread.join(0.2)
        deadline = None if seconds is None else self._now + round(seconds * SECOND)
        while not event.is_set():
            action = self._due(deadline)
            if action is not None:
                thread = threading.Thread(target=action, name="portaudio")
                thread.start()
                thread.join()
            elif deadline is None:
                raise AssertionError("waits for ever: nothing is planned and there is no time limit")
            else:
                self._now = max(self._now, deadline)
                return event.is_set()
        return True


@dataclass(frozen=True)
class Flags:
    """CallbackFlags as far as a microphone reads them."""

    input_overflow: bool = False


@dataclass(frozen=True)
class Say:
    """One callback at ``after_s`` from the opening of the device. ``data`` is (frames, channels)."""

    after_s: float
    data: np.ndarray
    overflow: bool = False


@dataclass
class ScriptedStream:
    """What :class:`ScriptedBackend` opened."""

    on_close: Callable[[], None]
    closed: bool = False

    def close(self) -> None:
        self.on_close()
        self.closed = True


@dataclass
class ScriptedBackend:
    """Each opening takes the next script: a list of callbacks, or the error that opening raises.

    The block that is handed to the callback is reused and spoiled after it, as PortAudio does with its own.
    """

    clock: VirtualClock
    scripts: list[list[Say] | SourceError]
    inputs: list[InputDevice] = field(default_factory=lambda: [microphone()])
    streams: list[ScriptedStream] = field(default_factory=list)
    rescans: int = 0
    on_close: Callable[[], None] = lambda: None
    on_open: Callable[[], None] = lambda: None

    def devices(self) -> list[InputDevice]:
        return self.inputs

    def rescan(self) -> None:
        assert all(stream.closed for stream in self.streams), "PortAudio cannot be restarted under an open stream"
        self.rescans += 1

    def open(self, device: InputDevice, callback: Callback) -> ScriptedStream:
        self.on_open()
        script = self.scripts.pop(0) if self.scripts else SourceError(f"{device.name} is gone", fix="connect it")
        if isinstance(script, SourceError):
            raise script
        stream = ScriptedStream(self.on_close)
        self.streams.append(stream)
        opened = self.clock.now_ns()
        for say in script:
            self.clock.at(opened + round(say.after_s * SECOND), lambda say=say: self._call(stream, callback, say))
        return stream

    def _call(self, stream: ScriptedStream, callback: Callback, say: Say) -> None:
        if stream.closed:
            return
        block = say.data.astype(np.float32)
        callback(block, len(block), None, Flags(say.overflow))
        block[:] = np.nan


def microphone(name: str = "USB mic", rate: int = 16_000, channels: int = 1, index: int = 3) -> InputDevice:
    return InputDevice(index=index, name=name, host="ALSA", channels=channels, rate=rate, default=True)


def steady(seconds: float, rate: int = 16_000, block: int = 320, first: int = 0, channels: int = 1) -> list[Say]:
    """Blocks on time whose samples count up, so that order and overlap can be seen."""
    return [
        Say(
            (at + block) / rate,
            np.repeat(
                np.arange(first + at + 1, first + at + block + 1, dtype=np.float32)[:, None] * 1e-6, channels, axis=1
            ),
        )
        for at in range(0, round(seconds * rate) - block + 1, block)
    ]
