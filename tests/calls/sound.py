"""The bundled conversation as telephony has it, and what a protocol's events say about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
import soundfile

from stream_ser.calls.events import CallProtocol, Closed, Event, Frames, Lost, Opened, Paused, Resumed, Sound
from tests.conftest import BUNDLED

RATE = 8_000
FRAME = 160  # 20 ms


@cache
def conversation() -> tuple[Frames, Frames]:
    """Six seconds at 8 kHz for a customer, and six others for an agent. No care for aliases: it is only to be carried."""
    samples, rate = soundfile.read(BUNDLED, dtype="float32")
    assert rate == 2 * RATE
    speech = samples[::2][: 12 * RATE]
    speech.flags.writeable = False
    return speech[: 6 * RATE], speech[6 * RATE :]


def pieces(samples: Frames, length: int = FRAME) -> list[Frames]:
    return [samples[at : at + length] for at in range(0, len(samples), length)]


def interleaved(channels: Sequence[Frames]) -> Frames:
    return np.stack(channels, axis=1).reshape(-1)


def feed(protocol: CallProtocol, messages: Iterable[str | bytes]) -> list[Event]:
    return [event for message in messages for event in protocol.receive(message)]


def heard(events: Iterable[Event], leg: str) -> Frames:
    """One leg's samples, each at its place, NaN where nothing was heard."""
    sounds = [event for event in events if isinstance(event, Sound) and event.leg == leg]
    timeline = np.full(max((one.start + len(one.samples) for one in sounds), default=0), np.nan, dtype=np.float32)
    for one in sounds:
        timeline[one.start : one.start + len(one.samples)] = one.decoded
    return timeline


def check_contract(events: Iterable[Event]) -> None:
    """What stream_ser.calls.events promises of every call protocol, whatever came over the wire."""
    opened: Opened | None = None
    paused = closed = False
    ends: dict[str, int] = {}
    for event in events:
        assert not closed, "nothing comes after Closed"
        match event:
            case Opened():
                assert opened is None
                opened = event
                names = [leg.name for leg in event.legs]
                assert names
                assert len(set(names)) == len(names)
                assert 8_000 <= event.rate <= 192_000
                ends = dict.fromkeys(names, 0)
            case Sound():
                assert not paused, "sound is not passed on while paused"
                assert event.decoded.dtype == np.float32
                assert event.decoded.shape == (len(event.samples),)
                assert len(event.samples)
                assert type(event.start) is int
                assert event.start >= ends[event.leg], "positions never go back"
                ends[event.leg] = event.start + len(event.samples)
            case Lost():
                assert ends[event.leg] <= event.start < event.end
                ends[event.leg] = event.end
            case Paused():
                assert opened is not None
                assert not paused
                paused = True
            case Resumed():
                assert paused
                paused = False
            case Closed():
                closed = True
