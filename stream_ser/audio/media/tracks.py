"""Which of a media file's tracks is heard, and what its clock and its codec bring with them. Pure.

Rules that FFmpeg's libraries leave to whoever uses them, found by a track of clicks through each of them:

- **Priming.** An encoder puts its own delay in front. Where the file says so (an edit list, a codec delay), the decoder
  leaves it out. Where not, and the first packet's time is zero, the delay lies on the file's clock as if it were sound.
- **Zero.** The clocks of MP4 and Matroska begin at 0 by their own rules; those of the others begin anywhere, and what the file
  has first is its beginning.
- **The end.** Only MP4 says to the sample where its sound ends, and what browsers write there is too little; the others say
  how long all of the file is, or nothing, and FFmpeg then gives an estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from stream_ser.audio.files.opening import convert
from stream_ser.errors import SourceError

ESTIMATED = frozenset({"aac", "amr", "amrnb", "amrwb", "ac3", "eac3"})  # readers that know no length
FROM_ZERO = frozenset({"mov", "matroska"})
FRAME_OF_PRIMING = frozenset({"aac", "wmav1", "wmav2"})  # one frame of the codec
PRIMING = {"mp3": 529, "mp3float": 529, "ac3": 256, "eac3": 256}  # frames
LISTED = 8  # tracks that an error names


@dataclass(frozen=True, slots=True)
class Track:
    """A sound track. ``rate`` and ``channels`` are as its header has them, and the decoder may say otherwise."""

    index: int  # among all streams of the file
    codec: str
    rate: int
    channels: int
    decodable: bool = True
    title: str = ""
    language: str = ""

    def __str__(self) -> str:
        count = {1: "mono", 2: "stereo"}.get(self.channels, f"{self.channels} channels")
        language = "" if self.language in ("", "und") else f" {self.language}"
        return f"{self.codec} {count}{language}" + (f" “{self.title}”" if self.title else "")


def choose(path: Path, tracks: Sequence[Track], others: Sequence[str], wanted: int | None, decoder: str) -> Track:
    """The track that is heard: the one that there is, or the one that was asked for, counted from 1.

    Raises SourceError where there is none, none that can be decoded, or several and nobody said which.
    """
    if not tracks:
        rest = ", ".join(others) or "nothing that is known"
        raise SourceError(f"{path} has no sound: it holds {rest}", fix="give a recording with sound")
    if wanted is not None and not 1 <= wanted <= len(tracks):
        count = "one sound track" if len(tracks) == 1 else f"{len(tracks)} sound tracks"
        raise SourceError(f"{path} has {count}, and track {wanted} was asked for", fix="choose one that is there")
    able = [track for track in tracks if track.decodable]
    chosen = tracks[wanted - 1] if wanted is not None else able[0] if able else tracks[0]
    if not chosen.decodable:
        raise SourceError(f"{path}: its sound is {chosen.codec}, which {decoder} cannot decode", fix=convert(path))
    if wanted is None and len(able) > 1:
        told = "; ".join(f"{number} {track}" for number, track in enumerate(tracks[:LISTED], 1))
        more = f"; {len(tracks) - LISTED} more" if len(tracks) > LISTED else ""
        raise SourceError(
            f"{path} has {len(tracks)} sound tracks ({told}{more})",
            fix="choose one, as --track 1 (track=1 in Python)",
        )
    return chosen


def check_one_track(path: Path, wanted: int | None) -> None:
    """Raise SourceError where a track was asked for that a file with one cannot have."""
    if wanted is not None:
        choose(path, [Track(0, "sound", 0, 1)], (), wanted, "")


def priming(codec: str, skips: bool, first_s: Fraction | None, frame: int, rate: int) -> Fraction:
    """Seconds of the encoder's delay that lie on the file's clock as if they were sound.

    ``skips`` is whether the file says what to leave out; ``first_s`` is the first packet's time after the file's zero, and
    ``frame`` the frames that are in it at ``rate``. A packet that begins before zero, or so late that there was room for the
    delay before its sound, is where it should be.
    """
    delay = Fraction(frame if codec in FRAME_OF_PRIMING else PRIMING.get(codec, 0), rate)
    placed = first_s is not None and not 0 <= first_s < delay
    return Fraction(0) if skips or placed else delay
