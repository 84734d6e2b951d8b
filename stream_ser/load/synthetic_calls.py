"""What virtual callers do: each script is the events of one call in the order in which they come, at no rate at all.

Pure: positions are native frames at 8 kHz, and chance comes from the generator that is given. A script that ends without
``Closed`` is a connection that broke; ``Cut`` is a server that ends the call at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

import numpy as np

from stream_ser.calls.events import Closed, Event, Frames, Leg, Lost, Opened, Paused, Resumed, Sound

RATE = 8_000
HOP = RATE // 2  # native frames: what speech comes in, so that one window is due at a time
LONG = 4 * RATE  # what silence comes in
CUSTOMER, AGENT, OTHER = Leg("customer", "customer"), Leg("agent", "agent"), Leg("other", "unknown")


@dataclass(frozen=True, slots=True)
class Cut:
    """The server ends the call here and now."""


Step = Event | Cut
Script = Callable[[Frames, Random], Iterator[Step]]


def opened(call: str, kind: str) -> Opened:
    """How a call of a kind begins: a leg, or two of which both or one are heard."""
    legs = {"two": (CUSTOMER, OTHER), "talk": (CUSTOMER, AGENT)}.get(kind, (CUSTOMER,))
    return Opened(call, legs, RATE, "plain", "refused" if kind == "refused" else "given")


def talk(voice: Frames, chance: Random) -> Iterator[Step]:
    """Speak for some seconds and hang up."""
    yield from _speak(voice, chance, 0, chance.randint(2, 30))
    yield Closed("hung up")


def two(voice: Frames, chance: Random) -> Iterator[Step]:
    """Two voices that are both analysed; one goes silent before the other."""
    at, other = chance.randrange(len(voice)), chance.randrange(len(voice))
    hops, until = chance.randint(4, 30), chance.randint(1, 30)
    for number in range(hops):
        start = number * HOP
        yield Sound("customer", start, _cut(voice, at + start))
        if number < until:
            yield Sound("other", start, _cut(voice, other + start))
    yield Closed("hung up")


def silence(voice: Frames, chance: Random) -> Iterator[Step]:
    """Say nothing at all, for one to three hours."""
    del voice
    nothing = np.zeros(LONG, dtype=np.float32)
    for number in range(chance.randint(1, 3) * 3600 * RATE // LONG):
        yield Sound("customer", number * LONG, nothing)
    yield Closed("hung up")


def holes(voice: Frames, chance: Random) -> Iterator[Step]:
    """Lose sound, silently and with notice, bring some of it twice, and bring it in pieces of any size."""
    at, position = chance.randrange(len(voice)), 0
    for _ in range(chance.randint(4, 30)):
        frames = chance.choice((0, 1, 160, 161, HOP, HOP, 3 * RATE))
        match chance.randrange(5):
            case 0:
                position += chance.randint(1, 20 * RATE)  # nobody says what became of it
            case 1:
                yield Lost("customer", position, position + frames, "discarded")
                position += frames
            case 2:
                position = max(0, position - frames)  # again
        yield Sound("customer", position, _cut(voice, at + position, frames))
        position += frames
    yield Closed("hung up")


def not_numbers(voice: Frames, chance: Random) -> Iterator[Step]:
    """Bring NaN, infinities and numbers that no sound has among good samples."""
    for sound in _speak(voice, chance, 0, chance.randint(2, 12)):
        spoiled = sound.decoded.copy()
        at = chance.randrange(len(spoiled))
        spoiled[at : at + chance.randint(1, 800)] = chance.choice((math.nan, math.inf, -math.inf, 1e30))
        yield Sound(sound.leg, sound.start, spoiled)
    yield Closed("hung up")


def pauses(voice: Frames, chance: Random) -> Iterator[Step]:
    """Pause again and again, for up to five minutes, with sound that comes nevertheless or is told as lost."""
    position = 0
    for _ in range(chance.randint(1, 4)):
        for sound in _speak(voice, chance, position, chance.randint(1, 8)):
            yield sound
            position += HOP
        yield Paused("a card number")
        for _ in range(chance.randint(1, 300 * RATE // LONG)):
            if chance.random() < 0.2:
                yield Sound("customer", position, _cut(voice, position, LONG))
            else:
                yield Lost("customer", position, position + LONG, "paused")
            position += LONG
        if chance.random() < 0.9:
            yield Resumed()
    yield Closed("hung up")


def broken(voice: Frames, chance: Random) -> Iterator[Step]:
    """Bring what is no sound at all, which ends the leg, and go on talking as if nothing had happened."""
    spoken = chance.randint(0, 6)
    yield from _speak(voice, chance, 0, spoken)
    yield Sound("customer", spoken * HOP, np.array(["no", "sound"] * HOP, dtype=object))
    yield from _speak(voice, chance, (spoken + 2) * HOP, 60)
    if chance.random() < 0.5:
        yield Closed("hung up")


def cut(voice: Frames, chance: Random) -> Iterator[Step]:
    """Talk until the server ends the call at once; what comes then comes too late."""
    hops = chance.randint(0, 8)
    yield from _speak(voice, chance, 0, hops)
    yield Cut()
    yield from _speak(voice, chance, hops * HOP, 4)


def gone(voice: Frames, chance: Random) -> Iterator[Step]:
    """Talk until the connection breaks."""
    yield from _speak(voice, chance, 0, chance.randint(0, 12))


def refused(voice: Frames, chance: Random) -> Iterator[Step]:
    """Never be let in."""
    del voice, chance
    return iter(())


def far(voice: Frames, chance: Random, start: int) -> Iterator[Step]:
    """Talk on from native frame ``start``, for a minute."""
    yield from _speak(voice, chance, start, 120)
    yield Closed("hung up")


SCRIPTS: dict[str, tuple[int, Script]] = {  # with how often each is played, out of the sum
    "talk": (30, talk),
    "two": (10, two),
    "silence": (1, silence),
    "holes": (12, holes),
    "not numbers": (8, not_numbers),
    "pauses": (6, pauses),
    "broken": (8, broken),
    "cut": (8, cut),
    "gone": (12, gone),
    "refused": (5, refused),
}


def _speak(voice: Frames, chance: Random, start: int, hops: int) -> Iterator[Sound]:
    at = chance.randrange(len(voice))
    for number in range(hops):
        yield Sound("customer", start + number * HOP, _cut(voice, at + number * HOP))


def _cut(voice: Frames, at: int, frames: int = HOP) -> Frames:
    """``frames`` of a sound that goes round."""
    return np.take(voice, np.arange(at, at + frames), mode="wrap")
