"""Read a media file through PyAV, whose wheels bring FFmpeg's libraries: one track, placed on the file's own clock.

Packets are read one after another and a handful of frames are held, so memory does not grow with the file. Belongs to the
thread that plays the recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream

from stream_ser.audio.files.opening import FASTEST, SLOWEST, convert, open_bytes
from stream_ser.audio.media.clock import FileClock
from stream_ser.audio.media.marks import FORMATS
from stream_ser.audio.media.placing import PlacedReader
from stream_ser.audio.media.tracks import ESTIMATED, FROM_ZERO, Track, choose, priming
from stream_ser.audio.resample import Frames
from stream_ser.errors import SourceError

NAME = "PyAV"
LEAD_S = 1.0  # sound that is decoded and left out before the place to begin at: codecs need some to get going
BUFFER = 1 << 16


class PyavReader(PlacedReader):
    """Opens ``path``, or ``content``, to be read from ``begin_s`` on. Raises SourceError where it cannot be."""

    def __init__(
        self, path: Path, content: bytes | None, container: str, begin_s: float = 0.0, track: int | None = None
    ) -> None:
        super().__init__(path, container)
        self._bytes = open_bytes(path, content)
        try:
            self._look(self._bytes)
            self._open(begin_s, track)
        except av.error.FFmpegError as error:
            self.close()
            raise self._refusal(error.strerror or str(error)) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """See ``Reader``."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        self._bytes.close()

    _opened: av.container.InputContainer | None = None

    def _open(self, begin_s: float, wanted: int | None) -> None:
        file = self._opened = self._container()
        kind = file.format.name.split(",")[0]
        chosen = choose(self._path, _tracks(file), _others(file), wanted, NAME)
        self._codec = chosen.codec
        stream = _stream(file, chosen.index)
        zero = Fraction(0 if kind in FROM_ZERO else file.start_time or 0, av.time_base)
        first, skips, first_s = self._first(file, stream, chosen)
        self.samplerate, self.channels = first.sample_rate, first.layout.nb_channels
        if not SLOWEST <= self.samplerate <= FASTEST:
            raise SourceError(
                f"{self._path} says that it has {self.samplerate} Hz, which is no sample rate of sound",
                fix=convert(self._path),
            )
        first_s = None if first_s is None else first_s - zero
        zero += priming(chosen.codec, skips, first_s, first.samples, self.samplerate)
        self.duration_s, self._end = self._length(file, stream, kind, zero)
        self._promised_s = None if self._end is None else self.duration_s
        self.begin = self._begin_at(begin_s)
        # The clock of what was looked at is spent: reading begins anew, at the beginning or near the place.
        file.close()
        file = self._opened = self._container()
        stream = _stream(file, chosen.index)
        near_s = self.begin / self.samplerate - LEAD_S
        if near_s > 0 and kind not in ESTIMATED:
            file.seek(int((near_s + float(zero)) * av.time_base))
        self._start(FileClock(self.samplerate, zero, self.duration_s, self.begin), self._decoded(file, stream))

    def _container(self) -> av.container.InputContainer:
        self._bytes.seek(0)
        return av.open(
            self._bytes,
            "r",
            container_options={"format_whitelist": FORMATS, "protocol_whitelist": "none"},
            metadata_errors="replace",
            buffer_size=BUFFER,
        )

    def _first(
        self, file: av.container.InputContainer, stream: AudioStream, chosen: Track
    ) -> tuple[av.AudioFrame, bool, Fraction | None]:
        """The first frame; of the first packet, whether it says what to leave out, and its time on the file's clock."""
        skips, time = False, None
        for number, packet in enumerate(file.demux(stream)):
            if number == 0:
                skips = any(data.data_type == "skip_samples" for data in packet.iter_sidedata())
                time = None if packet.pts is None or not packet.time_base else packet.pts * packet.time_base
            for frame in self._decode(packet):
                return frame, skips, time
        what = f"none of its sound can be decoded ({chosen.codec}: {self._damage or 'there is none'})"
        raise SourceError(f"{self._path}: {what}", fix=convert(self._path))

    def _length(
        self, file: av.container.InputContainer, stream: AudioStream, kind: str, zero: Fraction
    ) -> tuple[float | None, int | None]:
        """How long the file is, in seconds, and where its sound ends to the frame; None for what it does not say."""
        if kind == "mov" and stream.duration is not None and stream.time_base is not None:
            end = ((stream.start_time or 0) + stream.duration) * stream.time_base - zero
            return float(end), round(end * self.samplerate)
        if kind in ESTIMATED or file.duration is None:
            return None, None
        return file.duration / av.time_base, None

    def _decoded(
        self, file: av.container.InputContainer, stream: AudioStream
    ) -> Iterator[tuple[Fraction | None, Frames]]:
        """The track's frames as the decoder gives them, and their times."""
        try:
            for packet in file.demux(stream):
                for frame in self._decode(packet):
                    if frame.sample_rate != self.samplerate:
                        self._stop(f"its sound goes on at {frame.sample_rate} Hz behind {self.samplerate} Hz")
                        return
                    time_base = frame.time_base
                    time = None if frame.pts is None or not time_base else frame.pts * time_base
                    yield time, _as_frames(frame, self.channels)
        except av.error.FFmpegError as error:
            self._break(error.strerror or str(error))

    def _decode(self, packet: av.Packet[AudioStream]) -> list[av.AudioFrame]:
        try:
            frames = packet.decode()
            self._ends_damaged = self._ends_damaged and not frames
            return frames
        except av.error.EOFError:
            return []
        except av.error.FFmpegError as error:  # the packet is damaged; the next may be well
            self._damaged, self._ends_damaged = self._damaged + 1, True
            self._damage = self._damage or error.strerror or str(error)
            return []


def _stream(file: av.container.InputContainer, index: int) -> AudioStream:
    return next(stream for stream in file.streams.audio if stream.index == index)


def _tracks(file: av.container.InputContainer) -> list[Track]:
    found = []
    for stream in file.streams.audio:
        codec = cast("av.AudioCodecContext | None", stream.codec_context)  # None where there is no decoder
        title, language = stream.metadata.get("title", ""), stream.metadata.get("language", "")
        if codec is None:
            found.append(Track(stream.index, "of a kind that is not known", 0, 0, False, title, language))
        else:
            found.append(Track(stream.index, codec.name, codec.rate, codec.channels, True, title, language))
    return found


def _others(file: av.container.InputContainer) -> list[str]:
    return [
        f"{stream.type} ({stream.codec_context.name})" if stream.codec_context is not None else str(stream.type)
        for stream in file.streams
        if stream.type != "audio"
    ]


def _as_frames(frame: av.AudioFrame, channels: int) -> Frames:
    """A decoded frame as (n, channels) float32 with full scale at 1."""
    data = frame.to_ndarray()
    count = frame.layout.nb_channels
    data = data.T if frame.format.is_planar else data.reshape(-1, count)
    if data.dtype.kind == "f":
        made = data.astype(np.float32)
    elif data.dtype == np.uint8:
        made = (data.astype(np.float32) - np.float32(128)) / np.float32(128)
    else:
        made = data.astype(np.float32) / np.float32(1 << (8 * data.dtype.itemsize - 1))
    if count != channels:  # a decoder that learns late how many there are
        made = np.repeat(made.mean(axis=1, keepdims=True), channels, axis=1)
    return made
