"""Whole sound files of every container that soundfile writes, and the ways in which they come broken.

All files are made here, in memory; the length fields are patched by each container's own rules.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable

import numpy as np
import soundfile

RATE = 16_000
SECONDS = 2.0
CONTAINERS: dict[str, tuple[str, str]] = {
    "WAV": ("WAV", "PCM_16"),
    "WAV extensible": ("WAVEX", "PCM_24"),
    "WAV GSM": ("WAV", "GSM610"),
    "WAV MS ADPCM": ("WAV", "MS_ADPCM"),
    "RF64": ("RF64", "PCM_16"),
    "W64": ("W64", "PCM_16"),
    "AIFF": ("AIFF", "PCM_16"),
    "CAF": ("CAF", "PCM_16"),
    "AU": ("AU", "PCM_16"),
    "NIST": ("NIST", "PCM_16"),
    "VOC": ("VOC", "PCM_16"),
    "SVX": ("SVX", "PCM_16"),
    "AVR": ("AVR", "PCM_16"),
    "WVE": ("WVE", "ALAW"),
    "MPC 2000": ("MPC2K", "PCM_16"),
    "MATLAB 4": ("MAT4", "PCM_16"),
    "MATLAB 5": ("MAT5", "PCM_16"),
    "IRCAM": ("IRCAM", "PCM_16"),
    "PAF": ("PAF", "PCM_16"),
    "PVF": ("PVF", "PCM_16"),
    "HTK": ("HTK", "PCM_16"),
    "FLAC": ("FLAC", "PCM_16"),
    "Ogg Vorbis": ("OGG", "VORBIS"),
    "Ogg Opus": ("OGG", "OPUS"),
    "MP3": ("MP3", "MPEG_LAYER_III"),
}


def rate_of(name: str) -> int:
    """The rate that a container is made with: WVE has one only."""
    return 8_000 if name in ("WVE", "WAV GSM") else RATE


def noise(seconds: float = SECONDS, rate: int = RATE, seed: int = 3) -> np.ndarray:
    """Noise, which compresses badly, so that a compressed file has several pages or frames."""
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * rate)).astype(np.float32)


def made(name: str, samples: np.ndarray | None = None) -> bytes:
    """A whole file of one of CONTAINERS."""
    container, subtype = CONTAINERS[name]
    file = io.BytesIO()
    rate = rate_of(name)
    soundfile.write(file, noise(rate=rate) if samples is None else samples, rate, format=container, subtype=subtype)
    return file.getvalue()


def with_length(name: str, data: bytes, change: Callable[[int], int]) -> bytes:
    """The file with the length in its header changed; in bytes of sound, or in whatever unit the container counts.

    Raises KeyError for a container whose header holds none that can be changed.
    """
    if name == "NIST":
        hit = re.search(rb"sample_count -i (\d+)", data)
        assert hit is not None
        line = b"sample_count -i %d" % change(int(hit[1]))
        return (data[: hit.start()] + line + data[hit.end() : 1024])[:1024].ljust(1024, b" ") + data[1024:]
    if name == "VOC":  # its blocks' sizes have 24 bits
        size = change(int.from_bytes(data[27:30], "little") - 12) + 12
        return data[:27] + size.to_bytes(3, "little") + data[30:]
    if name == "FLAC":  # 36 bits of STREAMINFO
        word = int.from_bytes(data[18:26], "big")
        total = word & (1 << 36) - 1
        return data[:18] + (word - total + change(total)).to_bytes(8, "big") + data[26:]
    at, form, extra = _field(name, data)
    body = bytearray(data)
    new = change(struct.unpack_from(form, data, at)[0] - extra) + extra
    struct.pack_into(form, body, at, new)
    return bytes(body)


def open_ended(name: str, data: bytes) -> bytes:
    """The file with the length that says "to the end" on purpose. Raises KeyError where a container has none."""
    at, form, _ = _field(name, data)
    body = bytearray(data)
    struct.pack_into(form, body, at, {"RF64": (1 << 64) - 1, "W64": (1 << 64) - 1, "CAF": -1}.get(name, 0xFFFF_FFFF))
    if name not in ("RF64", "W64", "CAF", "AU") and not name.startswith("WAV"):
        raise KeyError(name)
    return bytes(body)


def _field(name: str, data: bytes) -> tuple[int, str, int]:
    """Where the length is, how it is written, and what it counts beside the sound."""
    if name.startswith("WAV"):
        return data.index(b"data") + 4, "<I", 0
    if name == "W64":
        return data.index(b"data\xf3\xac\xd3\x11") + 16, "<Q", 24
    if name == "MATLAB 5":
        at = 128 + 8 + struct.unpack_from("<I", data, 132)[0] + 8
        for _ in range(3):
            kind, size = struct.unpack_from("<II", data, at)
            at += 8 if kind >> 16 else 8 + size + -size % 8
        return at + 4, "<I", 0
    return {
        "RF64": (28, "<Q", 0),
        "AIFF": (data.find(b"SSND") + 4, ">I", 8),
        "SVX": (data.find(b"BODY") + 4, ">I", 0),
        "CAF": (data.find(b"data") + 4, ">q", 4),
        "AU": (8, ">I", 0),
        "AVR": (26, ">I", 0),
        "WVE": (18, ">I", 0),
        "MPC 2000": (30, "<I", 0),
        "MATLAB 4": (39 + 8, "<I", 0),
        "HTK": (0, ">I", 0),
    }[name]
