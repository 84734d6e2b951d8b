"""How many connections can be open at once: no more than files may be, which the system limits for each process.

Where that limit is lower than the settings need, it is raised as far as the system lets us, and what still lacks is told at the
start. What is beyond is refused when it connects: a server without a free file could not even open its store.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass

from stream_ser.errors import ConfigError
from stream_ser.server.config import Limits

OTHERS = 160  # files beside connections: store, model, libraries, listening sockets, and what one turn takes too much
CLOSING = 100  # connections that are over for their limit and still say goodbye
FEWEST = 8  # connections, with fewer of which there is no sense in starting

_log = logging.getLogger("stream_ser.server")


class OpenConnections:
    """How many connections there are, of every kind and in every state, and how many can be."""

    def __init__(self, most: int) -> None:
        self.most, self.count = most, 0

    def enter(self) -> bool:
        """Count one that was taken; gives whether there is room for it. Call ``leave`` for each."""
        self.count += 1
        return self.count <= self.most

    def leave(self) -> None:
        """One is gone."""
        self.count -= 1


@dataclass(frozen=True, slots=True)
class FileLimits:
    """What the system lets a process open: now, and at most of its own will; None where there is no limit."""

    soft: int | None
    hard: int | None


def room_for(limits: Limits, tls: bool) -> OpenConnections:
    """Have as many files as the settings need, if the system lets us. Raises ConfigError where it lets us have next to none."""
    found = _read()
    needed = connections_of(limits) + OTHERS + (limits.handshakes if tls else 0)
    soft = raised(found, needed)
    if soft != found.soft:
        _raise(soft, found)
    most = can_be(limits, soft, needed)
    if most < FEWEST:
        raise ConfigError(
            f"only {soft} files may be open in a process, and this server needs {OTHERS} besides its connections",
            fix=f"raise the limit to {needed}: ulimit -n {needed}, or LimitNOFILE={needed} for systemd",
        )
    told = {"files": soft, "needed": needed, "connections": most, "wanted": connections_of(limits)}
    if most < connections_of(limits):
        fix = f"raise the limit of open files to {needed} (ulimit -n, LimitNOFILE), or lower [limits]"
        _log.warning("not all connections that the limits allow can be open at once", extra=told | {"fix": fix})
    elif soft != found.soft:
        _log.info("the limit of open files was raised", extra=told)
    return OpenConnections(most)


def connections_of(limits: Limits) -> int:
    """How many the settings allow, with those that say goodbye."""
    return limits.connections + limits.unidentified + limits.subscribers + limits.handshakes + CLOSING


def raised(found: FileLimits, needed: int) -> int | None:
    """The soft limit that is to be: high enough, or as high as may be; never lower than it is."""
    if found.soft is None or found.soft >= needed:
        return found.soft
    return needed if found.hard is None else max(found.soft, min(needed, found.hard))


def can_be(limits: Limits, soft: int | None, needed: int) -> int:
    """How many connections can be open with so many files."""
    wanted = connections_of(limits)
    return wanted if soft is None or soft >= needed else max(0, min(wanted, soft - (needed - wanted)))


if sys.platform == "win32":  # pragma: no cover - sockets are no files there

    def _read() -> FileLimits:
        return FileLimits(None, None)

    def _raise(soft: int | None, found: FileLimits) -> None:
        """Nothing to raise."""

else:
    import resource

    def _read() -> FileLimits:
        soft, hard = (
            None if limit == resource.RLIM_INFINITY else limit for limit in resource.getrlimit(resource.RLIMIT_NOFILE)
        )
        return FileLimits(soft, hard)

    def _raise(soft: int | None, found: FileLimits) -> None:
        hard = resource.RLIM_INFINITY if found.hard is None else found.hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.RLIM_INFINITY if soft is None else soft, hard))
