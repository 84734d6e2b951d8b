"""What each call protocol writes: how a call opens, how sound goes, and how it ends. Rates are 8 kHz."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, Protocol

import numpy as np

from stream_ser.calls.events import Frames
from stream_ser.calls.protocols.g711 import alaw_encode, mulaw_encode
from stream_ser.load import callers
from tests.calls.protocols.genesys import Client, parameters
from tests.calls.sound import interleaved
from tests.server.serving import HOP_S, Feed

RATE = 8_000
PIECE = RATE // 50


def encode(samples: Frames, encoding: str) -> bytes:
    match encoding:
        case "mulaw":
            return mulaw_encode(samples)
        case "alaw":
            return alaw_encode(samples)
        case "f32le":
            return samples.astype("<f4").tobytes()
        case _:
            return (samples * 32_767).astype("<i2" if encoding == "s16le" else ">i2").tobytes()


class Speaker(Protocol):
    """One call of a protocol."""

    path: str
    call: str
    legs: dict[str, str]  # role by name, in the order of the voices

    def opening(self) -> list[str | bytes]: ...

    def sound(self, *voices: Frames) -> Iterator[str | bytes]: ...

    def closing(self) -> list[str | bytes]: ...


def hello(call: str, *roles: str, encoding: str = "s16le", rate: int = RATE, **more: Any) -> str:
    """The plain protocol's first message."""
    whose = {"role": roles[0]} if len(roles) == 1 else {"roles": list(roles)}
    said = {"type": "hello", "call": call, "rate": rate, "channels": len(roles), "encoding": encoding}
    return json.dumps(said | whose | {"consent": "given"} | more)


class Plain:
    path = "/v1/audio"

    def __init__(self, call: str, *roles: str, encoding: str = "s16le", **more: Any) -> None:
        roles = roles or ("customer",)
        self.call, self.encoding, self.legs = call, encoding, {role: role for role in roles}
        self.more = more

    def opening(self) -> list[str | bytes]:
        return [hello(self.call, *self.legs.values(), encoding=self.encoding, **self.more)]

    def sound(self, *voices: Frames) -> Iterator[str | bytes]:
        for at in range(0, len(voices[0]), PIECE):
            yield encode(interleaved([voice[at : at + PIECE] for voice in voices]), self.encoding)

    def closing(self) -> list[str | bytes]:
        return [json.dumps({"type": "close"})]


class Twilio:
    path = "/v1/twilio"

    def __init__(self, call: str, *tracks: str, token: str | None = None) -> None:
        self.call, self.token = call, token
        self.legs = {track: {"inbound": "customer", "outbound": "agent"}[track] for track in tracks or ("inbound",)}
        self.numbers = count(1)

    def opening(self) -> list[str | bytes]:
        return [*callers.start(self.call, self.token, tracks=tuple(self.legs))]

    def sound(self, *voices: Frames) -> Iterator[str | bytes]:
        for at in range(0, len(voices[0]), PIECE):
            number = next(self.numbers)
            for track, voice in zip(self.legs, voices, strict=True):
                yield self.media(track, number, encode(voice[at : at + PIECE], "mulaw"))

    def media(self, track: str, number: int, payload: bytes, timestamp: int | None = None) -> str:
        at = (number - 1) * 20 if timestamp is None else timestamp
        media = {"track": track, "chunk": str(number), "timestamp": str(at)}
        media["payload"] = base64.b64encode(payload).decode()
        return json.dumps({"event": "media", "streamSid": f"MZ{self.call}", "media": media})

    def closing(self) -> list[str | bytes]:
        return [callers.stop(self.call, 2)]


class Telnyx(Twilio):
    """Both tracks, big-endian samples, and every second pair of frames in the wrong order."""

    def __init__(self, call: str) -> None:
        super().__init__(call, "inbound", "outbound")

    def opening(self) -> list[str | bytes]:
        form = {"encoding": "L16", "sample_rate": RATE, "channels": 1}
        start = {"call_control_id": self.call, "media_format": form, "custom_parameters": {"consent": "given"}}
        return [
            '{"event":"connected","version":"1.0.0"}',
            json.dumps({"event": "start", "stream_id": "s", "start": start}),
        ]

    def sound(self, *voices: Frames) -> Iterator[str | bytes]:
        waiting: list[str] = []
        for at in range(0, len(voices[0]), PIECE):
            number = next(self.numbers)
            for track, voice in zip(self.legs, voices, strict=True):
                waiting.append(self.media(track, number, encode(voice[at : at + PIECE], "s16be")))
            if len(waiting) == 4:
                yield from (waiting[2], waiting[3], waiting[0], waiting[1])
                waiting = []
        yield from waiting

    def media(self, track: str, number: int, payload: bytes, timestamp: int | None = None) -> str:
        message = json.loads(super().media(track, number, payload, timestamp))
        del message["streamSid"]
        return json.dumps(message | {"stream_id": "s"})

    def closing(self) -> list[str | bytes]:
        return [json.dumps({"event": "stop", "stream_id": "s", "stop": {"call_control_id": self.call}})]


class Hook:
    """AudioHook in stereo."""

    path = "/v1/audiohook"

    def __init__(self, **config: str) -> None:
        self.client = Client()
        opening = parameters(customConfig={"consent": "given"} | config)
        self.call, self._opening = str(opening["conversationId"]), opening
        self.legs = {"external": "customer", "internal": "agent"}

    def opening(self) -> list[str | bytes]:
        return [self.client.text("open", self._opening)]

    def sound(self, *voices: Frames) -> Iterator[str | bytes]:
        for at in range(0, len(voices[0]), PIECE):
            yield encode(interleaved([voice[at : at + PIECE] for voice in voices]), "mulaw")

    def closing(self) -> list[str | bytes]:
        return [self.client.text("close", {"reason": "end"})]


def hops(*voices: Frames) -> Iterator[list[Frames]]:
    """Voices in pieces of a hop."""
    length = round(HOP_S * RATE)
    for at in range(0, len(voices[0]), length):
        yield [voice[at : at + length] for voice in voices]


async def talk(socket: Any, speaker: Speaker, voices: Sequence[Frames], feed: Feed, heard: Sequence[str]) -> None:
    """Say all, as fast as the points of the legs that are ``heard`` come back: then none is ever replaced."""
    for sent, pieces in enumerate(
        hops(*voices)
    ):  # the resampler holds the newest samples: the last point is not due yet
        for message in speaker.sound(*pieces):
            await socket.send(message)
        for leg in heard:
            await feed.wait("point", sent, stream=f"{speaker.call}/{leg}")


def silence(seconds: float) -> Frames:
    return np.zeros(round(seconds * RATE), dtype=np.float32)
