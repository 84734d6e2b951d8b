"""Connections that have not finished their handshake: bounded, and where there is no room one of the greediest address goes.

The oldest of all would be the wrong one: who opens a thousand a second and finishes none would push out everybody whose
handshake takes longer than a moment, as it does from afar. So the oldest goes of the address that has most. Behind a proxy all
have the proxy's address, and the oldest goes. One event loop.
"""

from __future__ import annotations

from typing import Generic, TypeVar

Connection = TypeVar("Connection")


class Handshakes(Generic[Connection]):
    """Those that are not finished, ``most`` at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._address: dict[Connection, str] = {}
        self._waiting: dict[str, dict[Connection, None]] = {}  # by address, the oldest first; no address without any

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._address)

    def begin(self, connection: Connection, address: str) -> Connection | None:
        """Let one in; gives the one that is to go for it, where there is no room: it is counted no more."""
        goes = self.greediest() if self.count >= self._most else None
        self._address[connection] = address
        self._waiting.setdefault(address, {})[connection] = None
        return goes

    def greediest(self) -> Connection:
        """The oldest of the address that has most, counted no more. There must be one."""
        address = max(self._waiting, key=lambda each: len(self._waiting[each]))
        found = next(iter(self._waiting[address]))  # who means it has finished after milliseconds
        self.end(found)
        return found

    def end(self, connection: Connection) -> None:
        """One is finished or gone. May be called again."""
        address = self._address.pop(connection, None)
        if address is None:
            return
        of_address = self._waiting[address]
        del of_address[connection]
        if not of_address:
            del self._waiting[address]
