"""A folder in object storage, for recordings or for results, through fsspec: ``s3://bucket/folder`` and its like.

An object is replaced by one request that carries all of the new one, so it is the old one or the new one and nothing else;
``with filesystem.open(…, "wb")`` would, where an exception leaves it, replace the old one by what was written until then.
Where a storage has files rather than objects, the new one takes the name once it is whole.

A recording's bytes are in a file without a name while they are needed: the system forgets it with the process that holds it,
however that ends. Threads: one uses a folder; fsspec has one of its own for the network.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from stream_ser.archive.listing import Listing, Stamp, sort_out
from stream_ser.archive.remote_index import RemoteIndex, object_of
from stream_ser.errors import ConfigError, FeedError, SourceError

OBJECTS = frozenset({"abfs", "adl", "az", "gcs", "gs", "oci", "s3", "s3a"})  # a put shows all of it or nothing
LARGEST = 1 << 32  # bytes of one recording
SPARE = 64 << 20  # bytes that a temporary file leaves on its disk
CHUNK = 8 << 20
MODIFIED = ("LastModified", "last_modified", "updated", "mtime", "modified", "created")  # what storages call it
BRING = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "az": "azure", "abfs": "azure"}
INSTALL = {"s3": "stream-ser[s3]", "gcs": "gcsfs", "azure": "adlfs"}
CHECK = (
    "check the address, the network and the credentials (for s3: AWS_PROFILE or AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL)"
)


class RemoteFolder:
    """A folder of objects. Raises ConfigError where what reads such URLs is not installed or refuses this one."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        scheme = url.partition("://")[0].lower()
        try:
            from fsspec.core import url_to_fs

            self._storage, self._root = url_to_fs(self.url, use_listings_cache=False)
        except ImportError as error:
            kind = BRING.get(scheme)
            wanted = "stream-ser[s3]" if kind is None else INSTALL[kind]
            raise ConfigError(f"{url} cannot be read here: {error}", fix=f"pip install '{wanted}'") from error
        except ValueError as error:
            raise ConfigError(
                f"{url} is no address that can be used: {_told(error)}",
                fix="give a path, or one like s3://bucket/folder",
            ) from error
        except Exception as error:  # storages have errors of their own
            raise ConfigError(f"{url} is no folder that can be used: {_told(error)}", fix=CHECK) from error
        self._whole = scheme in OBJECTS
        self._there: set[str] | None = None

    def listing(self) -> Listing:
        """As of ``Recordings``. Raises ConfigError where there is no such folder, or it cannot be listed."""
        return sort_out((name, _stamp(facts)) for name, facts in self.objects().items() if name)

    def shown(self, name: str) -> str:
        """As of ``Recordings``."""
        return f"{self.url}/{name}"

    @contextmanager
    def fetch(self, name: str) -> Iterator[Path]:
        """As of ``Recordings`` and ``Results``."""
        with tempfile.TemporaryDirectory(prefix="stream-ser-") as folder:
            path = Path(folder, os.path.basename(name))
            with _nameless(path) as file:
                self._copy(name, file, Path(folder))
                yield path

    @contextmanager
    def room(self) -> Iterator[Path]:
        """As of ``Results``: a temporary folder."""
        with tempfile.TemporaryDirectory(prefix="stream-ser-") as folder:
            yield Path(folder)

    def keep(self, written: Iterable[Path], room: Path) -> None:
        """As of ``Results``: upload each whole."""
        for path in written:
            name = path.relative_to(room).as_posix()
            self.put(name, path)
            if self._there is not None:
                self._there.add(name)

    def has(self, name: str) -> bool:
        """As of ``Results``. All are listed at the first question."""
        if self._there is None:
            self._there = set(self.objects())
        return name in self._there

    def note(self, entry: dict[str, Any]) -> None:
        """As of ``Results``: an object of its own, so that whoever drives may be killed and know of it nevertheless."""
        name, line = object_of(entry)
        with self.told(f"write {self.shown(name)}"):
            self._storage.pipe_file(f"{self._root}/{name}", line)

    def index(self) -> RemoteIndex:
        """As of ``Results``."""
        return RemoteIndex(self)

    def objects(self, below: str = "") -> dict[str, dict[str, Any]]:
        """All objects by name, with what the storage says of each. Raises ConfigError."""
        root = f"{self._root}/{below}".rstrip("/")
        try:
            found = self._storage.find(root, detail=True)
        except FileNotFoundError:
            return {}
        except Exception as error:
            raise ConfigError(f"{self.url} cannot be listed: {_told(error)}", fix=CHECK) from error
        start = len(self._root.strip("/")) + 1
        return {path.strip("/")[start:]: facts for path, facts in found.items() if facts.get("type") != "directory"}

    def read(self, names: list[str]) -> Iterator[bytes]:
        """What is in these objects, in any order; those that have gone are left out. Raises ConfigError."""
        try:
            found = self._storage.cat([f"{self._root}/{name}" for name in names], on_error="return") if names else {}
        except Exception as error:
            raise ConfigError(f"{self.url} cannot be read: {_told(error)}", fix=CHECK) from error
        for held in found.values():
            if isinstance(held, bytes):
                yield held
            elif not isinstance(held, FileNotFoundError):
                raise ConfigError(f"{self.url} cannot be read: {_told(held)}", fix=CHECK) from held

    def put(self, name: str, path: Path) -> None:
        """Replace one object by what is in a file. Raises FeedError; then it is as it was."""
        target = f"{self._root}/{name}"
        with self.told(f"write {self.shown(name)}"):
            if self._whole:
                self._storage.put_file(str(path), target)
                return
            part = f"{target}.part"
            self._storage.makedirs(target.rpartition("/")[0], exist_ok=True)
            try:
                self._storage.put_file(str(path), part)
                self._storage.mv(part, target)
            except BaseException:
                with suppress(Exception):
                    self._storage.rm_file(part)
                raise

    def begin(self, name: str) -> None:
        """Write an empty object, which shows that results can be written. Raises ConfigError."""
        try:
            self._storage.pipe_file(f"{self._root}/{name}", b"")
        except Exception as error:
            raise ConfigError(f"cannot write into {self.url}: {_told(error)}", fix=CHECK) from error

    def remove(self, names: list[str]) -> None:
        """Remove objects, as far as they are there."""
        with suppress(Exception):  # what stays is read once more, and says nothing new
            if names:
                self._storage.rm([f"{self._root}/{name}" for name in names])

    @contextmanager
    def told(self, what: str) -> Iterator[None]:
        """Raise what goes wrong within as FeedError. ``what`` could not be done."""
        try:
            yield
        except Exception as error:
            fix = f"{CHECK}, and start it again: what is done is kept"
            raise FeedError(f"cannot {what}: {_told(error)}", fix=fix) from error

    def _copy(self, name: str, file: IO[bytes], folder: Path) -> None:
        shown, taken = self.shown(name), 0
        try:
            with self._storage.open(f"{self._root}/{name}", "rb", block_size=CHUNK, cache_type="readahead") as stream:
                size = stream.size
                if size is not None and size > LARGEST:
                    raise SourceError(
                        f"{shown} has {size} bytes, more than the {LARGEST} that are fetched at once",
                        fix="fetch it, and analyse it on a disk",
                    )
                if size is not None and size > (free := shutil.disk_usage(folder).free - SPARE):
                    raise FeedError(
                        f"{folder.parent} has room for {max(free, 0)} bytes, and {shown} has {size}",
                        fix="make room, or name another folder in TMPDIR, and start it again: what is done is kept",
                    )
                while chunk := stream.read(CHUNK):
                    taken += len(chunk)
                    if taken > LARGEST:
                        raise SourceError(
                            f"{shown} has more than {LARGEST} bytes", fix="fetch it, and analyse it on a disk"
                        )
                    file.write(chunk)
            file.flush()
        except (SourceError, FeedError):
            raise
        except (FileNotFoundError, PermissionError) as error:
            raise SourceError(f"{shown} cannot be read: {_told(error)}", fix="check that it is still there") from error
        except OSError as error:
            raise FeedError(
                f"cannot fetch {shown}: {_told(error)}", fix=f"{CHECK}, and start it again: what is done is kept"
            ) from error
        except Exception as error:
            raise FeedError(f"cannot fetch {shown}: {_told(error)}", fix=f"{CHECK}, and start it again") from error
        if size is not None and taken != size:
            raise SourceError(f"{shown} ended after {taken} of {size} bytes", fix="start it again")


@contextmanager
def _nameless(path: Path) -> Iterator[IO[bytes]]:
    """A file that is read at ``path``. On Linux its only name there leads into this process, and ends with it."""
    if sys.platform == "linux":
        with tempfile.TemporaryFile(dir=path.parent) as file:
            path.symlink_to(f"/proc/{os.getpid()}/fd/{file.fileno()}")
            yield file
    else:
        with path.open("w+b") as file:
            yield file


def _stamp(facts: dict[str, Any]) -> Stamp:
    when = next((facts[key] for key in MODIFIED if facts.get(key) is not None), None)
    moment = when.timestamp() if isinstance(when, datetime) else when
    stamp: Stamp = {
        "bytes": facts.get("size"),
        "modified_ns": round(moment * 1e9) if isinstance(moment, (int, float)) else None,
    }
    tag = facts.get("ETag") or facts.get("etag")
    return stamp if tag is None else {**stamp, "etag": str(tag).strip('"')}


def _told(error: BaseException) -> str:
    first = str(error).strip().partition("\n")[0]
    return first or type(error).__name__
