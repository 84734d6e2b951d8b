"""How much that cannot be read a call bears before it ends: one odd message is passed over, many in a row are not.

A provider that sends something new, or damages one message in a thousand, should not cost anybody a call; one of whose
messages nothing can be read is refused by name. What is merely unknown, as an event of a later version, never ends a call and
is not counted here.
"""

from __future__ import annotations

from stream_ser.calls.events import Event, PassedOver, RefusedError

MOST_IN_A_ROW = 50  # one second of a voice, as telephony usually cuts it


class UnreadableError(RefusedError):
    """One message cannot be read; ``events`` is what follows from its place all the same, as a hole of its length."""

    def __init__(self, code: str, text: str, events: list[Event]) -> None:
        super().__init__(code, text)
        self.events = events


class Tolerance:
    """Of one connection. Call ``good`` for what could be read, ``forgive`` for what could not."""

    def __init__(self, most: int = MOST_IN_A_ROW) -> None:
        self._most = most
        self._in_a_row = 0

    def good(self) -> None:
        """Something could be read."""
        self._in_a_row = 0

    def forgive(self, error: RefusedError) -> list[Event]:
        """What follows from a message that is passed over. Raises RefusedError with its code for one too many in a row."""
        self._in_a_row += 1
        if self._in_a_row >= self._most:
            raise RefusedError(error.code, f"{self._in_a_row} messages in a row; of the last: {error.text}") from error
        events = error.events if isinstance(error, UnreadableError) else []
        return [*events, PassedOver(error.code)]
