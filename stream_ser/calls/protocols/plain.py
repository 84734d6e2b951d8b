"""The plain protocol of ``/v1/audio``: one JSON ``hello``, then raw samples as binary messages.

Every text message is a JSON object with a ``type``::

    {"type": "hello", "call": "c-17", "roles": ["customer", "agent"], "rate": 8000, "channels": 2,
     "encoding": "mulaw", "consent": "given", "agent_purpose": "…", "token": "…", "parameters": {"queue": "north"}}
    {"type": "pause"}    {"type": "resume"}    {"type": "close"}

With one channel the hello has ``role`` in place of ``roles``. ``agent_purpose``, ``token``, ``parameters`` and ``feed`` may be
absent; every other field must be there, so that nobody's consent is taken for granted. Answers are ``accepted``,
``closed``, ``leaving`` and ``refused``, the last with the refusal's code and text, and in place of ``accepted`` where
the call was not. Samples of two channels are interleaved.

With ``"feed": true`` the call's own messages of the feed come on this connection too, between the answers.

Positions count the samples that were received. Sound that comes while paused is never passed on: it is told as lost.
"""

from __future__ import annotations

import json
from typing import Literal

from stream_ser.audio.files.marks import HEAD, container_name
from stream_ser.calls.events import Closed, Event, Leg, Lost, Opened, Paused, RefusedError, Resumed, Sound
from stream_ser.calls.protocols import fields
from stream_ser.calls.protocols.fields import Fields
from stream_ser.calls.protocols.pcm import WIDTH, Encoding, decode
from stream_ser.types import Role

LOWEST_RATE, HIGHEST_RATE = 8_000, 48_000
MOST_CHANNELS = 2
LONGEST_SOUND_S = 5  # of one binary message
ENCODINGS: tuple[Encoding, ...] = ("s16le", "f32le", "mulaw", "alaw")
PAUSED = "paused"

_HELLO = ("type", "call", "role", "roles", "rate", "channels", "encoding", "consent", "agent_purpose", "token")
_KINDS: tuple[Literal["hello", "pause", "resume", "close"], ...] = ("hello", "pause", "resume", "close")


class Plain:
    """One connection that speaks the plain protocol."""

    def __init__(self) -> None:
        self._opened: Opened | None = None
        self._encoding: Encoding = "s16le"
        self._position = 0  # native frames received
        self._head = b""  # the first bytes of sound, until it is clear that they are no file's
        self._paused = False
        self._over = False
        self._replies: list[str | bytes] = []

    def receive(self, data: str | bytes) -> list[Event]:
        """Take one message of a websocket."""
        if self._over:
            raise RefusedError("after-close", "a message came after the call was closed; open another connection")
        try:
            return self._take_text(data) if isinstance(data, str) else self._take_sound(data)
        except RefusedError:
            self._over = True
            raise

    def replies(self) -> list[str | bytes]:
        """What is to be sent now."""
        replies, self._replies = self._replies, []
        return replies

    def refuse(self, code: str, text: str) -> list[str | bytes]:
        """Say what is refused, and why."""
        self._over = True
        self._replies.clear()
        return [json.dumps({"type": "refused", "code": code, "text": text})]

    def leave(self, reason: str) -> list[str | bytes]:
        """Say that this side goes; the client is to connect again, if its call goes on."""
        return [json.dumps({"type": "leaving", "reason": reason})]

    def _take_text(self, text: str) -> list[Event]:
        message = fields.parse(text, "the message")
        kind = message.one_of("type", _KINDS)
        if kind == "hello":
            if self._opened is not None:
                raise RefusedError("second-hello", "a second hello came; a connection is for one call")
            return self._open(message)
        opened = self._opened
        if opened is None:
            raise RefusedError("no-hello", f"a message of type {kind!r} came before the hello; send the hello first")
        message.only("type")
        if kind == "close":
            self._over = True
            self._answer({"type": "closed"})
            return [Closed("closed by the client")]
        if (kind == "pause") == self._paused:
            return []
        self._paused = kind == "pause"
        return [Paused("asked by the client")] if self._paused else [Resumed(self._position)]

    def _open(self, hello: Fields) -> list[Event]:
        hello.only(*_HELLO, "parameters", "feed")
        channels = hello.whole("channels", 1, MOST_CHANNELS)
        if channels == 1 and "roles" not in hello:
            roles: tuple[Role, ...] = (hello.one_of("role", fields.ROLES),)
        else:
            roles = hello.words("roles", fields.ROLES, MOST_CHANNELS)
        if len(roles) != channels or ("role" in hello and "roles" in hello):
            raise RefusedError(
                "bad-field",
                f"the hello names {len(roles)} roles for {channels} channels; give one for each, in one field",
            )
        self._encoding = hello.one_of("encoding", ENCODINGS)
        self._opened = Opened(
            call=hello.text("call"),
            legs=tuple(
                Leg(role if roles.count(role) == 1 else f"{role}-{number}", role)
                for number, role in enumerate(roles, 1)
            ),
            rate=hello.whole("rate", LOWEST_RATE, HIGHEST_RATE),
            protocol="plain",
            consent=hello.one_of("consent", fields.CONSENTS),
            agent_purpose=hello.text_or_none("agent_purpose", fields.LONGEST_VALUE),
            token=hello.secret_or_none("token"),
            parameters=hello.parameters("parameters"),
            feed=hello.flag("feed"),
        )
        legs = [{"name": leg.name, "role": leg.role} for leg in self._opened.legs]
        self._answer({"type": "accepted", "call": self._opened.call, "legs": legs})
        return [self._opened]

    def _take_sound(self, data: bytes) -> list[Event]:
        opened = self._opened
        if opened is None:
            raise RefusedError("sound-before-hello", "sound came before the hello; send the hello first")
        longest = LONGEST_SOUND_S * opened.rate * len(opened.legs) * WIDTH[self._encoding]
        if len(data) > longest:
            raise RefusedError(
                "message-too-large",
                f"{len(data)} bytes in one message are more than {LONGEST_SOUND_S} s ({longest} bytes)",
            )
        self._look_for_header(data)
        channels = decode(data, self._encoding, len(opened.legs))
        start, end = self._position, self._position + len(channels[0])
        self._position = end
        if start == end:
            return []
        if self._paused:
            return [Lost(leg.name, start, end, PAUSED) for leg in opened.legs]
        return [Sound(leg.name, start, samples) for leg, samples in zip(opened.legs, channels, strict=True)]

    def _look_for_header(self, data: bytes) -> None:
        """Refuse a sound file that is sent as if it were samples; its beginning may come in any pieces."""
        if len(self._head) == HEAD:
            return
        self._head += data[: HEAD - len(self._head)]
        name = container_name(self._head)
        if name is not None:
            raise RefusedError(
                "sound-file",
                f"the sound begins with the header of a sound file ({name}); send raw {self._encoding} samples without it",
            )

    def _answer(self, message: dict[str, object]) -> None:
        self._replies.append(json.dumps(message))
