"""Why something was refused: a stable name that is counted and told, and words for people.

Everything refused is counted by its name, so the names are a closed list: dashboards and clients rely on them.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

DISTINCT = 64  # names that are counted apart; a name that a caller could choose must not fill the memory
OTHER = "other"
UNREADABLE = {1002: "bad-frame", 1007: "bad-text", 1009: "message-too-large"}  # what the library refuses, by close code
# Websocket close codes: refused; this server restarts; try again, or elsewhere.
POLICY, RESTART, LATER = 1008, 1012, 1013
FULL = (
    "too-many-connections",
    "too-many-unidentified",
    "too-many-of-address",
    "too-many-subscribers",
    "no-room",
    "store-unavailable",
    "draining",
)
LONGEST_REASON = 120  # bytes
RETRY_AFTER_S = 1  # told with a 503: another server may be asked at once


_log = logging.getLogger("stream_ser.server")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal. ``reason`` is stable; ``text`` says what was seen and what would do, and holds no secret."""

    reason: str
    text: str


def close_code(refusal: Refusal) -> int:
    """The websocket's: whether it would be the same elsewhere, or at another time, for whoever was refused."""
    return LATER if refusal.reason.startswith(FULL) else POLICY


def close_reason(refusal: Refusal) -> str:
    """What of it fits into a close frame."""
    return f"{refusal.reason}: {refusal.text}".encode()[:LONGEST_REASON].decode(errors="ignore")


class RefusalCounter:
    """Counts refusals by reason, or what is passed over by kind. Any thread may count and read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    def count(self, reason: str, count: int = 1) -> None:
        """Count one, or several. Past ``DISTINCT`` names, new ones are counted as ``other``."""
        with self._lock:
            if reason not in self._counts and len(self._counts) >= DISTINCT:
                reason = OTHER
            self._counts[reason] = self._counts.get(reason, 0) + count

    def by_reason(self) -> dict[str, int]:
        """How many of each, until now."""
        with self._lock:
            return dict(self._counts)


def log_refusal(door: str, reason: str, peer: str | None = None) -> None:
    """Write a refusal to the log: some that are refused are never told why.

    ``door`` is a protocol or an address of ours, ``peer`` who connected, where that is the provider's. A line has the name and
    not the words, which may show what somebody sent.
    """
    _log.warning("refused", extra={"door": door, "reason": reason} | ({} if peer is None else {"peer": peer}))
