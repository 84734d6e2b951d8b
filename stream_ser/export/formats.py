"""Which formats there are, by name and by the end of a file's name.

A format is a pure function from the messages of one stream to the bytes of its file. Another format is one more entry
in ``FORMATS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from stream_ser.errors import ConfigError
from stream_ser.export import plot
from stream_ser.export.audacity import audacity
from stream_ser.export.audformat import audformat
from stream_ser.export.rttm import rttm
from stream_ser.export.table import excel_table, table
from stream_ser.export.textgrid import textgrid
from stream_ser.export.webvtt import webvtt
from stream_ser.feed.message_types import Message
from stream_ser.feed.messages import encode


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file."""

    name: str
    suffix: str  # what its files' names end with
    write: Callable[[Iterable[Message]], Iterable[bytes]]
    needed: Callable[[], None] = lambda: None  # raises ConfigError where what it needs is not installed

    @property
    def ending(self) -> str:
        """What tells it apart by a file's name: the last part of the suffix."""
        return self.suffix[self.suffix.rindex(".") :].lower()


def jsonl(messages: Iterable[Message]) -> Iterator[bytes]:
    """The lines of one stream alone, with numbers of its own: 1, 2, 3 … and a hello with that of the one before it."""
    number = 0
    for message in messages:
        number += message["type"] != "hello"
        numbered: object = {**message, "seq": number}
        yield encode(cast(Message, numbered)).encode() + b"\n"


FORMATS = {
    form.name: form
    for form in (
        Format("jsonl", ".jsonl", jsonl),
        Format("csv", ".csv", table),
        Format("csv-excel", ".excel.csv", excel_table),
        Format("rttm", ".rttm", rttm),
        Format("textgrid", ".TextGrid", textgrid),
        Format("vtt", ".vtt", webvtt),
        Format("audformat", ".audformat.csv", audformat),
        Format("audacity", ".labels.txt", audacity),
        Format("png", ".png", plot.png, plot.needed),
        Format("svg", ".svg", plot.svg, plot.needed),
    )
}


def by_names(text: str) -> list[Format]:
    """The formats of a list as ``csv,textgrid``, each once. Raises ConfigError for what is none or cannot be had."""
    found: dict[str, Format] = {}
    for name in (part.strip().lower() for part in text.split(",")):
        if name not in FORMATS:
            raise ConfigError(f"--to {name!r} is no format", fix=f"choose from {', '.join(FORMATS)}, with commas")
        found[name] = FORMATS[name]
    for form in found.values():
        form.needed()
    return list(found.values())


def by_suffix(path: Path) -> Format:
    """The format that a file's name asks for; JSONL where it has no suffix. Raises ConfigError for any other.

    A name that ends with all of a format's suffix means that one: ``a.excel.csv`` is no plain CSV.
    """
    suffix = path.suffix.lower()
    whole = [form for form in FORMATS.values() if path.name.lower().endswith(form.suffix.lower())]
    for form in sorted(whole, key=lambda form: -len(form.suffix)) + list(FORMATS.values()):
        if suffix in ("", form.ending):
            form.needed()
            return form
    known = ", ".join(dict.fromkeys(form.ending for form in FORMATS.values()))
    raise ConfigError(f"--out {path}: {path.suffix} is no format", fix=f"let the name end with one of {known}")
