"""Sound that somebody else brings, as a source: a bounded queue between who pushes and who iterates.

One thread pushes (an event loop: nothing here waits), one iterates, any may close. At most ``QUEUE_S`` of sound wait. Live
sound that finds no room is dropped and becomes a gap in its place; whoever pushes a recording asks ``has_room`` first, and is
told by ``told`` when to ask again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

from stream_ser.audio.pacing import Clock, SystemClock
from stream_ser.audio.resample import Frames
from stream_ser.audio.source import Item, Notice
from stream_ser.audio.timeline import Conditioner
from stream_ser.types import SAMPLE_RATE, SourceInfo

QUEUE_S = 4.0
NOT_TAKEN = "sound was not taken in time"
_Piece = tuple[Frames | None, int, str, int]  # sound or None where it is missing; frames, why missing, when it came


class PushedSource:
    """A source of what ``push`` and ``lose`` bring at ``info.rate``, until ``end`` or ``close``.

    ``told`` is called, by the iterating thread or whoever closes, when there is room again and when the source is closed.
    """

    def __init__(self, info: SourceInfo, told: Callable[[], None] = lambda: None, clock: Clock | None = None) -> None:
        self.info = info
        self._told = told
        self._clock = clock or SystemClock()
        self._most = round(QUEUE_S * info.rate)
        self._lock = threading.Lock()
        self._moved = threading.Event()  # something was pushed, ended or closed
        self._pieces: deque[_Piece] = deque()
        self._waiting = 0  # frames of sound in them
        self._dropped = 0  # frames for which there was no room, not yet among the pieces
        self._ended = self._closed = False

    @property
    def has_room(self) -> bool:
        """Whether less than half of what may wait does."""
        return self._waiting < self._most // 2

    @property
    def closed(self) -> bool:
        """Whether nobody takes anything any more."""
        return self._closed

    def push(self, frames: Frames) -> None:
        """Bring the next sound, (n,) or (n, channels); it is kept, not copied."""
        with self._lock:
            if self._ended or self._closed:
                return
            if self.info.live and self._waiting + len(frames) > self._most:
                self._dropped += len(frames)
                return
            self._append_dropped()
            self._pieces.append((frames, len(frames), "", self._clock.now_ns()))
            self._waiting += len(frames)
        self._moved.set()

    def lose(self, frames: int, reason: str) -> None:
        """Say that the next ``frames`` are missing."""
        with self._lock:
            if self._ended or self._closed:
                return
            self._append_dropped()
            last = self._pieces[-1] if self._pieces else None
            if last is not None and last[0] is None and last[2] == reason:
                self._pieces.pop()
                frames += last[1]
            self._pieces.append((None, frames, reason, self._clock.now_ns()))
        self._moved.set()

    def end(self) -> None:
        """Nothing more will be brought: iteration ends after what waits."""
        with self._lock:
            self._append_dropped()
            self._ended = True
        self._moved.set()

    def close(self) -> None:
        """End iteration at once."""
        with self._lock:
            self._closed = True
            self._pieces.clear()
            self._waiting = 0
        self._moved.set()
        self._told()

    def __iter__(self) -> Iterator[Item]:
        """Yield blocks and gaps as sound comes."""
        if self.info.rate != SAMPLE_RATE:
            yield Notice("info", f"resampling {self.info.rate} Hz to {SAMPLE_RATE} Hz")
        conditioner = Conditioner(self.info.rate)
        while not self._closed:
            piece = self._take()
            if piece is None:
                if self._ended and not self._pieces:
                    break
                self._clock.wait(self._moved, None)
                continue
            frames, count, reason, arrived_ns = piece
            if frames is None:
                yield from conditioner.lose(count, reason, arrived_ns)
            else:
                yield from conditioner.push(frames, arrived_ns)
                yield from conditioner.notices()
        if not self._closed:
            yield from conditioner.finish(self._clock.now_ns())

    def _append_dropped(self) -> None:
        """Put what found no room where it belongs. Call with the lock held."""
        if self._dropped:
            self._pieces.append((None, self._dropped, NOT_TAKEN, self._clock.now_ns()))
            self._dropped = 0

    def _take(self) -> _Piece | None:
        """The next piece; None where there is none now."""
        with self._lock:
            self._moved.clear()
            if not self._pieces or self._closed:
                if self._ended or self._closed:
                    self._moved.set()
                return None
            piece = self._pieces.popleft()
            crowded = not self.has_room
            self._waiting -= piece[1] if piece[0] is not None else 0
            again = crowded and self.has_room
        if again:
            self._told()
        return piece
