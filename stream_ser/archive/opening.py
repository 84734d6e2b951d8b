"""From what a person calls a folder, a path or a URL, to the folder. Imports nothing of object storage unless it is meant."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from stream_ser.archive.folders import LocalFolder, Recordings, Results

URL = re.compile(r"([a-z][a-z0-9+.-]+)://.", re.IGNORECASE)  # not one letter: that is a drive


class Folder(Recordings, Results, Protocol):
    """What either kind of folder is."""


def is_url(place: str) -> bool:
    """Whether this is a URL rather than a path."""
    return URL.match(place) is not None


def open_recordings(place: str) -> Recordings:
    """The folder of recordings at a path or a URL. Raises ConfigError for a URL that cannot be read here."""
    return _open(place)


def open_results(place: str) -> Results:
    """The folder of results at a path or a URL. Raises ConfigError for a URL that cannot be written here."""
    return _open(place)


def _open(place: str) -> Folder:
    scheme = URL.match(place)
    if scheme is None:
        return LocalFolder(Path(place))
    if scheme[1].lower() == "file":
        return LocalFolder(Path(unquote(urlsplit(place).path)))
    from stream_ser.archive.remote import RemoteFolder

    return RemoteFolder(place)
