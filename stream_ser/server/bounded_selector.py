"""A selector that hands a few events at a time to the event loop, however many sockets have something to say.

A turn of the loop answers every event that it is given before anybody else's turn comes, so a thousand connections that say
something in one moment would hold it for as long as they take together. Here the rest waits for the next turns, in its order,
and nothing new is looked at meanwhile: who says something now comes after who said it before.

It belongs to the loop's thread. An event of a socket that is watched no more, or for something else by now, is dropped: what
still holds of it is seen at the next look, as sockets are ready for as long as they have something to say.
"""

from __future__ import annotations

import selectors
from collections import deque

MOST_EVENTS = (
    32  # in one turn: the least work of one is some 50 µs, that of a connection that is refused ten times as much
)

Event = tuple[selectors.SelectorKey, int]


class BoundedSelector(selectors.DefaultSelector):
    """Of one event loop. Events that are left over are given before sockets are looked at again."""

    def __init__(self) -> None:
        super().__init__()
        self._left: deque[Event] = deque()

    def select(self, timeout: float | None = None) -> list[Event]:
        """Give at most MOST_EVENTS, without waiting where some are left over; see ``selectors.BaseSelector``."""
        given = self._still_due()
        if not given:
            self._left.extend(super().select(timeout))
            given = self._still_due()
        return given

    def _still_due(self) -> list[Event]:
        """Take from what is left over what still holds."""
        given: list[Event] = []
        while self._left and len(given) < MOST_EVENTS:
            seen, mask = self._left.popleft()
            # By its number: an object that is closed by now has none, and cannot be looked up.
            if self.get_map().get(seen.fd) is seen:
                given.append((seen, mask))
        return given
