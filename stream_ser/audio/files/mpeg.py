"""MPEG audio (MP3, and layers I and II): walk from frame to frame, and count.

libsndfile takes an MP3 file's length from its Xing or Info header, or else guesses it from the first frames, and reads no
further than the guess. Here the frames are counted, tags (ID3, APE, Lyrics3) and bytes that are nothing are passed over, and a
Xing header with the right count is put in front. Where a header of that kind, or an ID3v2 tag, stands between frames, another
file was put behind the first: it is a part of its own. After ISO 11172-3 and 13818-3.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import BinaryIO

from stream_ser.audio.files.plan import Part, Plan

_KBPS = {  # by MPEG 1 or not, and layer
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}  # by version bits
_MARK = re.compile(rb"\xff[\xe0-\xff]|ID3|TAG|APETAGEX|LYRICSBEGIN")
_CHUNK = 1 << 16  # bytes read at once; longer than any frame
_ODD = 4096  # stretches of a part; a file with more holes than these is none of sound
_ROOM = 160  # bytes of a Xing header with its frame's own


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame's header."""

    size: int  # bytes
    samples: int  # a channel's
    kind: tuple[int, int, int, bool]  # version, layer, rate, mono: what cannot change within a stream
    side: int  # bytes between its header and a Xing header


def frame_of(head: bytes) -> Frame | None:
    """The frame whose four bytes of header these are, or None; free-format frames, which give no size, are none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    kbps, hertz, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 4 or kbps in (0, 15) or hertz == 3:
        return None
    first = version == 3
    rate, bits = _HZ[version][hertz], 1000 * _KBPS[first, layer][kbps]
    samples = 384 if layer == 1 else 1152 if layer == 2 or first else 576
    size = (12 * bits // rate + padding) * 4 if layer == 1 else samples // 8 * bits // rate + padding
    mono = head[3] >> 6 == 3
    side = (17 if mono else 32) if first else (9 if mono else 17)
    return Frame(size, samples, (version, layer, rate, mono), side)


@dataclass(slots=True)
class _Run:
    """Frames of one file in a row."""

    begin: int
    head: bytes  # of its first frame
    first: Frame
    stretches: list[tuple[int, int]] = field(default_factory=list)
    frames: int = 0
    info: bytes = b""  # the Xing or Info frame in front, which is no sound
    told: int = 0  # frames by that


class _Window:
    """Bytes at any place of a file, read forward in large pieces."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._begin = 0
        self._held = b""

    def at(self, place: int, size: int) -> bytes:
        inside = place - self._begin
        if not 0 <= inside <= len(self._held) - size:
            self._file.seek(place)
            self._begin, self._held = place, self._file.read(max(_CHUNK, size))
            inside = 0
        return self._held[inside : inside + size]


def plan_mpeg(file: BinaryIO, begin: int, total: int) -> Plan | None:
    """How to hear the MPEG audio file that begins at byte ``begin``; None where there is no frame whose size is known."""
    walk = _Walk(file, total)
    walk.go(begin)
    if not walk.runs:
        return None
    notices = []
    if walk.junk:
        notices.append(f"{walk.junk} bytes between its frames are neither sound nor tags; they were passed over")
    parts = []
    for run in walk.runs:
        if run.first.kind[1] < 3:
            parts.append(_without_header(run))
        elif run.info and run.told == run.frames and len(run.stretches) == 1 and len(walk.runs) == 1 and not walk.cut:
            parts.append(Part(begin, None if begin == 0 else ((run.begin, run.stretches[-1][1]),)))
        elif run.info and run.told > run.frames and run is walk.runs[-1]:
            parts.append(
                Part(run.begin, (_sized(run), *run.stretches))
            )  # cut off: libsndfile says how long it should be
        else:
            if run.info and run.told != run.frames and run.told:
                notices.append(f"a header promises {run.told} MP3 frames, and {run.frames} are there; all are heard")
            parts.append(Part(run.begin, (_xing(run), *run.stretches)))
    last = walk.runs[-1]
    told = walk.cut is None or last.told > last.frames  # then libsndfile knows how long it should be
    cut = None if told or walk.cut is None else f"its last MP3 frame has {walk.cut[0]} of {walk.cut[1]} bytes"
    return Plan(tuple(parts), tuple(notices), cut_off=cut)


def _without_header(run: _Run) -> Part:
    """Layers I and II, which have no Xing header: read to the frames that were counted.

    libsndfile reads no further than it guesses from the first frames' size, so the bytes are given more than once, until any
    such guess lies behind their end.
    """
    size = sum(end - begin for begin, end in run.stretches)
    times = 2 + run.frames * run.first.size * 5 // (4 * size)
    return Part(run.begin, tuple(run.stretches) * times, run.frames * run.first.samples)


class _Walk:
    """One way through a file."""

    def __init__(self, file: BinaryIO, total: int) -> None:
        self._window = _Window(file)
        self._total = total
        self.runs: list[_Run] = []
        self.junk = 0
        self.cut: tuple[int, int] | None = None
        self._end = -1  # of the newest frame
        self._fresh = True  # whether the next frame begins a file

    def go(self, at: int) -> None:
        """Walk from ``at`` to the end."""
        while at < self._total:
            head = self._window.at(at, 4)
            frame = frame_of(head)
            if frame is None or not self._belongs(at, frame):
                at = self._pass_over(at)
            elif at + frame.size > self._total:
                self.cut = (self._total - at, frame.size)
                return
            else:
                self._take(at, head, frame)
                at += frame.size
                self._end = at

    def _belongs(self, at: int, frame: Frame) -> bool:
        """Whether this is a frame and not four bytes that look like one."""
        if at == self._end and frame.kind == self.runs[-1].first.kind:  # right behind the one before it
            return True
        behind = at + frame.size
        after = frame_of(self._window.at(behind, 4))
        return (after is not None and after.kind == frame.kind) or (behind == self._total and bool(self.runs))

    def _take(self, at: int, head: bytes, frame: Frame) -> None:
        body = self._window.at(at, frame.size)
        told = _told(body, frame)
        run = self.runs[-1] if self.runs else None
        if run is None or self._fresh or told is not None or frame.kind != run.first.kind:
            run = _Run(at, head, frame)
            self.runs.append(run)
            self._fresh = False
        if told is not None:
            run.info, run.told = body, told
            return
        run.frames += 1
        if run.stretches and run.stretches[-1][1] == at:
            run.stretches[-1] = (run.stretches[-1][0], at + frame.size)
        elif len(run.stretches) < _ODD:
            run.stretches.append((at, at + frame.size))

    def _pass_over(self, at: int) -> int:
        """One past a tag, or past bytes that are nothing."""
        head = self._window.at(at, 32)
        if head[:3] == b"ID3" and len(head) >= 10:
            self._fresh = True
            return at + id3_size(head)
        if head[:3] == b"TAG" and self._total - at >= 128:
            return at + 128
        if head[:8] == b"APETAGEX":
            size = int.from_bytes(head[12:16], "little")
            return at + (32 + size if head[23] & 0x20 else 32)
        if head[:11] == b"LYRICSBEGIN":
            return self._behind_lyrics(at)
        step = self._to_next(at)
        if self.runs:
            self.junk += step
        return at + step

    def _to_next(self, at: int) -> int:
        """Bytes to the next frame or tag, as far as the window shows."""
        here = self._window.at(at, min(_CHUNK, self._total - at))
        for hit in _MARK.finditer(here, 1):
            frame = frame_of(self._window.at(at + hit.start(), 4))
            if hit[0][0] != 0xFF or (frame is not None and self._belongs(at + hit.start(), frame)):
                return hit.start()
        return max(1, len(here) - 8)  # a mark may lie across the end

    def _behind_lyrics(self, at: int) -> int:
        end = self._window.at(at, _CHUNK).find(b"LYRICS200")
        return at + (end + 9 if end > 0 else 11)


def id3_size(head: bytes) -> int:
    """Bytes of the ID3v2 tag whose first ten these are; its size is written seven bits to a byte."""
    size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    return 10 + size + (10 if head[5] & 0x10 else 0)


def _told(body: bytes, frame: Frame) -> int | None:
    """Frames by a Xing, Info or VBRI header, 0 where it gives none; None where this is a frame of sound."""
    at = 4 + frame.side
    if body[at : at + 4] in (b"Xing", b"Info"):
        flags, count = struct.unpack(">II", body[at + 4 : at + 12].ljust(8, b"\0"))
        return count if flags & 1 else 0
    if body[36:40] == b"VBRI":
        return 0  # libsndfile does not know it
    return None


def _sized(run: _Run) -> bytes:
    """The run's Xing header with the right count of bytes: of a wrong one libmpg123 tells on stderr, in a line of its own."""
    at = 4 + run.first.side
    flags = int.from_bytes(run.info[at + 4 : at + 8], "big")
    if not flags & 2:
        return run.info
    at += 12 if flags & 1 else 8
    size = len(run.info) + sum(end - begin for begin, end in run.stretches)
    return run.info[:at] + struct.pack(">I", size) + run.info[at + 4 :]


def _xing(run: _Run) -> bytes:
    """The header that gives the run's frames: its own, with the right count, or one made for it.

    Without what LAME adds to it, the decoder takes only its own delay of 529 samples off the beginning.
    """
    at = 4 + run.first.side
    if run.told:
        info = _sized(run)
        return info[: at + 8] + struct.pack(">I", run.frames) + info[at + 12 :]
    for rate in range(1, 15):
        head = bytes([0xFF, run.head[1] | 1, rate << 4 | run.head[2] & 0x0C, run.head[3]])
        frame = frame_of(head)
        if frame is not None and frame.size >= _ROOM:
            made = head + bytes(frame.side) + b"Xing" + struct.pack(">II", 1, run.frames)
            return made + bytes(frame.size - len(made))
    return b""
