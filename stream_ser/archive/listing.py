"""Which of the names in a folder are recordings, in which order, and which have no place among results. Pure."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from stream_ser.audio.media.choice import media_decoder

Stamp = dict[str, int | str | None]  # what shows that a recording is still the one that was analysed

# Ends of names that libsndfile's formats have; raw samples and MATLAB's files, which may be anything, are left out.
READABLE = re.compile(
    r"\.(aif|aifc|aiff|au|avr|bwf|caf|flac|htk|iff|mp3|nist|oga|ogg|opus|paf|pvf|rf64|sd2|sds|sf|snd|sph|svx|voc|w64|wave?"
    r"|wve|xi)",
    re.IGNORECASE,
)
MEDIA = re.compile(  # what PyAV or ffmpeg reads
    r"\.(3g2|3gp|aac|ac3|amr|asf|avi|eac3|flv|m4a|m4b|m4v|mka|mkv|mov|mp4|mpe?g|wma|wmv|webm|wv)", re.IGNORECASE
)
UNREADABLE = re.compile(r"\.(aax|ape|dff|dsf|m4p|ra|tta)", re.IGNORECASE)


@dataclass(slots=True)
class Listing:
    """What is in a folder and those below it: recordings by name, in order; what else is sound, by suffix; complaints."""

    recordings: dict[str, Stamp] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)


def sort_out(names: Iterable[tuple[str, Stamp]]) -> Listing:
    """The recordings among names, which are relative to their folder, with ``/`` between parts.

    Hidden ones are passed over. A name that would lead out of a folder of results is complained of: objects may have any.
    """
    listing = Listing()
    media = media_decoder() is not None
    found: list[tuple[PurePosixPath, str, Stamp]] = []
    for name, stamp in names:
        parts = name.split("/")
        suffix = os.path.splitext(parts[-1])[1]
        if any(part.startswith(".") and part.strip(".") for part in parts):
            continue
        readable = READABLE.fullmatch(suffix) or (media and MEDIA.fullmatch(suffix))
        if not readable:
            listing.others[suffix.lower()] += bool(UNREADABLE.fullmatch(suffix) or MEDIA.fullmatch(suffix))
        elif any(not part.strip(".") for part in parts) or "\0" in name:
            listing.complaints.append(
                f"{name} was left out: its name would lead out of the folder of results; rename it"
            )
        else:
            found.append((PurePosixPath(name), name, stamp))
    listing.recordings = {name: stamp for _, name, stamp in sorted(found, key=lambda each: each[0])}
    listing.others = +listing.others
    return listing
