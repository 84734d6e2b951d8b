"""A recording's path, from whatever somebody gave for it; addresses of the web are told apart from files. Pure."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stream_ser.errors import SourceError

SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://(?=.)", re.IGNORECASE)  # not one letter: that is a drive
EATEN = re.compile(r"^(https?|wss?|file):/(?=[^/])", re.IGNORECASE)  # what Path leaves of it
CALLED = "recording"  # where the address has no name to give a file


def as_path(given: str | Path) -> Path:
    """The path; a ``file://`` address becomes one.

    Raises SourceError for any other address, with both of its slashes: nothing is fetched here.
    """
    text = EATEN.sub(r"\1://", str(given)) if isinstance(given, Path) else given
    scheme = SCHEME.match(text)
    if scheme is None or Path(given).exists():
        return Path(given)
    kind = scheme[1].lower()
    if kind == "file":
        return Path(unquote(urlsplit(text).path))
    if kind in ("ws", "wss"):
        raise SourceError(f"{text} is a feed and no recording", fix=f"to see it: stream-ser watch {shlex.quote(text)}")
    if kind not in ("http", "https"):
        raise SourceError(f"{text} is an address and no file", fix="get the file first, and give its path")
    name = Path(unquote(urlsplit(text).path)).name or CALLED
    fetch = f"curl -L -o {shlex.quote(name)} {shlex.quote(text)}"
    raise SourceError(
        f"{text} is an address and no file", fix=f"get it first: {fetch} && stream-ser replay {shlex.quote(name)}"
    )
