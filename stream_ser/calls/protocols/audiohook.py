"""Genesys AudioHook, version 2: one conversation's sound from a contact centre to this server, over a websocket.

Text messages are JSON objects ``{version, id, type, seq, parameters}``; the client's also have ``serverseq`` and
``position``, ours ``clientseq`` (developer.genesys.cloud, AudioHook protocol reference). Each side numbers its messages
1, 2, 3 … and names the last number it has seen. The client opens; we choose one of the media it offers, if we want any;
binary messages then carry interleaved samples, ``external`` the customer's, ``internal`` the agent's. Only the client
closes: ``leave`` asks it to, and ``closed`` is to be sent before the connection goes.

A probe (a conversation of zeros, or one that offers no media) is how Genesys tests an address: it is answered, and gives
no Opened. Positions are frames since the session began, those that the client discarded or paused over included. No
number that a caller has is kept (``ani``, ``dnis``).

Messages of a type that is not known are passed over, and sound that is no whole number of samples is a hole, as long as it does
not come many times in a row. Everything else that is wrong ends the session: numbers and states would not fit any more.
"""

from __future__ import annotations

import json
import re
from fractions import Fraction
from typing import Any, Literal, get_args

from stream_ser.calls.events import Closed, Event, Leg, Lost, Opened, PassedOver, Paused, RefusedError, Resumed, Sound
from stream_ser.calls.protocols import fields
from stream_ser.calls.protocols.fields import LONGEST_JUMP_S, Fields
from stream_ser.calls.protocols.pcm import WIDTH, Encoding, decode
from stream_ser.calls.protocols.tolerance import Tolerance
from stream_ser.types import Role

VERSION = "2"
RATE = 8_000
LARGEST_SOUND = 65_536  # bytes of one binary message
MOST_MEDIA = 32  # that a client may offer
LONGEST_INFO = 256  # characters that we explain a refusal with
NOBODY = "00000000-0000-0000-0000-000000000000"
DRAIN = "drain"  # the reason to leave that asks the client to connect again
STOPPED = "stopped"  # the reason to leave when there is no more time

Channel = Literal["external", "internal"]
Kind = Literal["open", "close", "ping", "discarded", "paused", "resumed", "update", "error"]
ROLES: dict[Channel, Role] = {"external": "customer", "internal": "agent"}
_CHANNELS: tuple[Channel, ...] = get_args(Channel)
_KINDS: tuple[Kind, ...] = get_args(Kind)
_FORMATS: dict[str, Encoding] = {"PCMU": "mulaw", "L16": "s16le"}  # as Genesys' own server reads them
_CLOSE_REASONS = ("end", "error", "disconnect", "reconnect")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DURATION = re.compile(r"PT([0-9]{0,15}\.)?[0-9]{1,30}S")


class AudioHook:
    """One session. ``organization`` and ``session`` are what the handshake's headers say, None where nobody looked.

    With ``start_paused`` the client is told to begin paused; ``resume`` lets it go on.
    """

    def __init__(
        self, *, organization: str | None = None, session: str | None = None, start_paused: bool = False
    ) -> None:
        self._organization, self._session, self._start_paused = organization, session, start_paused
        self._seq = 0  # of our last message
        self._client_seq = 0  # of the client's
        self._state: Literal["new", "open", "over"] = "new"
        self._paused = False
        self._legs: tuple[Leg, ...] = ()  # in the order of the channels; none in a probe
        self._encoding: Encoding = "mulaw"
        self._position = 0
        self._tolerance = Tolerance()
        self._replies: list[str | bytes] = []

    def receive(self, data: str | bytes) -> list[Event]:
        """Take one message of a websocket."""
        if self._state == "over":
            raise RefusedError("after-close", "a message came after the session was closed; open another connection")
        try:
            return self._take(data) if isinstance(data, str) else self._sound(data)
        except RefusedError:
            self._state = "over"
            raise

    def replies(self) -> list[str | bytes]:
        """What is to be sent now."""
        replies, self._replies = self._replies, []
        return replies

    def refuse(self, code: str, text: str) -> list[str | bytes]:
        """Tell the client to disconnect: as ``unauthorized`` where it is not who it says, and else as ``error``."""
        self._state = "over"
        self._seq -= len(self._replies)  # they were numbered, and are not sent
        self._replies.clear()
        reason = "unauthorized" if code == "other-organization" else "error"
        self._send("disconnect", {"reason": reason, "info": f"{code}: {text}"[:LONGEST_INFO]})
        return self.replies()

    def part(self, data: str | bytes) -> list[str | bytes]:
        """Take what comes after ``refuse``: a client that was told to disconnect closes, and expects to hear ``closed``."""
        try:
            message = fields.parse(data, "the message") if isinstance(data, str) else None
            if message is None or message.text("type") != "close":
                return []
            self._client_seq = message.whole("seq")
        except RefusedError:
            return []
        self._send("closed", {})
        return self.replies()

    def leave(self, reason: str) -> list[str | bytes]:
        """Ask the client to close, or, where ``reason`` is DRAIN, to connect again first.

        Its ``close`` comes then as any other. The reasons ``unauthorized`` and ``error`` are said as they are.
        """
        if reason == DRAIN:
            self._send("reconnect", {"info": "the server is about to stop"})
        else:
            said = "error" if reason == STOPPED else reason if reason in ("unauthorized", "error") else "completed"
            info = "the server stops" if reason == STOPPED else reason[:LONGEST_INFO]
            self._send("disconnect", {"reason": said, "info": info})
        return self.replies()

    def resume(self) -> list[str | bytes]:
        """Ask the client to go on after ``start_paused``; it answers with ``resumed``."""
        self._send("resume", {})
        return self.replies()

    def _take(self, text: str) -> list[Event]:
        message = fields.parse(text, "the message")
        message.one_of("version", (VERSION,))
        session = message.text("id")
        _uuid(message, "id")
        seq, server_seq = message.whole("seq"), message.whole("serverseq")
        _duration(message, "position")
        if seq != self._client_seq + 1:
            raise RefusedError(
                "bad-sequence", f"seq is {seq} after {self._client_seq}; messages are numbered 1, 2, 3 …"
            )
        if server_seq > self._seq:
            raise RefusedError("bad-sequence", f"serverseq is {server_seq}, and the last message sent was {self._seq}")
        if self._session is not None and session.lower() != self._session.lower():
            raise RefusedError("other-session", f"the message is of session {session}, not {self._session}")
        self._session, self._client_seq = session, seq
        kind = next((one for one in _KINDS if one == message.text("type")), None)
        if kind is None:
            return [PassedOver("unknown-event")]
        parameters = message.part("parameters")
        if kind == "open":
            return self._open(parameters)
        if kind == "close":
            return self._close(parameters)
        if kind == "ping":
            self._send("pong", {})
            return []
        if kind == "error":
            parameters.whole("code")
            return []
        if self._state != "open":
            raise RefusedError("not-open", f"a message of type {kind!r} came before open")
        if kind == "update":
            parameters.text("language")
            self._send("updated", {})
            return []
        return self._stream_changed(kind, parameters)

    def _stream_changed(self, kind: Kind, parameters: Fields) -> list[Event]:
        if not self._legs:
            return []  # a probe has no sound to discard or pause
        if kind == "discarded":
            return self._skip(parameters, "discarded by the client")
        if kind == "paused":
            events: list[Event] = [] if self._paused else [Paused("paused by the client")]
            self._paused = True
            return events
        lost = self._skip(parameters, "paused")
        if not self._paused:
            return lost
        self._paused = False
        return [*lost, Resumed(self._position)]

    def _open(self, parameters: Fields) -> list[Event]:
        if self._state != "new":
            raise RefusedError("second-open", "a second open message came; a session is for one conversation")
        organization = _uuid(parameters, "organizationId")
        if self._organization is not None and organization != self._organization.lower():
            raise RefusedError("other-organization", "organizationId is not that of the handshake")
        conversation, participant = _uuid(parameters, "conversationId"), _uuid(parameters.part("participant"), "id")
        offered = parameters.parts("media", MOST_MEDIA)
        said = fields.declared(
            parameters.part("customConfig").all_texts() if "customConfig" in parameters else {}, "open"
        )
        language = parameters.text_or_none("language")
        probe = not offered or NOBODY in (conversation, participant)
        chosen = None if probe else _choose(offered)
        self._state = "open"
        opened: dict[str, object] = {"media": [] if chosen is None else [chosen]}
        if parameters.flag("supportedLanguages"):
            opened["supportedLanguages"] = []  # those that are transcribed: none
        if chosen is None:
            self._send("opened", opened)
            return []
        self._legs = tuple(Leg(channel, ROLES[channel]) for channel in chosen["channels"])
        self._encoding = _FORMATS[chosen["format"]]
        self._paused = self._start_paused
        self._send("opened", opened | ({"startPaused": True} if self._paused else {}))
        known = {"organization": organization, "participant": participant, "session": self._session or ""}
        call = Opened(
            call=conversation,
            legs=self._legs,
            rate=RATE,
            protocol="audiohook",
            consent=said.consent,
            agent_purpose=said.agent_purpose,
            token=said.token,
            parameters=said.rest | known | ({} if language is None else {"language": language}),
        )
        return [call, Paused("begins paused")] if self._paused else [call]

    def _close(self, parameters: Fields) -> list[Event]:
        reason = parameters.one_of("reason", _CLOSE_REASONS)
        self._send("closed", {})
        self._state = "over"
        return [Closed(reason if self._legs else "probe")]

    def _skip(self, parameters: Fields, reason: str) -> list[Event]:
        """Move on to where ``discarded`` ends; what is behind us was told too late to matter."""
        end = _frames(_duration(parameters, "start") + _duration(parameters, "discarded"))
        start = self._position
        if end <= start:
            return []
        if end - start > LONGEST_JUMP_S * RATE:
            raise RefusedError(
                "jump", f"{(end - start) // RATE} s of sound are left out at once, more than {LONGEST_JUMP_S} s"
            )
        self._position = end
        return [Lost(leg.name, start, end, reason) for leg in self._legs]

    def _sound(self, data: bytes) -> list[Event]:
        if not self._legs:
            raise RefusedError("sound-before-open", "sound came where no media was chosen")
        if len(data) > LARGEST_SOUND:
            raise RefusedError("message-too-large", f"{len(data)} bytes of sound are more than {LARGEST_SOUND}")
        start, end = self._position, self._position + len(data) // (WIDTH[self._encoding] * len(self._legs))
        self._position = end
        try:
            channels = decode(data, self._encoding, len(self._legs))
        except RefusedError as error:
            holes = [Lost(leg.name, start, end, "sound that could not be read") for leg in self._legs if start < end]
            return [*holes, *self._tolerance.forgive(error)]
        self._tolerance.good()
        if start == end:
            return []
        if self._paused:
            return [Lost(leg.name, start, end, "paused") for leg in self._legs]
        return [Sound(leg.name, start, samples) for leg, samples in zip(self._legs, channels, strict=True)]

    def _send(self, kind: str, parameters: dict[str, object]) -> None:
        self._seq += 1
        message = {"version": VERSION, "id": self._session or NOBODY, "type": kind, "seq": self._seq}
        self._replies.append(json.dumps(message | {"clientseq": self._client_seq, "parameters": parameters}))


def _choose(offered: list[Fields]) -> dict[str, Any]:
    """Choose one of the media as it was offered: both voices before one, the customer's before the agent's, then PCMU."""
    usable: list[tuple[tuple[bool, bool, bool], dict[str, Any]]] = []
    for media in offered:
        try:
            form = media.one_of("format", tuple(_FORMATS))
            channels = media.words("channels", _CHANNELS, len(_CHANNELS))
            kept: dict[str, Any] = {
                "type": media.one_of("type", ("audio",)),
                "format": form,
                "channels": list(channels),
            }
            kept["rate"] = media.whole("rate", RATE, RATE)
        except RefusedError:
            continue  # a format of a later day
        if len(set(channels)) == len(channels):
            usable.append(((len(channels) < len(_CHANNELS), "external" not in channels, form != "PCMU"), kept))
    if not usable:
        raise RefusedError("no-usable-media", f"none of {len(offered)} media is PCMU or L16 at {RATE} Hz")
    return min(usable, key=lambda one: one[0])[1]


def _uuid(values: Fields, name: str) -> str:
    value = values.text(name)
    if not _UUID.fullmatch(value):
        raise RefusedError("bad-field", f"the field {name!r} is {fields.show(value)}, not a UUID")
    return value.lower()


def _duration(values: Fields, name: str) -> Fraction:
    """Seconds of a duration like PT12.34S, exactly."""
    value = values.text(name)
    if not _DURATION.fullmatch(value):
        raise RefusedError("bad-field", f"the field {name!r} is {fields.show(value)}, not a duration like PT12.34S")
    number = value[2:-1]
    return Fraction(f"0{number}")


def _frames(seconds: Fraction) -> int:
    return round(seconds * RATE)
