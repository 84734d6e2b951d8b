"""What the bytes of a sound file say about themselves: which container it is, and whether it was cut off.

Pure functions over bytes and files; no state, no thread. They exist because libsndfile reads a WAV or Ogg file that
was cut off as if it had always been short.
"""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import BinaryIO

HEAD = 4096  # bytes that :func:`container_name` may want to see
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"RIFF", "WAV"),
    (0, b"RIFX", "WAV"),
    (0, b"RF64", "WAV"),
    (0, b"fLaC", "FLAC"),
    (0, b"OggS", "Ogg"),
    (0, b"ID3", "MP3"),
    (0, b"FORM", "AIFF"),
    (0, b"caff", "CAF"),
    (0, b"\x1aE\xdf\xa3", "WebM"),
    (4, b"ftyp", "MP4"),
)
_PLACEHOLDER = 0x7FFF_0000  # programs that cannot seek back leave a size at least this large, or none
# MPEG audio layer III: kb/s by index for MPEG 1, and for MPEG 2 and 2.5; Hz by index for MPEG 1
_KBPS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBPS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_HZ_1 = (44_100, 48_000, 32_000)


def could_be_mp3(head: bytes) -> bool:
    """Whether the first two bytes may begin an MP3 frame; raw samples may look like that, so more bytes must decide."""
    return len(head) >= 2 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2


def container_name(head: bytes) -> str | None:
    """Name the container that begins with ``head`` (up to HEAD bytes); None for raw samples as far as can be told."""
    for at, magic, name in _MAGIC:
        if head[at : at + len(magic)] == magic:
            return name
    at = 0
    for _ in range(3):  # three frames of one kind, each where the one before it ends, are no accident
        frame = head[at : at + 4]
        size = _mp3_frame_size(frame)
        if not size or frame[1] != head[1] or (frame[2] ^ head[2]) & 0x0C:
            return None
        at += size
    return "MP3"


def _mp3_frame_size(frame: bytes) -> int:
    """Bytes of the layer III frame whose header is at the beginning, 0 where there is none."""
    if len(frame) < 4 or not could_be_mp3(frame):
        return 0
    version, kbps, hertz, padding = frame[1] >> 3 & 3, frame[2] >> 4, frame[2] >> 2 & 3, frame[2] >> 1 & 1
    if version == 1 or kbps in (0, 15) or hertz == 3:
        return 0
    if version == 3:
        return 144_000 * _KBPS_1[kbps] // _HZ_1[hertz] + padding
    return 72_000 * _KBPS_2[kbps] // (_HZ_1[hertz] // (2 if version == 2 else 4)) + padding


def cut_off(sound: Path | bytes, container: str) -> str | None:
    """How a WAV or Ogg file shows that its end is missing, or None when it is whole or nobody can tell.

    ``sound`` is where the file is, or all of its bytes; ``container`` is libsndfile's name of the format. Raises OSError when
    the file cannot be read.
    """
    if container in ("WAV", "WAVEX"):
        return _wav_cut_off(sound)
    if container == "OGG":
        return _ogg_cut_off(sound)
    return None


def _opened(sound: Path | bytes) -> BinaryIO:
    return io.BytesIO(sound) if isinstance(sound, bytes) else sound.open("rb")


def _wav_cut_off(sound: Path | bytes) -> str | None:
    with _opened(sound) as file:
        total = file.seek(0, os.SEEK_END)
        file.seek(0)
        order = ">" if file.read(12)[:4] == b"RIFX" else "<"
        bytes_per_second = 0
        while len(header := file.read(8)) == 8:
            name, size = struct.unpack(f"{order}4sI", header)
            here = file.tell()
            if name == b"fmt ":
                bytes_per_second = struct.unpack(f"{order}I", file.read(16)[8:12])[0]
            if name == b"data":
                if size < _PLACEHOLDER and size > total - here and bytes_per_second:
                    return f"its header promises {size / bytes_per_second:.3f} s"
                return None
            file.seek(here + size + size % 2)
    return None


def _ogg_cut_off(sound: Path | bytes) -> str | None:
    with _opened(sound) as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 2 * 65_536))  # a page is shorter than 64 KiB
        tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    segments = page[27 : 27 + page[26]] if len(page) > 26 else b""
    whole = len(page) > 26 and len(segments) == page[26] and len(page) >= 27 + len(segments) + sum(segments)
    if whole and page[5] & 4:  # the flag of a stream's last page
        return None
    return "its last Ogg page is missing"
