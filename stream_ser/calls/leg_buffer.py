"""Leg buffer: one leg's sound on its way from a connection to its stream.

Whoever owns the connection puts pieces in (``put``); the leg scheduler takes them out, brought to 16 kHz. Positions say what is
missing: what lies between two pieces is a gap of exactly its length. A buffer holds at most ``LONGEST_WAIT_S`` of sound; what
finds no room is a gap too, and counted. A leg whose stream is over, by an error say, takes nothing more: what still comes
for it is thrown away.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from stream_ser.audio.resample import worst_delay_s
from stream_ser.audio.source import Item
from stream_ser.audio.timeline import Conditioner
from stream_ser.calls.events import Coded, Frames, Lost, Sound
from stream_ser.calls.gap_limit import GapLimit
from stream_ser.pipeline.multi_stream import StreamLike
from stream_ser.types import SAMPLE_RATE

LONGEST_WAIT_S = 5.0
LOOK_HOPS = 12  # of one leg at once: after hours of silence its gap must not keep the scheduler from the others
GAP_HOPS = 6  # of a gap in one piece: each makes a point
LOOK_PIECES = 500  # at once too: a telephone's six seconds are 300, and who sends single samples has thousands in each
LEAST_S = 0.02  # single samples are joined where they wait, to pieces of so much: a hundred thousand of them cost more
STALL_S = 0.3
NOT_RECEIVED, OVERLOAD = "not received", "this server is overloaded"


@dataclass(frozen=True, slots=True)
class End:
    """The leg is over, by itself or by ``error``."""

    error: Exception | None


class LegBuffer:
    """Made by ``LegScheduler.add_leg``. ``put`` and ``end`` are for the connection's thread, all else for the scheduler's."""

    def __init__(self, stream: StreamLike, rate: int, wake: Callable[[LegBuffer], None]) -> None:
        self.stream = stream
        self.overloaded = 0  # native frames that found no room
        self._rate, self._wake = rate, wake
        self._conditioner = Conditioner(rate, stream.position)  # native frame 0 is there
        self._gaps = GapLimit()
        self._position = 0  # native frames that the conditioner has had
        self._pieces: deque[tuple[Sound | Lost | End, int]] = deque()
        self._lock = threading.Lock()  # of what the last piece is, while it may be joined with the next
        # Native frames of sound, and of sound and what is told as lost. Each count has one writer, the connection's thread or
        # the scheduler's: a sum that both wrote would lose one's change now and then, and drift away over hours.
        self._came = self._told = 0
        self._taken = self._heard = 0
        self._most = int(LONGEST_WAIT_S * rate)
        self._least = int(LEAST_S * rate)
        self._end = 0  # native frames until the end of what was put
        self._slack = int(worst_delay_s(rate) * rate) + 1  # the resampler gives a sample so much later
        self._hop = stream.hop * rate // SAMPLE_RATE  # native frames
        self._look, self._gap = LOOK_HOPS * self._hop, GAP_HOPS * self._hop
        self._worth = self._until_due()
        self._complete_ns = 0  # when the sound came that a hop ends in: the newest such hop of this stretch
        self._taking: Iterator[Item | End] | None = None  # a look that was not taken to its end
        self._left = False  # whether that look left something for another one
        self.queued = False  # whether the scheduler knows that there is something to take
        self.over = False  # nothing is taken any more

    def put(self, piece: Sound | Lost, arrived_ns: int) -> None:
        """Add what came."""
        if self.over:
            return
        if piece.start > self._end:
            self._lose(piece.leg, piece.start, NOT_RECEIVED, arrived_ns)
        if isinstance(piece, Lost):
            self._lose(piece.leg, piece.end, piece.reason, arrived_ns)
        elif self._came - self._taken + len(piece.samples) > self._most:
            self.overloaded += len(piece.samples)
            self._lose(piece.leg, piece.start + len(piece.samples), OVERLOAD, arrived_ns)
        else:
            self._came += len(piece.samples)
            self._add(piece, len(piece.samples), arrived_ns)
        if self._told - self._heard >= self._worth and not self.queued:
            self.queued = True
            self._wake(self)

    def end(self, error: Exception | None = None) -> None:
        """The leg is over, by itself or by ``error``."""
        if self.over:
            return
        self._pieces.append((End(error), 0))
        self.queued = True
        self._wake(self)

    def stalls(self, now_ns: int) -> bool:
        """Whether something waits and nothing has come for a while."""
        return bool(self._pieces) and now_ns - self._pieces[-1][1] > STALL_S * 1e9

    def take(self) -> Iterator[Item | End]:
        """Take what waits, as a timeline without holes; beyond ``LOOK_HOPS`` or ``LOOK_PIECES`` the rest is for the next look.

        Whoever stops in the middle is given the rest by the next ``take``.
        """
        self.queued = False
        self._taking = self._taking or self._look_at()
        for item in self._taking:  # noqa: UP028 - "yield from" would end it with who stops
            yield item
        self._taking = None
        if self._pieces and not self.queued and (self._left or self._due):
            self.queued = True
            self._wake(self)

    def rest(self) -> None:
        """Have the rest taken in another turn: for who stopped in the middle."""
        if not self.queued and not self.over:
            self.queued = True
            self._wake(self)

    @property
    def _due(self) -> bool:
        """Whether what waits is worth a look."""
        return self._told - self._heard >= self._worth or isinstance(self._pieces[-1][0], End)

    def _look_at(self) -> Iterator[Item | End]:
        taken: list[tuple[Sound | Lost | End, int]] = []
        room = self._look
        with self._lock:
            while self._pieces and room > 0 and len(taken) < LOOK_PIECES:
                piece, arrived_ns = self._pieces.popleft()
                if isinstance(piece, Lost) and piece.end - piece.start > self._gap:  # hours, maybe
                    until = piece.start + self._gap
                    self._pieces.appendleft((replace(piece, start=until), arrived_ns))
                    piece = replace(piece, end=until)
                taken.append((piece, arrived_ns))
                room -= _frames(piece)
        self._left = bool(self._pieces)
        self._taken += sum(len(piece.samples) for piece, _ in taken if isinstance(piece, Sound))
        self._heard += sum(_frames(piece) for piece, _ in taken)
        yield from self._items(taken)
        self._worth = self._until_due()

    def close(self) -> None:
        """Take nothing any more, and let go of what waits."""
        self.over = True
        with self._lock:
            self._pieces.clear()
        self._taking = None

    def _lose(self, leg: str, end: int, reason: str, arrived_ns: int) -> None:
        """Add that sound is missing until ``end``."""
        if end > self._end:
            self._add(Lost(leg, self._end, end, reason), end - self._end, arrived_ns)

    def _add(self, piece: Sound | Lost, frames: int, arrived_ns: int) -> None:
        self._told += frames
        self._end = max(self._end, piece.start + frames)
        with self._lock:
            last = self._pieces[-1][0] if self._pieces else None
            joined = self._joined(last, piece)
            if joined is None:
                self._pieces.append((piece, arrived_ns))
            else:
                self._pieces[-1] = joined, arrived_ns

    def _joined(self, last: Sound | Lost | End | None, piece: Sound | Lost) -> Sound | None:
        """Both as one piece, where they follow each other, are short, and are coded alike."""
        if not (isinstance(last, Sound) and isinstance(piece, Sound)):
            return None
        frames, one, other = len(last.samples), last.samples, piece.samples
        if piece.start != last.start + frames or frames + len(other) > self._least:
            return None
        if isinstance(one, Coded) and isinstance(other, Coded) and one.decode is other.decode:
            return replace(last, samples=replace(one, data=one.data + other.data))
        if isinstance(one, Coded) or isinstance(other, Coded):
            return None
        return replace(last, samples=np.concatenate((one, other)))

    def _items(self, taken: list[tuple[Sound | Lost | End, int]]) -> Iterator[Item | End]:
        for run, arrived_ns in self._runs(taken):
            first = run[0]
            if isinstance(first, End):
                yield from self._gaps.hold(self._conditioner.finish(arrived_ns or time.monotonic_ns()))
                yield first
            elif isinstance(first, Lost):
                self._position, self._complete_ns = first.end, 0
                yield from self._gaps.hold(self._conditioner.lose(_frames(first), first.reason, arrived_ns))
            else:
                new = _join(run)[max(0, self._position - first.start) :]  # what came twice counts once
                if len(new):
                    self._position += len(new)
                    yield from self._gaps.hold(self._conditioner.push(new, arrived_ns))

    def _runs(self, taken: list[tuple[Sound | Lost | End, int]]) -> Iterator[tuple[list[Sound | Lost | End], int]]:
        """Pieces that follow each other as one run, in which one hop ends at most, and when they came.

        A window was complete when the piece came that its hop ends in, though the resampler may hold its last samples until
        later pieces come.
        """
        run: list[Sound | Lost | End] = []
        end = came = 0
        ends_hop = False
        for piece, arrived_ns in taken:
            following = piece.start + len(piece.samples) if isinstance(piece, Sound) else 0
            crosses = isinstance(piece, Sound) and piece.start // self._hop != following // self._hop
            if run and not (isinstance(piece, Sound) and piece.start == end and not (crosses and ends_hop)):
                yield run, came
                run, ends_hop = [], False
            if not isinstance(piece, Sound):
                yield [piece], arrived_ns
                continue
            if crosses:
                ends_hop, self._complete_ns = True, arrived_ns
            run.append(piece)
            end, came = following, self._complete_ns or arrived_ns
        if run:
            yield run, came

    def _until_due(self) -> int:
        """Native frames until the next point can be made: before that, nothing is worth a look."""
        made = max(0, self._position - self._slack) // self._hop  # what was pushed so far is enough for so many
        return max(1, (made + 1) * self._hop + self._slack - self._position)


def _frames(piece: Sound | Lost | End) -> int:
    match piece:
        case Sound():
            return len(piece.samples)
        case Lost():
            return piece.end - piece.start
    return 0


def _join(run: Iterable[Sound | Lost | End]) -> Frames:
    """The samples of a run's sound, decoded together where they are coded alike."""
    sounds = [piece for piece in run if isinstance(piece, Sound)]
    coded = [sound.samples for sound in sounds if isinstance(sound.samples, Coded)]
    if len(coded) == len(sounds) and all(part.decode is coded[0].decode for part in coded):
        return coded[0].decode(b"".join([part.data for part in coded]))
    frames = [sound.decoded for sound in sounds]
    return frames[0] if len(frames) == 1 else np.concatenate(frames)
