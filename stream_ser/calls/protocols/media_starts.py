"""How a media stream of JSON and base64 opens, by provider: their ``start`` messages tell them apart, and little else does.

======== ============ ============================ ===========================================================
provider stream's id  call's id                    sound
======== ============ ============================ ===========================================================
Twilio   streamSid    callSid                      µ-law, 8 kHz, the tracks that are named
Telnyx   stream_id    call_control_id, or session  PCMU, PCMA or L16 (big-endian, RFC 3551), both tracks
Plivo    streamId     callId                       µ-law or linear, the tracks that are named
Exotel   stream_sid   call_sid                     linear little-endian, or µ-law; one track that is not named
======== ============ ============================ ===========================================================

Sources: twilio.com/docs/voice/media-streams/websocket-messages; developers.telnyx.com, Stream call media over WebSocket;
plivo.com/docs, Audio streaming protocol reference; developer.exotel.com, Stream and Voicebot applet. Plivo does not say which
end of its linear samples comes first; they are read as little-endian.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Literal

from stream_ser.calls.events import Leg, Opened, RefusedError
from stream_ser.calls.protocols import fields
from stream_ser.calls.protocols.fields import Declared, Fields
from stream_ser.calls.protocols.pcm import Encoding
from stream_ser.types import Role

RATE = 8_000
LOWEST_RATE, HIGHEST_RATE = 8_000, 48_000
Track = Literal["inbound", "outbound"]
TRACKS: tuple[Track, ...] = ("inbound", "outbound")
ROLES: dict[Track, Role] = {"inbound": "customer", "outbound": "agent"}
STREAM_IDS = ("streamSid", "stream_id", "streamId", "stream_sid")

_TELNYX: dict[str, Encoding] = {"PCMU": "mulaw", "PCMA": "alaw", "L16": "s16be"}
_PLIVO: dict[str, Encoding] = {"audio/x-mulaw": "mulaw", "audio/x-l16": "s16le"}


@dataclass(frozen=True, slots=True)
class Start:
    """What a ``start`` message says. ``ends`` is whether a ``stop`` comes at the end, or only the connection's."""

    opened: Opened
    stream: str
    encoding: Encoding
    ends: bool = True


def read_start(message: Fields, token: str | None) -> Start:
    """Read a ``start`` message; ``token`` is what ``connected`` brought. Raises RefusedError."""
    start = message.part("start")
    if "media_format" in start:
        return _exotel(message, start) if "call_sid" in start else _telnyx(message, start, token)
    return _plivo(message, start) if "callId" in start else _twilio(message, start)


def _opened(call: str, tracks: tuple[Track, ...], rate: int, protocol: str, said: Declared) -> Opened:
    return Opened(
        call=call,
        legs=tuple(Leg(track, ROLES[track]) for track in TRACKS if track in tracks),
        rate=rate,
        protocol=protocol,
        consent=said.consent,
        agent_purpose=said.agent_purpose,
        token=said.token,
        parameters=said.rest,
    )


def _twilio(message: Fields, start: Fields) -> Start:
    form = start.part("mediaFormat")
    form.one_of("encoding", ("audio/x-mulaw",))
    form.whole("channels", 1, 1)
    said = fields.declared(start.parameters("customParameters"), "the start message")
    tracks = start.words("tracks", TRACKS, len(TRACKS))
    stream = start.text("streamSid") if "streamSid" in start else message.text("streamSid")
    rate = form.whole("sampleRate", RATE, RATE)
    return Start(_opened(start.text("callSid"), tracks, rate, "twilio", said), stream, "mulaw")


def _telnyx(message: Fields, start: Fields, token: str | None) -> Start:
    form = start.part("media_format")
    encoding = _TELNYX[form.one_of("encoding", tuple(_TELNYX))]
    form.whole("channels", 1, 1)
    parameters = {**_client_state(start), **start.parameters("custom_parameters")}
    if token is not None:
        parameters.setdefault("token", token)
    said = fields.declared(parameters, "the start message")
    call = start.text("call_control_id" if "call_control_id" in start else "call_session_id")
    rate = form.whole("sample_rate", LOWEST_RATE, HIGHEST_RATE)
    return Start(_opened(call, TRACKS, rate, "telnyx", said), message.text("stream_id"), encoding)


def _plivo(message: Fields, start: Fields) -> Start:
    form = start.part("mediaFormat")
    encoding = _PLIVO[form.one_of("encoding", tuple(_PLIVO))]
    text = message.text_or_none("extra_headers", fields.LONGEST_VALUE) or ""
    headers = fields.checked_parameters(_pairs(text), "the field 'extra_headers'")
    said = fields.declared(headers, "the start message")
    tracks = start.words("tracks", TRACKS, len(TRACKS))
    opened = _opened(start.text("callId"), tracks, _rate(form, "sampleRate"), "plivo", said)
    return Start(opened, start.text("streamId"), encoding, ends=False)


def _exotel(message: Fields, start: Fields) -> Start:
    form = start.part("media_format")
    encoding: Encoding = "mulaw" if "mulaw" in form.text("encoding").lower() else "s16le"
    said = fields.declared(start.parameters("custom_parameters"), "the start message")
    stream = start.text("stream_sid") if "stream_sid" in start else message.text("stream_sid")
    opened = _opened(start.text("call_sid"), ("inbound",), _rate(form, "sample_rate"), "exotel", said)
    return Start(opened, stream, encoding)


def _pairs(text: str) -> dict[str, str]:
    """Names and values as Plivo writes them: ``a=1;b=2``, with commas between, or ``{X-PH-a: 1; X-PH-b: 2}``."""
    pairs = [part.replace(":", "=", 1).partition("=") for part in text.strip(" {}").replace(",", ";").split(";")]
    return {name.strip().removeprefix("X-PH-"): value.strip() for name, mark, value in pairs if mark and name.strip()}


def _rate(form: Fields, name: str) -> int:
    rate = form.count(name)
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise RefusedError("bad-field", f"the field {name!r} is {rate}, not from {LOWEST_RATE} to {HIGHEST_RATE}")
    return rate


def _client_state(start: Fields) -> dict[str, str]:
    """Parameters from Telnyx's ``client_state``: base64 of whatever an application likes, here of a JSON object."""
    state = start.text_or_none("client_state", fields.LONGEST_TEXT)
    try:
        return fields.parse(base64.b64decode(state or "", validate=True).decode(), "client_state").all_texts()
    except (ValueError, RefusedError):
        return {}  # it is some other application's
