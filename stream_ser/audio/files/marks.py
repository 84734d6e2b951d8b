"""Which container the first bytes of a sound file begin, so that nobody takes one for raw samples. Pure functions."""

from __future__ import annotations

from stream_ser.audio.files.mpeg import frame_of

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
        frame = frame_of(head[at : at + 4])
        if frame is None or frame.kind[1] != 3 or head[at + 1] != head[1] or (head[at + 2] ^ head[2]) & 0x0C:
            return None
        at += frame.size
    return "MP3"
