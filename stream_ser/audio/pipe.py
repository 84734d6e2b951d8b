"""Raw samples from a pipe or standard input, at a rate and channel count that the user declares.

The thread that iterates reads; it waits with poll on the pipe and on a wake-up pipe of its own, so that close from
another thread ends it at once even while nobody writes. POSIX only, for Windows cannot poll a pipe. The pipe itself
stays the caller's.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator
from typing import Literal, Protocol

import numpy as np

from stream_ser.audio.files.marks import HEAD, container_name, could_be_mp3
from stream_ser.audio.pacing import Clock, SystemClock
from stream_ser.audio.parties import ALONE, SidedSource, Sides, check_parties
from stream_ser.audio.source import Item, Notice
from stream_ser.audio.timeline import LOUDEST
from stream_ser.errors import SourceError
from stream_ser.types import SourceInfo

Encoding = Literal["s16le", "f32le"]
_WIDTH: dict[Encoding, int] = {"s16le": 2, "f32le": 4}
_MAGIC_BYTES = 12  # every container that has a fixed mark shows it in these


class HasFileno(Protocol):
    """A binary file with a descriptor, such as ``sys.stdin.buffer``."""

    def fileno(self) -> int:
        """Return the descriptor."""


class Pipe(SidedSource):
    """Interleaved raw samples as a source. Every read takes at most 100 ms of sound. ``parties``: as for recordings.

    Iteration raises SourceError when the pipe begins with the header of a sound file, holds floats far above full scale, or
    breaks.
    """

    def __init__(
        self,
        file: HasFileno,
        *,
        rate: int,
        channels: int = 1,
        encoding: Encoding = "s16le",
        name: str = "stdin",
        parties: str = "mix",
        clock: Clock | None = None,
    ) -> None:
        if rate < 1 or channels < 1:
            raise ValueError(f"{rate} Hz and {channels} channels cannot be")
        self._parties = check_parties(parties, channels, "the pipe")
        self._fd = file.fileno()
        self._clock = clock or SystemClock()
        self._encoding = encoding
        self._frame_bytes = _WIDTH[encoding] * channels
        self._wake_read, self._wake_write = os.pipe()
        self._closed = threading.Event()
        self._lock = threading.Lock()  # guards the wake-up pipe's life
        self._iterating = False
        self._finished = False
        self.info = SourceInfo(
            kind="pipe",
            name=name,
            rate=rate,
            channels=channels,
            duration_s=None,
            live=False,
            channel=ALONE.get(self._parties),
        )

    def sides(self) -> Iterator[tuple[int, Item]]:
        """Yield blocks until the writer closes the pipe, each with the timeline that it belongs to."""
        with self._lock:
            if self._finished:
                return
            self._iterating = True
        try:
            yield from self._items()
        finally:
            with self._lock:
                self._release()

    def close(self) -> None:
        """End iteration at once."""
        self._closed.set()
        with self._lock:
            if self._iterating and not self._finished:
                os.write(self._wake_write, b".")
            else:
                self._release()

    def _release(self) -> None:
        if not self._finished:
            self._finished = True
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _items(self) -> Iterator[tuple[int, Item]]:
        sides = Sides(self.info.rate, self.info.channels, self._parties)
        yield from sides.introduce()
        held = self._head()
        name = container_name(held)
        if name is not None:
            raise SourceError(
                f"the pipe begins with the header of a sound file ({name}), not with raw {self._encoding} samples",
                fix="play the file with: stream-ser replay FILE, or strip the header: ffmpeg -i FILE -f s16le -",
            )
        more = held
        while more:
            whole = len(held) - len(held) % self._frame_bytes
            if whole:
                yield from sides.push(self._decode(held[:whole]), self._clock.now_ns())
                held = held[whole:]
            more = self._read()
            held += more
        if self._closed.is_set():
            return
        yield from sides.finish(self._clock.now_ns())
        if held:
            text = f"the last {len(held)} of {self._frame_bytes} bytes of a frame were dropped"
            yield from sides.tell(Notice("warning", text))

    def _head(self) -> bytes:
        head = b""
        while len(head) < (HEAD if could_be_mp3(head) else _MAGIC_BYTES):
            more = self._read()
            if not more:
                break
            head += more
        return head

    def _read(self) -> bytes:
        """Read what is there, waiting for at least one byte; nothing at the end or when closed."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        size = max(self._frame_bytes, self.info.rate // 10 * self._frame_bytes)
        while True:
            poll.poll()
            if self._closed.is_set():
                return b""
            try:
                return os.read(self._fd, size)
            except BlockingIOError:  # another reader of a shared descriptor was faster
                continue
            except OSError as error:
                raise SourceError(
                    f"the pipe {self.info.name} broke ({error.strerror})", fix="start the writer again"
                ) from error

    def _decode(self, data: bytes) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        if self._encoding == "s16le":
            samples = np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(32768)
        else:
            samples = np.frombuffer(data, dtype="<f4").astype(np.float32)
            loud = samples[np.isfinite(samples) & (np.abs(samples) > LOUDEST)]
            if len(loud):
                raise SourceError(
                    f"the pipe {self.info.name} holds the float {loud[0]:g}, and full scale is 1",
                    fix="divide by full scale first (32768 for 16 bits), or send 16 bits with --format s16le",
                )
        return samples.reshape(-1, self.info.channels)
