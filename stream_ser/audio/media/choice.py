"""Which library reads a recording: libsndfile what it can, PyAV the rest, or an ffmpeg on the PATH where PyAV is not there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

from stream_ser.audio.files.layout import read_at
from stream_ser.audio.files.opening import open_bytes
from stream_ser.audio.files.reader import Reader, SoundfileReader
from stream_ser.audio.media.marks import HEAD, media_container
from stream_ser.audio.media.tracks import check_one_track
from stream_ser.errors import SourceError

BRING = "pip install 'stream-ser[media]', or install ffmpeg"  # what brings a decoder


def open_reader(path: Path, content: bytes | None, begin_s: float, track: int | None) -> Reader:
    """What decodes the file at ``path``, or ``content``, from ``begin_s`` on. Raises SourceError."""
    with open_bytes(path, content) as file:
        try:
            container = media_container(read_at(file, 0, HEAD))
        except OSError:
            container = None  # whoever reads it in earnest says what is wrong
    if container is None:
        check_one_track(path, track)
        return SoundfileReader(path, content, begin_s)
    decoder = media_decoder()
    if decoder == "PyAV":
        from stream_ser.audio.media.pyav_reader import PyavReader

        return PyavReader(path, content, container, begin_s, track)
    if decoder == "ffmpeg":
        from stream_ser.audio.media.ffmpeg_reader import FfmpegReader

        return FfmpegReader(path, content, container, begin_s, track)
    raise SourceError(f"{path} is {container}, which neither PyAV nor ffmpeg is there to read", fix=BRING)


def media_decoder() -> Literal["PyAV", "ffmpeg"] | None:
    """What reads media here: PyAV where it can be imported, else the programs on the PATH; None where nothing does."""
    try:
        import av  # noqa: F401 - it takes 60 ms, and is asked only about such files
    except ImportError:
        return "ffmpeg" if shutil.which("ffmpeg") and shutil.which("ffprobe") else None
    return "PyAV"
