"""Media files made in memory by PyAV, and what is heard of them: a track of clicks shows where sound lies, to the sample."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from stream_ser.audio.recording import open_recording
from stream_ser.audio.source import Notice
from stream_ser.errors import SourceError
from stream_ser.types import Block, Gap, SourceInfo

av = pytest.importorskip("av", reason="PyAV makes the files: pip install 'stream-ser[media]'")
RATE = 16_000


def clicks(seconds: float = 3.0, rate: int = 48_000) -> np.ndarray:
    """Short bursts at 0.2 s and every 0.37 s from there on, over a little noise; float32 (n,)."""
    sound = 0.003 * np.random.default_rng(3).standard_normal(round(rate * seconds))
    at = np.arange(round(0.03 * rate)) / rate
    burst = 0.7 * np.exp(-120 * at) * np.sin(2 * np.pi * 700 * at)
    for start in np.arange(0.2, seconds - 0.1, 0.37):
        place = round(start * rate)
        sound[place : place + len(burst)] += burst
    return sound.astype(np.float32)


@dataclass
class Kind:
    """How a file is made: FFmpeg's names of container and codec, and what else it is told."""

    container: str
    codec: str
    rate: int = 48_000
    bit_rate: int | None = None
    muxer: dict[str, str] = field(default_factory=dict)


KINDS: dict[str, Kind] = {
    "a.m4a": Kind("ipod", "aac", 44_100),
    "16k.m4a": Kind("ipod", "aac", 16_000),
    "lossless.m4a": Kind("ipod", "alac", 44_100),
    "fragmented.mp4": Kind("mp4", "aac", muxer={"movflags": "frag_keyframe+empty_moov"}),
    "no-edit-list.mp4": Kind("mp4", "aac", muxer={"use_editlist": "0"}),
    "opus.mp4": Kind("mp4", "libopus"),
    "fragmented-opus.mp4": Kind("mp4", "libopus", muxer={"movflags": "frag_keyframe+empty_moov"}),
    "mp3.mp4": Kind("mp4", "libmp3lame", 44_100),
    "a.mov": Kind("mov", "aac", 44_100),
    "pcm.mov": Kind("mov", "pcm_s16le", 44_100),
    "a.webm": Kind("webm", "libopus"),
    "aac.mkv": Kind("matroska", "aac"),
    "flac.mka": Kind("matroska", "flac", 44_100),
    "amr.3gp": Kind("3gp", "amr_nb", 8_000, 12_200),
    "a.amr": Kind("amr", "amr_nb", 8_000, 12_200),
    "aac.3gp": Kind("3gp", "aac", 16_000),
    "a.wma": Kind("asf", "wmav2", 44_100, 128_000),
    "a.aac": Kind("adts", "aac", 44_100),
    "a.ac3": Kind("ac3", "ac3"),
    "a.ts": Kind("mpegts", "aac"),
    "a.flv": Kind("flv", "aac", 44_100),
    "mp3.avi": Kind("avi", "libmp3lame", 44_100),
}


def encode(
    kind: Kind, *tracks: np.ndarray, video: bool = False, start_s: float = 0.0, hole: tuple[float, float] | None = None
) -> bytes:
    """A file with these tracks, each (n,) float32 at the kind's rate or (2, n).

    ``video`` puts a second of pictures beside them; the sound begins at ``start_s`` of the file's clock, and between the two
    times of ``hole`` it is left out.
    """
    file = io.BytesIO()
    with av.open(file, "w", format=kind.container, options=kind.muxer) as out:
        pictures = out.add_stream("mpeg4", rate=10) if video else None
        streams = [
            out.add_stream(kind.codec, rate=kind.rate, layout="stereo" if t.ndim == 2 else "mono") for t in tracks
        ]
        for stream in streams:
            if kind.bit_rate is not None:
                stream.bit_rate = kind.bit_rate
        if pictures is not None:
            pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
            for shade in range(10):
                picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * shade, np.uint8), format="rgb24")
                out.mux(pictures.encode(picture))
            out.mux(pictures.encode(None))
        for stream, sound in zip(streams, tracks, strict=True):
            _encode(out, stream, np.atleast_2d(sound), kind.rate, start_s, hole)
    return file.getvalue()


def _encode(
    out: Any, stream: Any, sound: np.ndarray, rate: int, start_s: float, hole: tuple[float, float] | None
) -> None:
    context = stream.codec_context
    size = context.frame_size or 1024
    begin = round(start_s * rate)
    for at in range(0, sound.shape[1], size):
        if hole is not None and hole[0] <= at / rate < hole[1]:
            continue
        piece = np.ascontiguousarray(sound[:, at : at + size])
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=context.layout.name)
        frame.sample_rate = rate
        resampler = av.AudioResampler(format=context.format, layout=context.layout, rate=rate)
        for made in resampler.resample(frame):
            made.pts, made.time_base = begin + at, Fraction(1, rate)
            out.mux(stream.encode(made))
    out.mux(stream.encode(None))


@dataclass
class Heard:
    """What came of a file: 16 kHz sound with zeros for gaps, those gaps, what was said, and why it ended too early."""

    samples: np.ndarray
    gaps: list[tuple[int, int]]
    notices: list[str]
    failure: SourceError | None
    info: SourceInfo


def hear(name: str, content: bytes, block: int = 800, **options: Any) -> Heard:
    """Play a file in memory. Raises SourceError where it cannot be opened."""
    recording = open_recording(name, speed=None, content=content, block=block, **options)
    parts, gaps, notices, failure, end = [np.zeros(0, np.float32)], [], [], None, 0
    try:
        for item in recording:
            if isinstance(item, Notice):
                notices.append(item.text)
                continue
            assert item.start == end
            end = item.end
            parts.append(item.samples if isinstance(item, Block) else np.zeros(end - item.start, np.float32))
            if isinstance(item, Gap):
                gaps.append((item.start, item.end))
    except SourceError as error:
        failure = error
    return Heard(np.concatenate(parts), _joined(gaps), notices, failure, recording.info)


def _joined(gaps: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in gaps:
        if joined and joined[-1][1] == start:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined


def lag(heard: np.ndarray, sound: np.ndarray) -> int:
    """By how many samples it comes later."""
    size = 1 << (len(heard) + len(sound)).bit_length()
    found = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sound, size)))
    best = int(np.argmax(found))
    return best if best < size // 2 else best - size
