"""Which media container a file is, by its first bytes. Pure functions.

FFmpeg would guess by itself, and takes playlists, which name other files and addresses, for media. So it is asked only about
files that begin as one of these, and may use no other reader than those in ``FORMATS``.
"""

from __future__ import annotations

HEAD = 1 << 16  # bytes that :func:`media_container` may want to see
FORMATS = (  # FFmpeg's names of its readers
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,asf,amr,amrnb,amrwb,aac,ac3,eac3,caf,avi,flv,mpegts,mpeg,wv"
)
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_MARKS: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftyp", "MP4"),
    (0, b"\x1aE\xdf\xa3", "WebM or Matroska"),
    (0, _ASF, "WMA or WMV"),
    (0, b"#!AMR", "AMR"),
    (8, b"AVI ", "AVI"),
    (0, b"FLV\x01", "FLV"),
    (0, b"\x00\x00\x01\xba", "MPEG video"),
    (0, b"wvpk", "WavPack"),
)
_QUICKTIME = (b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")  # first boxes of files older than ftyp
_OF_SNDFILE = (b"lpcm", b"alac", b"ulaw", b"alaw")  # CAF's codecs that libsndfile reads
_PACKETS = ((188, 0), (192, 4))  # MPEG-TS: bytes of a packet, and where its mark lies


def media_container(head: bytes) -> str | None:
    """Name the container that begins with ``head`` (up to HEAD bytes); None where it is none of those that are known here."""
    for at, magic, name in _MARKS:
        if head[at : at + len(magic)] == magic:
            return name
    if head[4:8] in _QUICKTIME and int.from_bytes(head[:4], "big") in (0, 1, *range(8, 1 << 31)):
        return "QuickTime"
    if head[:4] == b"caff" and head[8:12] == b"desc" and head[28:32] not in _OF_SNDFILE:
        return f"CAF with {head[28:32].decode('latin-1').strip()}"
    if head[:2] == b"\x0b\x77" and len(head) > 5 and head[5] >> 3 <= 16:
        return "AC-3"
    if any(all(head[at + n * size : at + n * size + 1] == b"\x47" for n in range(4)) for size, at in _PACKETS):
        return "MPEG-TS"
    return "AAC" if _is_adts(head) else None


def _is_adts(head: bytes) -> bool:
    """Whether three ADTS frames follow each other, behind an ID3 tag if there is one."""
    at = 0
    if head[:3] == b"ID3" and len(head) > 10:
        at = 10 + sum((byte & 0x7F) << 7 * (3 - place) for place, byte in enumerate(head[6:10]))
    for _ in range(3):
        frame = head[at : at + 7]
        if len(frame) < 7 or frame[0] != 0xFF or frame[1] & 0xF6 != 0xF0:
            return False
        size = (frame[3] & 3) << 11 | frame[4] << 3 | frame[5] >> 5
        if size < 7:
            return False
        at += size
    return True
