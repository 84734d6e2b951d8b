"""Read a media file through the programs ffprobe and ffmpeg, where PyAV is not installed.

The same rules as for PyAV, but the program keeps the clock: holes come as silence, and the codec's padding at the end, less
than a frame of it, stays. ``ffmpeg`` runs while the recording is played and is ended by ``close``. Belongs to the thread that
plays the recording.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np

from stream_ser.audio.files.opening import convert, open_bytes
from stream_ser.audio.media.clock import APART_S, FileClock
from stream_ser.audio.media.marks import FORMATS
from stream_ser.audio.media.placing import PlacedReader
from stream_ser.audio.media.tracks import ESTIMATED, FROM_ZERO, Track, choose, priming
from stream_ser.audio.resample import Frames
from stream_ser.audio.source import Notice
from stream_ser.errors import SourceError

LEAD_S = 1.0
PIECE = 1 << 14  # frames read at once
PROBE_S = 60.0  # after which a file whose head is not understood is given up
LOOK = "%+#8"  # packets: some decoders hold the first ones back
SAFE = ("-protocol_whitelist", "file", "-format_whitelist", FORMATS)
ENTRIES = (
    "stream=index,codec_name,codec_type,sample_rate,channels,start_time,duration:stream_tags=language,title"
    ":format=format_name,start_time,duration"
)
FIRST = "packet=pts_time:packet_side_data=side_data_type:frame=nb_samples"


class FfmpegReader(PlacedReader):
    """Opens ``path``, or ``content``, to be read from ``begin_s`` on. Raises SourceError where it cannot be."""

    def __init__(
        self, path: Path, content: bytes | None, container: str, begin_s: float = 0.0, track: int | None = None
    ) -> None:
        super().__init__(path, container)
        self._closing = ExitStack()
        self._complaints: IO[bytes] = self._closing.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        try:
            self._file = self._closing.enter_context(open_bytes(path, content))
            self._fd = None if content is None else self._in_memory(content)
            self._look(self._file)
            self._open(begin_s, track)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """See ``Reader``."""
        self._closing.close()

    def check_whole(self, taken: int) -> Iterator[Notice]:
        """See ``Reader``."""
        self._complaints.seek(0)
        first, _, rest = self._complaints.read(1 << 16).decode("utf-8", "replace").strip().partition("\n")
        if first:
            more = f" (and {rest.count(chr(10)) + 1} lines more)" if rest else ""
            yield Notice("warning", f"{self._path.name}: ffmpeg says: {first}{more}")
        yield from super().check_whole(taken)

    def _in_memory(self, content: bytes) -> int:
        """A file in memory that the program can read at any place, as it must."""
        if not hasattr(os, "memfd_create"):
            raise SourceError(
                f"{self._path} is {self._kind} in memory, which ffmpeg cannot be given on this system",
                fix="pip install 'stream-ser[media]', or give the path of a file",
            )
        fd = os.memfd_create("stream-ser")
        self._closing.callback(os.close, fd)
        with os.fdopen(os.dup(fd), "wb") as file:
            file.write(content)
        return fd

    @property
    def _name(self) -> str:
        return f"file:{self._path.absolute()}" if self._fd is None else f"file:/proc/self/fd/{self._fd}"

    def _open(self, begin_s: float, wanted: int | None) -> None:
        told = self._probe(ENTRIES)
        streams = [stream for stream in told.get("streams", []) if stream.get("codec_type") == "audio"]
        others = [f"{stream.get('codec_type')} ({stream.get('codec_name')})" for stream in told.get("streams", [])]
        tracks = [_track(stream) for stream in streams]
        chosen = choose(self._path, tracks, [] if tracks else others, wanted, "ffmpeg")
        stream = streams[tracks.index(chosen)]
        kind = told["format"]["format_name"].split(",")[0]
        self._codec, self.samplerate, self.channels = chosen.codec, chosen.rate, chosen.channels
        head = self._probe(FIRST, "-read_intervals", LOOK, "-select_streams", str(chosen.index))
        zero = Fraction(0) if kind in FROM_ZERO else Fraction(told["format"].get("start_time", "0"))
        skips, first_s, frame = _head(head.get("packets_and_frames", []))
        zero += priming(chosen.codec, skips, first_s - zero, frame, self.samplerate)
        length = stream.get("duration") if kind == "mov" else told["format"].get("duration")
        if length is not None and kind not in ESTIMATED:
            start = Fraction(stream.get("start_time", "0")) - zero if kind == "mov" else 0
            self.duration_s = float(Fraction(length) + start)
        self._promised_s = self.duration_s if kind == "mov" else None
        self.begin = self._begin_at(begin_s)
        clock = FileClock(self.samplerate, Fraction(0), None, self.begin)
        near_s = self.begin / self.samplerate - LEAD_S
        seek = near_s + float(zero) if near_s > 0 and kind not in ESTIMATED else None
        self._start(clock, self._decode(chosen.index, zero, seek))

    def _probe(self, entries: str, *more: str) -> dict[str, Any]:
        command = ["ffprobe", "-v", "error", *SAFE, "-show_entries", entries, *more, "-of", "json", self._name]
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=PROBE_S, stdin=subprocess.DEVNULL, pass_fds=self._passed
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SourceError(f"{self._path} cannot be read by ffprobe ({error})", fix=convert(self._path)) from error
        if done.returncode:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise self._refusal(lines[-1].rpartition(": ")[2] if lines else "ffprobe does not say why")
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    @property
    def _passed(self) -> tuple[int, ...]:
        return () if self._fd is None else (self._fd,)

    def _decode(self, index: int, zero: Fraction, seek_s: float | None) -> Iterator[tuple[None, Frames]]:
        begin = round(zero * self.samplerate) + self.begin
        command = ["ffmpeg", "-nostdin", "-hide_banner", "-v", "error", *SAFE, "-copyts"]
        command += [] if seek_s is None else ["-ss", f"{seek_s:.3f}"]
        command += ["-i", self._name, "-map", f"0:{index}", "-ac", str(self.channels), "-ar", str(self.samplerate)]
        command += ["-af", f"aresample=async=1:min_hard_comp={APART_S}:first_pts={begin}", "-f", "f32le", "pipe:1"]
        width = 4 * self.channels
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            pass_fds=self._passed,
            bufsize=PIECE * width,
        )
        self._closing.callback(_end, process)
        assert process.stdout is not None
        while data := process.stdout.read(PIECE * width):
            whole = data[: len(data) // width * width]
            yield None, np.frombuffer(whole, dtype="<f4").astype(np.float32).reshape(-1, self.channels)
        if process.wait():
            self._break(f"ffmpeg ended with {process.returncode}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    if process.stdout is not None:
        process.stdout.close()
    process.wait()


def _track(stream: dict[str, Any]) -> Track:
    tags = stream.get("tags", {})
    codec, rate = stream.get("codec_name"), int(stream.get("sample_rate") or 0)
    return Track(
        stream["index"],
        codec or "of a kind that is not known",
        rate,
        int(stream.get("channels") or 0),
        codec is not None and rate > 0,
        tags.get("title", ""),
        tags.get("language", ""),
    )


def _head(found: list[dict[str, Any]]) -> tuple[bool, Fraction, int]:
    """Of the first packet, whether it says what to leave out, and its time; the frames of the first piece of sound."""
    first = next((item for item in found if item.get("type") == "packet"), {})
    skips = any(data.get("side_data_type") == "Skip Samples" for data in first.get("side_data_list", []))
    frames = next((int(item["nb_samples"]) for item in found if item.get("nb_samples")), 0)
    return skips, Fraction(first.get("pts_time", "0")), frames
