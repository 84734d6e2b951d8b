"""A websocket that brings telephone sound: what was read is handed on at once, many messages together, and seldom.

A call brings fifty small messages a second, and hundreds of calls come: a queue, a task switch and a system call for each
message would cost more than listening to it. So messages are handed on where they are read, all of one read together, and
where there are many connections each rests for a while after it was read: what comes meanwhile waits in the system's own
buffer. When its rest is over, it is read at once rather than watched until it has something to say, as it nearly always has:
to watch a socket and to let go of it again, six times a second, costs more than to read it. Everything runs in one event loop.

What is read is worked through in small pieces, and as long as all connections together have a share left of the turn
(``turn_share``); the rest waits for the next one, and nothing more is read meanwhile.

Invariants: the ``websockets`` library does the protocol. Only whole text frames, masked, unfragmented, at the start of
what was read and where the library holds nothing half-read, are opened here; whatever follows goes to the library. Where a read
ends within such a frame, its beginning waits for the rest: the library would have to open what follows as well, which costs
several times as much, and a server that is behind reads as much at once as it may, and so ends within a frame nearly always.
Messages keep their order, none is handed on twice, and none after ``take`` said that it was enough.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Sequence

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosedOK
from websockets.frames import BINARY, CONT, TEXT, CloseCode, Frame
from websockets.protocol import OPEN, Event, Protocol

from stream_ser.feed.server import TrackedConnection
from stream_ser.feed.turn_share import TurnShare, Use

try:
    from websockets.speedups import apply_mask
except ImportError:  # the library was installed without its compiled part
    from websockets.utils import apply_mask

Message = str | bytes
Take = Callable[[Sequence[Message], int], bool]  # messages and when they came, at the earliest; whether to go on

READS_A_SECOND = 1_250  # of all connections of a machine, as long as none waits for longer than LONGEST_REST_S
SHORTEST_REST_S, LONGEST_REST_S = 0.03, 0.16  # a shorter rest than the first would save nothing: a message takes 20 ms
READ = 8_192  # bytes read from one connection in one turn
PIECE, MOST = 4_096, 64  # bytes of them, and messages, worked through without a break, unless one message is longer
LIBRARY_PIECE = 1_024  # the same where the library opens them: a message of two bytes costs it 20 µs
GRAIN_S = 0.02  # connections whose rest ends within this are woken together: a turn of the loop costs as much as a read
FINAL_TEXT, MASKED, MASKED_126 = 0x81, 0x80, 0xFE  # of a frame's first two bytes (RFC 6455, section 5.2)


class Pace:
    """How long connections rest between reads: the more there are, the longer.

    ``processes`` is how many serve beside each other and have as many connections each: the cores are theirs together, so
    each may read so much less often.
    """

    def __init__(self, processes: int = 1) -> None:
        self.members, self._processes = 0, processes
        self._resting: deque[tuple[float, SoundConnection]] = deque()
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def rest_s(self) -> float:
        """The rest after a read, 0 where there is none."""
        rest = min(self.members * self._processes / READS_A_SECOND, LONGEST_REST_S)
        return rest if rest >= SHORTEST_REST_S else 0.0

    def rest(self, connection: SoundConnection) -> bool:
        """Let a connection rest, if it should; gives whether it does."""
        rest = self.rest_s
        if not rest:
            return False
        connection.transport.pause_reading()
        loop = connection.loop
        self._resting.append((loop.time() + rest, connection))
        if self._alarm is None:
            self._alarm = loop.call_later(rest, self._wake, loop)
        return True

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        while self._resting and self._resting[0][0] <= now + GRAIN_S:
            self._resting.popleft()[1].wake()
        self._alarm = loop.call_later(GRAIN_S, self._wake, loop) if self._resting else None


class SoundConnection(TrackedConnection):
    """A connection of the library's, which any handler may use as such until it calls ``deliver``."""

    def __init__(self, known: set[ServerConnection], *args: object, **kwargs: object) -> None:
        super().__init__(known, *args, **kwargs)
        self._take: Take | None = None
        self._more = False  # whether the last read was full, so that more waits
        self._pace: Pace | None = None
        self._done: asyncio.Future[bool] = self.loop.create_future()  # with whether ``take`` had enough
        self._came: list[Message] = []
        self._parts: bytearray | None = None  # of a fragmented message
        self._text = False  # whether that is text
        self._rested_ns: int | None = None  # since when the last rest was, until the read after it
        self._share: TurnShare | None = None
        self.use = Use()
        self._late, self._late_ns = b"", 0  # what was read and waits for its turn, and when it came
        self._half = b""  # a plain frame of which the rest has not come
        self._file: int | None = None  # of its socket, where that can be read past the transport

    async def deliver(self, take: Take, pace: Pace) -> None:
        """Hand every message to ``take`` until it has enough or the connection is over. Nothing may be received besides.

        What ``take`` raises is raised here. Raises ConnectionClosed where the connection was not closed in good order.
        """
        while len(self.recv_messages.frames) or self.protocol.current_size is not None:  # came before we listened
            if not take([await self.recv()], time.monotonic_ns()):
                return
        self._take, self._pace, self._file = take, pace, _readable(self.loop, self.transport)
        pace.members += 1
        try:
            if await self._done:
                return
        except UnicodeDecodeError as error:
            async with self.send_context():
                self.protocol.fail(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
        finally:
            pace.members -= 1
            self._finish(enough=True)
            self.transport.resume_reading()  # for the goodbye
        with contextlib.suppress(ConnectionClosedOK):
            await self.recv()  # nothing ever comes here: it says how the connection ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        if hasattr(transport, "max_size"):  # how much asyncio reads at once; elsewhere turns are longer
            transport.max_size = READ
        super().connection_made(transport)

    def share_turns(self, share: TurnShare) -> None:
        """Work no longer in a turn than all are to together that have this share."""
        self._share = share

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        self._more = len(data) >= READ
        came_ns = time.monotonic_ns()
        if self._rested_ns is not None:  # it may have waited all the time, but no longer than a rest takes
            came_ns = max(self._rested_ns, came_ns - int(LONGEST_REST_S * 1e9))
            self._rested_ns = None
        if self._late:
            self._late += data
            self.transport.pause_reading()
        elif self._share is not None and self._share.must_wait(self.use):
            self._put_off(data, came_ns)
        else:
            self._work(data, came_ns)

    def wake(self) -> None:
        """The rest is over: read what came meanwhile, and rest again; where nothing did, wait for it as others do."""
        data = b""
        if self._file is not None and not self._done.done() and not self.transport.is_closing():
            with contextlib.suppress(OSError):  # nothing is there, or something is wrong: the transport sees what
                data = os.read(self._file, READ)
        if data:
            self.data_received(data)
        if not (data and self._stands_still):
            self.transport.resume_reading()

    @property
    def _stands_still(self) -> bool:
        """Whether nothing is to be read now, after something was."""
        return bool(self._late) or self._rested_ns is not None or self.recv_messages.paused

    def eof_received(self) -> None:
        """See ``asyncio.Protocol``."""
        if self._late:
            share, late, self._share, self._late = self._share, self._late, None, b""
            self._work(late, self._late_ns)
            self._share = share
        if self._half:  # what never ends is the library's to judge
            half, self._half = self._half, b""
            super().data_received(half)
        super().eof_received()

    def _put_off(self, data: bytes, came_ns: int) -> None:
        """Let what was read wait for its turn."""
        assert self._share is not None
        self._late, self._late_ns = data, came_ns
        self.transport.pause_reading()
        self._share.later(self._go_on, self.use)

    def _go_on(self) -> None:
        late, self._late = self._late, b""
        if not late or self.transport.is_closing():
            return
        self._work(late, self._late_ns)
        if not self._stands_still:
            self.transport.resume_reading()

    def _work(self, data: bytes, came_ns: int) -> None:
        """Work through what was read, a piece after another; put the rest off where the turn is spent."""
        at, heard = 0, False
        if self._half:
            data, self._half = self._half + data, b""
        while at < len(data) and not self.transport.is_closing():
            if at and self._share is not None and self._share.must_wait(self.use):
                self._put_off(data[at:], came_ns)
                return
            began = time.monotonic()
            taken = self._open(data, at) if self._take is not None else 0
            if not taken and self._take is not None and self._is_half(data, at):
                self._half, taken = data[at:], len(data) - at
            elif not taken:
                taken = min(LIBRARY_PIECE, len(data) - at)
                super().data_received(data[at : at + taken])
            at += taken
            heard = self._hand_on(came_ns) or heard
            self.use.add(began)
        if heard and not self._more and self._pace is not None and self._pace.rest(self):
            self._rested_ns = time.monotonic_ns()

    def process_event(self, event: Event) -> None:
        """Take a frame that the library has read."""
        if self._take is None or not isinstance(event, Frame) or event.opcode not in (TEXT, BINARY, CONT):
            super().process_event(event)
            return
        if self._done.done():
            return  # enough: only the goodbye matters
        if event.opcode is not CONT:
            self._parts, self._text = bytearray(), event.opcode is TEXT
        assert self._parts is not None  # the library lets no fragment pass that continues nothing
        self._parts += event.data
        if event.fin:
            data, self._parts = bytes(self._parts), None
            try:
                self._came.append(data.decode() if self._text else data)
            except UnicodeDecodeError as error:
                self._hand_on(time.monotonic_ns())
                self._fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        super().connection_lost(exc)
        self._finish(enough=False)

    @property
    def _may_open(self) -> bool:
        """Whether the library has nothing to do with frames that are plain."""
        protocol = self.protocol
        return (
            protocol.state is OPEN
            and _between_frames(protocol)
            and protocol.current_size is None
            and not protocol.extensions
            and not protocol.debug
            and not self._done.done()
        )

    def _open(self, data: bytes, at: int) -> int:
        """Open the plain frames that ``data`` has from ``at`` on, a piece of them at most; gives how many bytes they are."""
        if not self._may_open:
            return 0
        longest = self.protocol.max_message_size
        began, end, came = at, len(data), self._came
        while at + 6 <= end and at < began + PIECE and len(came) < MOST and data[at] == FINAL_TEXT:
            length, body = data[at + 1], at + 6
            if length == MASKED_126:
                length, body = data[at + 2] << 8 | data[at + 3], at + 8
            elif MASKED <= length < MASKED_126:
                length -= MASKED
            else:
                break
            following = body + length
            if following > end or (longest is not None and length > longest):
                break
            try:
                came.append(apply_mask(data[body:following], data[body - 4 : body]).decode())
            except UnicodeDecodeError:
                break
            at = following
        return at - began

    def _is_half(self, data: bytes, at: int) -> bool:
        """Whether a plain frame begins at ``at`` that ``data`` has not all of, as far as its head tells."""
        head, longest = data[at : at + 4], self.protocol.max_message_size
        if head[0] != FINAL_TEXT or not self._may_open:
            return False
        if len(head) == 1:
            return True
        length, size = head[1] - MASKED, 6
        if head[1] == MASKED_126:
            if len(head) < 4:
                return True
            length, size = head[2] << 8 | head[3], 8
        elif not 0 <= length < MASKED_126 - MASKED:
            return False
        return len(data) - at < size + length and (longest is None or length <= longest)

    def _hand_on(self, came_ns: int) -> bool:
        """Hand on the messages that there are; gives whether there were any and more are welcome."""
        if not self._came or self._done.done() or self._take is None:
            return False
        came, self._came = self._came, []
        try:
            more = self._take(came, came_ns)
        except Exception as error:
            self._fail(error)
            return False
        if not more:
            self._finish(enough=True)
        return more

    def _finish(self, enough: bool) -> None:
        if not self._done.done():
            self._done.set_result(enough)

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)


def _readable(loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> int | None:
    """The file of a transport's socket, where a paused transport has nothing to do with it; None elsewhere."""
    plain = transport.get_extra_info("sslcontext") is None
    socket = transport.get_extra_info("socket")
    if not isinstance(loop, asyncio.SelectorEventLoop) or not plain or socket is None or os.name != "posix":
        return None
    file: int = socket.fileno()
    return file


def _between_frames(protocol: Protocol) -> bool:
    """Whether the library has read whole frames only: its parser, a generator, waits for what follows the last one.

    An empty buffer would not say so: the head of a frame is taken from it before the rest has come. Where a version of
    the library waits somewhere else, this is never true, and the library opens all frames.
    """
    waits: object = protocol.parser
    while (inner := getattr(waits, "gi_yieldfrom", None)) is not None:
        waits = inner
    return getattr(waits, "__name__", "") == "at_eof"
