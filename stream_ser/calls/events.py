"""What every call protocol says, whatever its bytes look like: a call opens, its legs sound, pause and end.

A call protocol turns what came over a connection into these events and holds what is to be answered. It does no I/O, owns
no thread and reads no clock, so the same code serves a websocket, a TCP connection and a test. Positions are native frames:
the number of samples of one leg since the call was opened, without limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from stream_ser.types import Consent, Role

Agents = Literal["off", "turns", "emotion"]  # what is heard of agents: nothing, when they speak, how they sound
Frames = npt.NDArray[np.float32]  # (n,), mono, nominally in [-1, 1]


@dataclass(frozen=True, slots=True)
class Leg:
    """One voice of a call. ``name`` is its own within the call."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Opened:
    """A call begins. ``call`` names it across connections; two legs are two streams and are never mixed."""

    call: str
    legs: tuple[Leg, ...]
    rate: int  # native samples a second
    protocol: str  # plain, twilio, telnyx, plivo, exotel, audiohook, audiosocket, chan_websocket, vonage
    consent: Consent = "unknown"
    agent_purpose: str | None = None  # why the agent's voice may be analysed, as the caller states it; None: it may not
    token: str | None = field(default=None, repr=False)  # a secret carried inside the protocol, where it has no header
    parameters: Mapping[str, str] = field(default_factory=dict)  # what else the caller said; never logged
    feed: bool = False  # whether the connection itself is to be sent what the feed says of this call


@dataclass(frozen=True, slots=True)
class Coded:
    """Samples as they came: whoever takes many pieces joins them and decodes once. ``data`` is whole samples."""

    data: bytes
    width: int  # bytes of a sample
    decode: Callable[[bytes], Frames]

    def __len__(self) -> int:
        return len(self.data) // self.width


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples of one leg that begin at native frame ``start``. What lies between them and the ones before is lost."""

    leg: str
    start: int
    samples: Frames | Coded

    @property
    def decoded(self) -> Frames:
        """The samples, whatever they came as."""
        return self.samples.decode(self.samples.data) if isinstance(self.samples, Coded) else self.samples

    def moved(self, frames: int) -> Sound:
        """The same, so many native frames later."""
        return replace(self, start=self.start + frames)


@dataclass(frozen=True, slots=True)
class Lost:
    """Native frames ``[start, end)`` of a leg that the other side says it discarded."""

    leg: str
    start: int
    end: int
    reason: str

    def moved(self, frames: int) -> Lost:
        """The same, so many native frames later."""
        return replace(self, start=self.start + frames, end=self.end + frames)


@dataclass(frozen=True, slots=True)
class Paused:
    """Nothing may be analysed until ``Resumed``: someone reads out a card number."""

    reason: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """Analysis may go on. ``start`` is the native frame at which sound goes on, None where the next sound tells."""

    start: int | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """The call is over, in good order."""

    reason: str


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Something came that could not be used as it is, and the call goes on.

    ``kind`` is a stable name, a refusal's code or another; ``text`` is what a person should read, where more is to be said.
    """

    kind: str
    count: int = 1
    text: str | None = None


Event = Opened | Sound | Lost | Paused | Resumed | Closed | PassedOver


class RefusedError(Exception):
    """What the other side sent is not accepted: ``code`` is a stable name, the text says what was seen and what would do."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


class CallProtocol(Protocol):
    """A call protocol: one connection's side of it."""

    def receive(self, data: str | bytes) -> list[Event]:
        """Take one message (of a byte stream: any piece of it). Raises RefusedError; ``refuse`` says then what to send."""

    def replies(self) -> list[str | bytes]:
        """What is to be sent now, oldest first; empties the list."""

    def refuse(self, code: str, text: str) -> list[str | bytes]:
        """What to send, in place of what still waits, where the connection ends by a refusal, whoever refuses; maybe nothing.

        Nothing is taken after it.
        """

    def leave(self, reason: str) -> list[str | bytes]:
        """What to send when this side must go, as in a drain."""
