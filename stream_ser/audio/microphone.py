"""Live sound from a microphone, with every loss told and a device that may come and go.

Three threads meet here. PortAudio's own calls the callback, which only copies (``capture.py``). The thread that
iterates takes the blocks, finds losses and resamples. When no callback came for half a second it declares the device
lost: from then on the time that passes becomes gaps, and a helper thread of ours closes and reopens the device with
growing pauses, so that a driver that blocks can hold up neither the timeline nor quitting.

Positions: a gap's place is exact where our own buffer was full, and an estimate from the monotonic clock where the
device lost sound or was away (see :class:`~stream_ser.audio.capture.LossEstimator`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from stream_ser.audio.capture import CaptureBuffer, Captured, LossEstimator
from stream_ser.audio.devices import BLOCK_S, AudioBackend, InputDevice, OpenStream, PortAudio, choose_device
from stream_ser.audio.pacing import Clock, SystemClock
from stream_ser.audio.resample import worst_delay_s
from stream_ser.audio.source import Item, Notice
from stream_ser.audio.timeline import Conditioner
from stream_ser.errors import SourceError
from stream_ser.types import SAMPLE_RATE, SourceInfo

BUFFER_S = 4.0  # sound that waits when our own thread is held up; more is dropped and told
STALL_S = 0.5
TICK_S = 0.1  # how often a lost device's gap grows
PAUSES_S = (0.5, 1.0, 2.0, 4.0, 5.0)  # before each attempt to reopen; the last repeats
ZEROS_S = 1.0
REOPEN_THREAD = "microphone-reopen"
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Opened:
    device: InputDevice
    buffer: CaptureBuffer
    stream: OpenStream
    opened_ns: int


class Microphone:
    """A sound input as a source. Made by :func:`open_microphone`, which has opened it already."""

    def __init__(self, backend: AudioBackend, device: InputDevice, *, follow_default: bool, clock: Clock) -> None:
        self._backend = backend
        self._clock = clock
        self._follow_default = follow_default
        self._arrived = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()  # guards _outcome and _opened against close
        self._outcome: _Opened | BaseException | None = None
        self._reopening = False
        self._iterating = False
        self._opened: _Opened | None = self._open(device)
        self.info = SourceInfo(
            kind="microphone",
            name=device.name,
            rate=device.rate,
            channels=min(2, device.channels),
            duration_s=None,
            live=True,
        )
        self._lost_since: int | None = None
        self._attempts = 0
        self._next_attempt = 0
        self._zeros = 0
        self._zeros_told = False
        self._begin(self._opened)
        self._conditioner = Conditioner(device.rate)

    def __iter__(self) -> Iterator[Item]:
        """Yield blocks as they come, and gaps where sound is missing, until closed."""
        self._iterating = True
        try:
            if not self._closed.is_set():
                yield from self._announce()
            while not self._closed.is_set():
                block = self._buffer.take()
                if block is None:
                    self._arrived.clear()
                    block = self._buffer.take()
                if block is not None:
                    yield from self._accept(block)
                elif not self._closed.is_set() and (not self._clock.wait(self._arrived, TICK_S) or self._reopening):
                    yield from self._watch()
        finally:
            self._closed.set()
            self._shut()

    def close(self) -> None:
        """End iteration and let go of the device, in the background where the driver blocks."""
        self._closed.set()
        self._arrived.set()
        if not self._iterating:
            self._shut()

    def _open(self, device: InputDevice) -> _Opened:
        buffer = CaptureBuffer(
            round(BUFFER_S * device.rate), min(2, device.channels), self._clock, self._arrived, device.rate
        )
        return _Opened(device, buffer, self._backend.open(device, buffer.callback), self._clock.now_ns())

    def _begin(self, opened: _Opened) -> None:
        self._buffer = opened.buffer
        self._rate = opened.device.rate
        self._losses = LossEstimator(self._rate, opened.opened_ns)
        self._opened_ns = opened.opened_ns

    def _announce(self) -> Iterator[Notice]:
        info = self.info
        yield Notice("info", f"listening to {info.name} at {info.rate} Hz, {info.channels} channel(s)")
        if info.rate != SAMPLE_RATE:
            delay_ms = 1000 * worst_delay_s(info.rate)
            yield Notice("info", f"resampling {info.rate} Hz to {SAMPLE_RATE} Hz, which adds up to {delay_ms:.0f} ms")

    def _accept(self, block: Captured) -> Iterator[Item]:
        now = block.arrived_ns
        if self._lost_since is not None:
            block = replace(block, dropped=0, overflow=False)  # the time that passed covers them
            yield from self._lose(self._losses.missing(now) - len(block.frames), now)
            away = (now - self._lost_since) / _SECOND
            self._lost_since, self._attempts = None, 0
            yield Notice("info", f"{self.info.name} is back after {away:.1f} s")
        lost = self._losses.lost(block)
        reason = "sound was not taken in time" if block.dropped else "the device lost sound"
        yield from self._conditioner.lose(lost, reason, now) if lost else ()
        yield from self._look_for_zeros(block)
        yield from self._conditioner.push(block.frames, now, block.captured_ns)
        yield from self._conditioner.notices()

    def _look_for_zeros(self, block: Captured) -> Iterator[Notice]:
        if block.frames.any():
            self._zeros, self._zeros_told = 0, False
            return
        self._zeros += len(block.frames)
        if not self._zeros_told and self._zeros >= ZEROS_S * self._rate:
            self._zeros_told = True
            yield Notice(
                "warning",
                f"{self.info.name} gives nothing but digital zeros: it is muted, or the terminal may not use it "
                "(macOS: System Settings > Privacy & Security > Microphone)",
            )

    def _lose(self, frames: int, now: int) -> Iterator[Item]:
        if frames > 0:
            self._losses.skip(frames)
            yield from self._conditioner.lose(frames, "no sound from the device", now)

    def _watch(self) -> Iterator[Item]:
        """Look whether the device still lives; called when no block waits."""
        now = self._clock.now_ns()
        if self._lost_since is None:
            heard_ns = max(self._buffer.heard_ns, self._opened_ns)
            if now - heard_ns <= STALL_S * _SECOND:
                return
            self._lost_since = heard_ns
            self._next_attempt = now + int(PAUSES_S[0] * _SECOND)
            yield Notice("warning", f"no sound from {self.info.name} for {STALL_S} s; trying to open it again")
        with self._lock:
            outcome, self._outcome = self._outcome, None
            if isinstance(outcome, _Opened):
                self._opened = outcome
        if isinstance(outcome, _Opened):
            yield from self._take_over(outcome)
            return
        # a block that is on its way brings its own time with it
        yield from self._lose(self._losses.missing(now) - round(2 * BLOCK_S * self._rate), now)
        if isinstance(outcome, SourceError) or (outcome is None and not self._reopening and now >= self._next_attempt):
            yield from self._try_again(now, outcome)
        elif outcome is not None:
            raise outcome

    def _take_over(self, opened: _Opened) -> Iterator[Item]:
        """Go on with the reopened device; it counts as lost until its first block is there."""
        self._reopening = False
        now = self._clock.now_ns()
        self._next_attempt = now + int(PAUSES_S[min(self._attempts, len(PAUSES_S) - 1)] * _SECOND)
        if opened.device.rate != self._rate:
            yield from self._lose(self._losses.missing(now), now)
            yield from self._conditioner.change_rate(opened.device.rate, now)
            self._losses = LossEstimator(opened.device.rate, now)
        self._buffer = opened.buffer
        self._rate = opened.device.rate
        self.info = replace(
            self.info, name=opened.device.name, rate=self._rate, channels=min(2, opened.device.channels)
        )

    def _try_again(self, now: int, failure: SourceError | None) -> Iterator[Item]:
        if failure is not None:
            if self._attempts == 1:
                yield Notice("warning", f"{failure.what}; trying again")
            self._reopening = False
            self._next_attempt = now + int(PAUSES_S[min(self._attempts, len(PAUSES_S) - 1)] * _SECOND)
            return
        with self._lock:
            old, self._opened = self._opened, None
        self._reopening = True
        self._attempts += 1
        threading.Thread(target=self._reopen, args=(old,), name=REOPEN_THREAD, daemon=True).start()

    def _reopen(self, old: _Opened | None) -> None:
        """Close, look anew, open: the helper thread. Its outcome waits for the thread that iterates."""
        outcome: _Opened | BaseException
        try:
            if old is not None:
                old.stream.close()
            self._backend.rescan()
            outcome = self._open(self._find(self._backend.devices()))
        except BaseException as error:
            outcome = error
        with self._lock:
            self._outcome = outcome
            abandoned = self._closed.is_set()
        self._arrived.set()
        if abandoned and isinstance(outcome, _Opened):
            outcome.stream.close()

    def _find(self, devices: list[InputDevice]) -> InputDevice:
        same = [device for device in devices if device.name == self.info.name]
        if same:
            return same[0]
        if self._follow_default:
            return choose_device(devices, None)
        raise SourceError(f"{self.info.name} is not connected", fix="connect it again")

    def _shut(self) -> None:
        with self._lock:
            waiting = self._outcome if isinstance(self._outcome, _Opened) else None
            opened, self._opened, self._outcome = self._opened or waiting, None, None
        if opened is not None:
            closer = threading.Thread(target=opened.stream.close, name="microphone-close", daemon=True)
            closer.start()
            closer.join(0.5)


def open_microphone(
    wanted: str | int | None = None, *, backend: AudioBackend | None = None, clock: Clock | None = None
) -> Microphone:
    """Open the input with this index, name or part of a name, or the default one, at its own rate.

    Raises SourceError when PortAudio is missing, no input fits, or it cannot be opened.
    """
    backend = backend or PortAudio()
    device = choose_device(backend.devices(), wanted)
    return Microphone(backend, device, follow_default=wanted is None or wanted == "", clock=clock or SystemClock())
