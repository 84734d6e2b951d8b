"""One display state for each stream of a feed: messages go to the state of the stream that they name.

Pure; owned by the screen's thread. The first state is there before any stream is, so that a screen can wait for it.
Bounded: beyond ``LIMIT`` streams the one that ended longest ago goes, and if none has ended the oldest.
"""

from __future__ import annotations

from collections.abc import Iterator

from stream_ser.controls.capabilities import ScreenMessage
from stream_ser.tui.state.stream_state import ScreenState

LIMIT = 256  # streams
SHARED_CELLS = 1 << 15  # of each stream's history but the first's: less than 2 MB each, 54 minutes at ten hops a second


class Streams:
    """The states, in the order in which their streams appeared."""

    def __init__(self) -> None:
        self.first = ScreenState()  # taken by the first stream that says hello
        self._states: dict[str, ScreenState] = {}

    def __len__(self) -> int:
        return len(self._states)

    def __iter__(self) -> Iterator[str]:
        return iter(self._states)

    def __getitem__(self, stream: str) -> ScreenState:
        return self._states[stream]

    @property
    def ended(self) -> bool:
        """Whether there have been streams and all of them are over."""
        return bool(self._states) and all(state.ended is not None for state in self._states.values())

    def consume(self, message: ScreenMessage, now: float) -> None:
        """Take one wire message that came at ``now`` (s); one that names no stream is about all of them.

        One of a stream that is not known, because it had to go or its hello was lost, is about none.
        """
        if message["type"] == "snapshot":
            message = message["message"]
        if message["type"] == "rewind":  # a recorded session goes back: all of it comes again as far as wanted
            for state in self._states.values():
                state.rewind()
        elif "stream" in message:
            stream = message["stream"]
            if message["type"] == "hello" and stream not in self._states:
                self._open(stream).consume(message, now)
            elif stream in self._states or self.first.hello is None:
                self._states.get(stream, self.first).consume(message, now)
        else:
            for state in self._states.values() or (self.first,):
                state.consume(message, now)

    def forget(self, stream: str) -> None:
        """Let go of a stream. Raises KeyError for no such stream."""
        del self._states[stream]

    def set_paused(self, paused: bool, now: float) -> None:
        """Take over whether the source is paused."""
        for state in self._states.values() or (self.first,):
            state.set_paused(paused, now)

    def _open(self, stream: str) -> ScreenState:
        if len(self._states) >= LIMIT:
            over = (name for name, state in self._states.items() if state.ended is not None)
            del self._states[next(over, next(iter(self._states)))]
        state = self.first if self.first.hello is None else ScreenState(SHARED_CELLS)
        self._states[stream] = state
        return state
