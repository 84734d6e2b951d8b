"""From a file of messages to files of other formats: one for each stream and format, each written whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from stream_ser.errors import ConfigError
from stream_ser.export.atomic import write_whole
from stream_ser.export.formats import Format
from stream_ser.export.reading import Recorded, read

LONGEST = 80  # letters of a stream's name within a file's


def convert(path: Path, targets: Sequence[tuple[Format, Path]]) -> list[Path]:
    """Write each stream of the messages in ``path`` to each target; the files that were written.

    Where there are several streams, a file's name says which. Raises ConfigError where ``path`` cannot be read, FeedError
    where a file cannot be written.
    """
    streams = read(path)
    written = []
    for form, target in targets:
        for stream, place in zip(streams, _places(target, form, streams), strict=True):
            if place.exists() and place.samefile(path):
                raise ConfigError(f"{place} is the file that is read", fix="choose another place with --out")
            try:
                write_whole(place, form.write(stream))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise ConfigError(
                    f"{path}: the messages of {stream.name} are no trajectory ({type(error).__name__}: {error})",
                    fix="give a file that --out FILE.jsonl of live, replay or analyze has written",
                ) from error
            written.append(place)
    return written


def _places(target: Path, form: Format, streams: Sequence[Recorded]) -> list[Path]:
    if len(streams) == 1:
        return [target]
    ending = form.suffix if target.name.lower().endswith(form.suffix.lower()) else target.suffix
    stem = target.name[: len(target.name) - len(ending)]
    taken: set[str] = set()
    places = []
    for stream in streams:
        short = name = re.sub(r"[^\w.-]+", "_", stream.name).strip("._")[-LONGEST:] or "stream"
        number = 1
        while name.casefold() in taken:  # on some systems Call.csv and call.csv are one file
            number += 1
            name = f"{short}-{number}"
        taken.add(name.casefold())
        places.append(target.with_name(f"{stem}.{name}{ending}"))
    return places


def beside(path: Path, formats: Sequence[Format], folder: Path | None) -> list[tuple[Format, Path]]:
    """Where ``stream-ser export`` writes: named like ``path``, in ``folder`` or beside it. Raises ConfigError."""
    folder = path.parent if folder is None else folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"cannot make the folder {folder}: {error.strerror or error}", fix="name a folder with --out"
        ) from error
    stem = re.sub(r"(\.\w+\.messages\.part|\.jsonl|\.jsonl\.part|\.ndjson)$", "", path.name) or path.name
    return [(form, folder / (stem + form.suffix)) for form in formats]
