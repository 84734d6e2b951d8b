"""A publisher and a reader for ``stream_ser.load.bus --raw``: the bus's wire protocol by hand, at a tenth of what a node costs.

They do what ``BusLog`` and ``Follower`` ask of the bus, a message for each call that names the one before and waits for its
acknowledgement, and nothing else: so it is the bus that is measured, on a machine that has to carry both.
"""

from __future__ import annotations

import re
import socket
import time
from collections import deque
from urllib.parse import urlsplit

from stream_ser.cluster.wire import BusMessage

ACK = re.compile(rb'MSG \S+\.(\d+) 1 \d+\r\n\{"stream":"[^"]*",\s*"seq":\s*(\d+)[^}\r]*\}\r\n')
ERROR = re.compile(rb'"error":\{[^}]*\}')
PLACE = re.compile(rb"\$JS\.ACK\.\S+?\.(\d+)\.\d+\.\d+\.\d+ ")
WRITTEN = re.compile(rb'"ns":(\d+),')
TICK_S = 0.002
LARGEST = 1 << 20


def connect(url: str) -> socket.socket:
    """A connection that has said who it is."""
    parts = urlsplit(url)
    made = socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 4222))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while not made.recv(65_536).endswith(b"\r\n"):
        pass
    made.sendall(b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"protocol":1}\r\n')
    return made


class RawPublisher:
    """Publishes points of ``calls`` calls; the bus's last word of each is kept."""

    def __init__(self, url: str, subjects: list[str], name: str, filling: str) -> None:
        self._socket, self._name, self._filling = connect(url), name, filling
        self._inbox = f"_INBOX.{name}"
        self._socket.sendall(f"SUB {self._inbox}.* 1\r\n".encode())
        self._subjects = subjects
        self._last: list[int] = [0] * len(subjects)
        self._waiting = bytearray(len(subjects))
        self._buffer = b""
        self.sent = self.acknowledged = 0

    def run(self, rate: float, seconds: float, drain_s: float = 30.0) -> int:
        """Publish at ``rate`` messages a second and call; gives how many. Raises RuntimeError for what the bus refuses."""
        self._socket.setblocking(False)
        began, planned, put_off = time.monotonic(), 0, deque[int]()
        total = int(rate * len(self._subjects) * seconds)
        while self.acknowledged < total:
            passed = time.monotonic() - began
            if passed > seconds + drain_s:
                break
            due = min(total, int(passed * rate * len(self._subjects)))
            out: list[bytes] = []
            for _ in range(len(put_off)):
                self._one(put_off.popleft(), out, put_off)
            while planned < due and len(out) < 2000:
                self._one(planned % len(self._subjects), out, put_off)
                planned += 1
            self._send(b"".join(out))
            self._hear()
            time.sleep(TICK_S)
        return self.sent

    def _one(self, call: int, out: list[bytes], put_off: deque[int]) -> None:
        if self._waiting[call]:  # its last message has not been acknowledged: this one waits, as in a node
            put_off.append(call)
            return
        self._waiting[call] = 1
        self.sent += 1
        text = (
            f'{{"type":"point","seq":{self.sent},"stream":"{call}","ns":{time.monotonic_ns()},"x":"{self._filling}"}}'
        )
        data = BusMessage("point", str(call), str(call), 4000, self._name, text).encode()
        head = f"NATS/1.0\r\nNats-Msg-Id: {self._name}.{self.sent}\r\n"
        head += f"Nats-Expected-Last-Subject-Sequence: {self._last[call]}\r\n\r\n"
        named = f"HPUB {self._subjects[call]} {self._inbox}.{call} {len(head)} {len(head) + len(data)}\r\n{head}"
        out.append(named.encode() + data + b"\r\n")

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                self._hear()
                time.sleep(0.0005)

    def _hear(self) -> None:
        try:
            while True:
                got = self._socket.recv(LARGEST)
                if not got:
                    raise RuntimeError("the bus has hung up")
                self._buffer += got
        except BlockingIOError:
            pass
        if b'"error"' in self._buffer and (found := ERROR.search(self._buffer)):
            raise RuntimeError(found[0].decode())
        end = 0
        for each in ACK.finditer(self._buffer):
            call, seq = int(each[1]), int(each[2])
            self._last[call], self._waiting[call] = seq, 0
            self.acknowledged += 1
            end = each.end()
        if b"PING\r\n" in self._buffer[end:]:
            self._socket.send(b"PONG\r\n")
        self._buffer = self._buffer[end:][-4096:]


class RawReader:
    """Reads what a consumer that pushes to ``inbox`` brings."""

    def __init__(self, url: str, inbox: str) -> None:
        self._socket, self._buffer = connect(url), b""
        self._socket.sendall(f"SUB {inbox} 1\r\nPING\r\n".encode())
        self._socket.settimeout(0.1)
        self.delays_ns: list[int] = []
        self.places: list[int] = []

    def hear(self) -> None:
        """Take what comes within a tenth of a second."""
        try:
            got = self._socket.recv(LARGEST)
        except TimeoutError:
            return
        now = time.monotonic_ns()
        self._buffer += got
        if b"PING\r\n" in got:
            self._socket.sendall(b"PONG\r\n")
        end = 0
        for each in WRITTEN.finditer(self._buffer):
            self.delays_ns.append(now - int(each[1]))
            end = each.end()
        self.places += [int(each[1]) for each in PLACE.finditer(self._buffer[:end])]
        self._buffer = self._buffer[end:]
