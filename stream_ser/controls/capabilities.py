"""Capabilities: what a source may let the keys do beyond pausing and stopping. A key is there where its source has it.

Every method returns at once, from the screen's thread: the work behind it belongs to another thread, and what becomes
of it is told by notices among the source's messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypedDict, final, runtime_checkable

from stream_ser.feed.message_types import ExplanationMessage, Level, Message

Kind = Literal["device", "model"]
LONGEST_NOTE = 500  # characters


@final
class RewindMessage(TypedDict):
    """A recorded session goes back: all of it comes again, as far as wanted. Never on a wire."""

    type: Literal["rewind"]
    seq: int


@final
class OwnNotice(TypedDict):
    """A notice of this program to the person at its screen, about no stream. Never on a wire."""

    type: Literal["notice"]
    seq: int
    level: Level
    text: str


ScreenMessage = Message | RewindMessage | OwnNotice


def own_notice(level: Level, text: str) -> OwnNotice:
    """Say something to the person at the screen, and to nobody else."""
    return {"type": "notice", "seq": 0, "level": level, "text": text}


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a list to choose from."""

    name: str  # what ``choose`` is given
    text: str  # what a person reads
    current: bool = False
    heading: bool = False  # stands above the others, and cannot be chosen


class MessageSource(Protocol):
    """Where wire messages come from. The source bounds its own queue."""

    def drain(self) -> Sequence[ScreenMessage]:
        """Return the messages that have arrived since the last call, in order; return at once, also with none."""
        ...


class Controls(Protocol):
    """What the keys do to the stream. Every method returns at once: the work behind it belongs to another thread."""

    @property
    def paused(self) -> bool:
        """Whether the stream is paused."""
        ...

    def pause(self) -> None:
        """Ask the stream to pause."""
        ...

    def resume(self) -> None:
        """Ask the stream to go on."""
        ...

    def stop(self) -> None:
        """Ask the stream to end. Called once on leaving the screen, also after the stream has ended by itself."""
        ...


@runtime_checkable
class Marks(Protocol):
    """Moments can be marked."""

    def position(self, stream: str) -> int | None:
        """The sample that the stream has come to; None where it is over or not known."""
        ...

    def mark(self, stream: str, at: int, text: str) -> None:
        """Mark the moment at sample ``at`` with a note."""
        ...


@runtime_checkable
class Chooses(Protocol):
    """What computes, or what is listened to, can be changed without leaving: the stream ends and another begins."""

    @property
    def kinds(self) -> frozenset[Kind]:
        """What there is to choose."""
        ...

    def choices(self, kind: Kind) -> Future[Sequence[Choice]]:
        """Look what there is. The future holds a StreamSerError where that cannot be said."""
        ...

    def choose(self, kind: Kind, name: str) -> None:
        """Go on with another one."""
        ...


@runtime_checkable
class Plays(Protocol):
    """What is heard or shown has been recorded: it has a speed and a place, both of which can be changed."""

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        ...

    @property
    def speed(self) -> float | None:
        """Times real time; None for as fast as it goes."""
        ...

    @property
    def whole(self) -> bool:
        """Whether a whole session with all its streams is played, and no stream's own time says where that is."""
        ...

    def set_speed(self, speed: float) -> None:
        """Go on at another speed."""
        ...

    @property
    def place_s(self) -> float:
        """Seconds from the recording's beginning to what is played now."""
        ...

    @property
    def length_s(self) -> float | None:
        """How long the recording is, s; None where nobody knows."""
        ...

    def seek(self, to_s: float) -> None:
        """Go on at another place; beyond an end means at that end."""
        ...

    def skip(self, by_s: float) -> None:
        """Go on so much further, or back; several that come at once add up."""
        ...


@runtime_checkable
class Enveloped(Protocol):
    """How loud all of what is played is, also where it has not been played yet."""

    @property
    def envelope(self) -> Sequence[float]:
        """The level of equal parts of the whole, dBFS, in order; empty while nobody knows."""
        ...


@runtime_checkable
class Records(Protocol):
    """The trajectory can be recorded to a file, from now on."""

    @property
    def recording(self) -> Path | None:
        """The file that is being written; None where none is."""
        ...

    @property
    def recording_sound(self) -> Path | None:
        """The sound file that is being written; None where none is."""
        ...

    @property
    def has_sound(self) -> bool:
        """Whether sound passes here, so that it could be recorded too."""
        ...

    def record(self, path: Path, sound: Path | None = None) -> None:
        """Begin to write messages to ``path``, and the sound of the present stream to ``sound`` if that is given."""
        ...

    def stop_recording(self) -> None:
        """Finish the files."""
        ...


@runtime_checkable
class Serves(Protocol):
    """What is shown is published from here too."""

    @property
    def subscribers(self) -> int | None:
        """How many subscribe; None where there is no feed."""
        ...


@runtime_checkable
class Linked(Protocol):
    """What is shown comes from elsewhere."""

    @property
    def trouble(self) -> str | None:
        """Why nothing comes, for a person; None while all is well."""
        ...

    @property
    def missed(self) -> int:
        """How many messages were published and never came, as far as anybody knows."""
        ...


@runtime_checkable
class Explains(Protocol):
    """What points rest on can be asked for. Nothing is computed for it before, and nothing is kept."""

    def ask_why(self, stream: str | None) -> None:
        """Ask what the newest points of that stream rest on, from now on; None for no stream any more."""
        ...

    def reasons(self) -> list[ExplanationMessage]:
        """The ``why`` messages that have come since the last call, of the stream that was asked about last."""
        ...
