"""Vonage's voice websockets: one JSON text, then raw 16-bit little-endian samples as binary messages, 20 ms each.

The text is ``{"event": "websocket:connected", "content-type": "audio/l16;rate=16000", …}``, in which whatever the call's
``headers`` say stands beside (developer.vonage.com, Voice API, WebSockets): ``call`` names the call and must be there;
``role``, ``consent``, ``agent_purpose`` and ``token`` may be. Sound comes without a pause, silence too, so positions count what
came. Other texts are events of keys and playback, which are passed over. The call ends with the connection.
"""

from __future__ import annotations

import re

from stream_ser.calls.events import Event, Leg, Lost, Opened, PassedOver, RefusedError, Sound
from stream_ser.calls.protocols import fields
from stream_ser.calls.protocols.fields import Fields
from stream_ser.calls.protocols.pcm import decode
from stream_ser.calls.protocols.tolerance import Tolerance, UnreadableError

CONNECTED = "websocket:connected"
LONGEST_SOUND = 65_536  # bytes of one message
LOWEST_RATE, HIGHEST_RATE = 8_000, 48_000
_FORMAT = re.compile(r"audio/l16 ?; ?rate=([0-9]{4,6})", re.IGNORECASE)
_OWN = ("event", "content-type", "call", "role")
_KNOWN = ("websocket:dtmf", "websocket:cleared", "websocket:notify", "websocket:media:update")


class Vonage:
    """One connection: one leg of one call, named after its role."""

    closing_means = "hung up"

    def __init__(self) -> None:
        self._opened: Opened | None = None
        self._position = 0
        self._tolerance = Tolerance()
        self._over = False

    def receive(self, data: str | bytes) -> list[Event]:
        """Take one message of a websocket."""
        if self._over:
            raise RefusedError("after-close", "a message came after the call was closed; open another connection")
        try:
            return self._read(data)
        except RefusedError:
            self._over = True
            raise

    def replies(self) -> list[str | bytes]:
        """Return nothing: there is nothing to answer."""
        return []

    def refuse(self, code: str, text: str) -> list[str | bytes]:
        """Return nothing: why the connection is closed stands in its close frame."""
        del code, text
        self._over = True
        return []

    def leave(self, reason: str) -> list[str | bytes]:
        """Return nothing: closing the connection is all that the protocol knows."""
        del reason
        return []

    def _read(self, data: str | bytes) -> list[Event]:
        try:
            return self._take(fields.parse(data, "the message")) if isinstance(data, str) else self._sound(data)
        except RefusedError as error:
            if self._opened is None or error.code == "second-start":
                raise
            return self._tolerance.forgive(error)

    def _take(self, message: Fields) -> list[Event]:
        event = message.text("event")
        if event != CONNECTED:
            return [] if event in _KNOWN else [PassedOver("unknown-event")]
        if self._opened is not None:
            raise RefusedError("second-start", "a second websocket:connected came; a connection is for one call")
        self._opened = self._open(message)
        return [self._opened]

    def _open(self, message: Fields) -> Opened:
        form = message.text("content-type")
        found = _FORMAT.fullmatch(form.strip())
        rate = int(found[1]) if found else 0
        if not LOWEST_RATE <= rate <= HIGHEST_RATE:
            raise RefusedError("unusable-format", f"the sound is {fields.show(form)}; say audio/l16;rate=16000 or 8000")
        role = message.one_of("role", fields.ROLES) if "role" in message else "unknown"
        rest = {key: value for key, value in message.all_texts().items() if key not in _OWN}
        declared = fields.declared(rest, "the first message")
        return Opened(
            call=message.text("call"),
            legs=(Leg(role, role),),
            rate=rate,
            protocol="vonage",
            consent=declared.consent,
            agent_purpose=declared.agent_purpose,
            token=declared.token,
            parameters=declared.rest,
        )

    def _sound(self, data: bytes) -> list[Event]:
        opened = self._opened
        if opened is None:
            raise RefusedError("sound-before-start", f"sound came before {CONNECTED}")
        if len(data) > LONGEST_SOUND:
            raise RefusedError("message-too-large", f"{len(data)} bytes of sound are more than {LONGEST_SOUND}")
        leg, start = opened.legs[0].name, self._position
        self._position += len(data) // 2
        try:
            (samples,) = decode(data, "s16le")
        except RefusedError as error:
            hole: list[Event] = [Lost(leg, start, self._position, "sound that could not be read")]
            raise UnreadableError(error.code, error.text, hole if start < self._position else []) from None
        self._tolerance.good()
        return [Sound(leg, start, samples)] if len(samples) else []
