"""The token file on disk: read again when it changes, so that tokens come and go without a restart, and written safely.

A file that breaks does not lock anybody out: the tokens that were read last stay in force, and the error is reported once for
each state of the file. One thread asks; the file is looked at once a second at most, and may be read by another one: thousands
of tokens take a tenth of a second.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from stream_ser.errors import ConfigError
from stream_ser.server import tokens
from stream_ser.server.limits import SECOND_NS
from stream_ser.server.rejection import Refusal
from stream_ser.server.tokens import Grant, NewToken, Role, TokenEntry

LARGEST = 1 << 20  # bytes
KEPT = 0o640  # of a file's mode, when it is written anew


class TokenFile:
    """The tokens of ``path``, as they are now. ``report`` hears of a file that cannot be used any more, and of one that can.

    ``aside`` has a changed file read, in a thread say; those that were read before are in force until then.
    Raises ConfigError where the file cannot be used to begin with.
    """

    def __init__(
        self,
        path: Path,
        now_ns: int,
        report: Callable[[ConfigError | None], None] = lambda _: None,
        aside: Callable[[Callable[[], None]], object] = lambda work: work(),
    ) -> None:
        self._path, self._report, self._aside = path, report, aside
        self._reading = False
        self._looked_ns = now_ns
        self._seen = _mark(path)
        self._broken = False
        self._entries = read(path)

    @property
    def entries(self) -> tuple[TokenEntry, ...]:
        """The tokens in force."""
        return self._entries

    def check(self, secret: str | None, role: Role, now: datetime, now_ns: int) -> Grant | Refusal:
        """Say whose token this is, or why it does not let in; ``now_ns`` is monotonic, ``now`` wall time."""
        self.look(now_ns)
        return tokens.check(self._entries, secret, role, now)

    def look(self, now_ns: int) -> None:
        """Read the file again if it changed, at most once a second."""
        if self._reading or now_ns - self._looked_ns < SECOND_NS:
            return
        self._looked_ns = now_ns
        mark = _mark(self._path)
        if mark == self._seen:
            return
        self._seen, self._reading = mark, True
        self._aside(self._read)

    def _read(self) -> None:
        try:
            self._entries = read(self._path)
        except ConfigError as error:
            self._broken = True
            self._report(error)
        else:
            if self._broken:
                self._broken = False
                self._report(None)
        finally:
            self._reading = False


def read(path: Path) -> tuple[TokenEntry, ...]:
    """Read a token file. Raises ConfigError where it is absent, wrong, or open for others to write."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"cannot read the tokens of {path}: {error.strerror}", fix="check the path") from error
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(f"others may write {path}, and so let themselves in", fix=f"run chmod 600 {path}")
    if len(data) > LARGEST:
        raise ConfigError(f"{path} has more than {LARGEST} bytes", fix="take out tokens that have ended")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text: {error}", fix="write it in UTF-8") from error
    return tokens.parse(text, str(path))


def add(path: Path, token: NewToken) -> None:
    """Add a token to the file, whole or not at all; a file that there is keeps its owner and its group, which may read.

    Where there is none it is made, and the owner's alone (0600). Others never get to read it. Where ``path`` is a symbolic link
    the file that it leads to is written, and the link stays. Raises ConfigError where the file cannot be used or written, or
    not by this user so that it stays whose it was.
    """
    path = _behind_links(path)
    part = path.with_name(path.name + ".part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # held from before reading until written
    except FileExistsError as error:
        fix = "wait until it has ended; if there is none, remove that file"
        raise ConfigError(f"another command is writing {part}", fix=fix) from error
    except OSError as error:
        raise ConfigError(f"cannot write {part}: {error.strerror}", fix="choose another folder") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(_with(path, token))
            _keep_owner(path, handle)
            file.flush()
            os.fsync(handle)
        part.replace(path)
    except BaseException as error:
        part.unlink(missing_ok=True)  # only here: once it has become the file, that name is the next command's
        if isinstance(error, OSError):
            fix = "make room, or choose another folder"
            raise ConfigError(f"cannot write {path}: {error.strerror}", fix=fix) from error
        raise


def _behind_links(path: Path) -> Path:
    """The file itself: a new one in place of a link would be read by nobody who knows the file by its own name."""
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # links in a circle
        raise ConfigError(f"{path} leads to no file", fix="see where the symbolic link leads") from error


def _keep_owner(path: Path, handle: int) -> None:
    """Make the new file that of the same people as the old one, before it takes its place: a server reads it by its group."""
    if not path.exists() or not hasattr(os, "fchown"):
        return
    old, new = path.stat(), os.fstat(handle)
    mode = stat.S_IMODE(old.st_mode) & KEPT
    group = old.st_gid if mode & stat.S_IRGRP else new.st_gid
    if (old.st_uid, group) != (new.st_uid, new.st_gid):
        try:
            os.fchown(handle, old.st_uid, group)
        except PermissionError as error:
            raise ConfigError(
                f"{path} would no longer belong to user {old.st_uid} and group {group}, and whoever reads it could not",
                fix="run this as root, or as its owner and a member of its group",
            ) from error
    os.fchmod(handle, mode)


def _with(path: Path, token: NewToken) -> str:
    """The file's text with another token at its end."""
    before = ""
    if path.exists():
        read(path)
        before = path.read_text("utf-8").rstrip("\n") + "\n\n"
    text = before.lstrip("\n") + token.toml
    tokens.parse(text, str(path))
    return text


def _mark(path: Path) -> tuple[int, int, int] | None:
    """What changes when the file does."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
