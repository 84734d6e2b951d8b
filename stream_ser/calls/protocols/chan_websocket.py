"""Asterisk's chan_websocket: a call's sound as binary messages of raw codec bytes, and word of it as text, plain or JSON.

Asterisk connects (``Dial(WebSocket/NAME/…)``, or ARI's externalMedia with the transport ``websocket``) and says MEDIA_START: in
plain text the word and then ``KEY:VALUE`` pairs, in JSON an object with ``event`` (docs.asterisk.org, Configuration / Channel
Drivers / WebSocket; Asterisk 20.16, 21.11, 22.6 and newer). The first versions have no ``channel_id``. Role, consent and the
rest come in the address' query, as by the dial string's ``v(role=customer,consent=given)``, or, in JSON, as channel variables
STREAM_SER_ROLE and so on; no other channel variable is kept. Closing the connection hangs the channel up, on either side.

Sound has neither number nor time, and of silence nothing at all may come, so here time goes by the clock: what the clock is
ahead by, beyond what a network may hold back, is a hole. After a network has stood still everything comes at once, and is no
hole: a pause is believed when the sound behind it has come at its own pace for CERTAIN_S.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from urllib.parse import parse_qsl

from stream_ser.calls.events import Event, Leg, Lost, Opened, PassedOver, RefusedError, Sound
from stream_ser.calls.protocols import fields
from stream_ser.calls.protocols.audiohook import STOPPED
from stream_ser.calls.protocols.fields import Fields
from stream_ser.calls.protocols.pcm import WIDTH, Encoding, decode
from stream_ser.calls.protocols.tolerance import Tolerance, UnreadableError

LONGEST_SOUND = 65_536  # bytes of one message
SECOND_NS = 1_000_000_000
JITTER_S, CERTAIN_S = 0.3, 0.1  # what a network may hold back; how long sound behind a pause is looked at
STANDS_STILL_S = 0.15  # what the clock is still ahead by, at most, once everything has come that a network held back
CLOCK_PPM = 1_000  # two clocks are never equal
NOT_SENT = "nothing was sent"
VARIABLE = "STREAM_SER_"  # what channel variables that are for us begin with

_KNOWN = (
    "DTMF_END",
    "MEDIA_XOFF",
    "MEDIA_XON",
    "STATUS",
    "MEDIA_BUFFERING_COMPLETED",
    "MEDIA_MARK_PROCESSED",
    "QUEUE_DRAINED",
)
_LINEAR = {"": 8_000, "12": 12_000, "16": 16_000, "24": 24_000, "32": 32_000, "44": 44_100, "48": 48_000, "96": 96_000}
FORMATS: dict[str, tuple[Encoding, int]] = {
    "ulaw": ("mulaw", 8_000),
    "alaw": ("alaw", 8_000),
    **{f"slin{name}": ("s16le", rate) for name, rate in (_LINEAR | {"192": 192_000}).items()},
}


class ChanWebSocket:
    """One connection from Asterisk: one leg of one call, named after its role. ``query`` is the address' own."""

    closing_means = "hung up"

    def __init__(self, query: str = "", now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._query, self._now_ns = query, now_ns
        self._json = False
        self._opened: Opened | None = None
        self._encoding: Encoding = "mulaw"
        self._leg = ""
        self._position = 0  # native frames
        self._zero_ns = 0  # when frame 0 was, or would have been: no sound has come earlier than it was due by this
        self._behind_pause: list[bytes] = []  # sound that came after a pause, of which it is not sure that it was one
        self._since_ns = 0
        self._tolerance = Tolerance()
        self._over = False

    def receive(self, data: str | bytes) -> list[Event]:
        """Take one message of a websocket."""
        if self._over:
            raise RefusedError("after-close", "a message came after the call was closed; open another connection")
        try:
            return self._take_text(data) if isinstance(data, str) else self._take_sound(data)
        except RefusedError as error:
            if self._opened is None or error.code in ("second-start", "too-fast"):
                self._over = True
                raise
            try:
                return self._tolerance.forgive(error)
            except RefusedError:
                self._over = True
                raise

    def finish(self) -> list[Event]:
        """What was held back of a connection that is gone."""
        return [] if self._over else self._release(self._lag(self._now_ns()))

    def replies(self) -> list[str | bytes]:
        """Return nothing: there is nothing to answer."""
        return []

    def refuse(self, code: str, text: str) -> list[str | bytes]:
        """Hang up. The reason stands in the close frame."""
        del code, text
        self._over = True
        return [self._command("HANGUP")]

    def leave(self, reason: str) -> list[str | bytes]:
        """Hang up where there is no more time; before that a goodbye would end the call."""
        return [self._command("HANGUP")] if reason == STOPPED else []

    def _command(self, name: str) -> str:
        return json.dumps({"command": name}) if self._json else name

    def _take_text(self, text: str) -> list[Event]:
        message = self._read(text)
        event = message.text("event")
        if event == "MEDIA_START":
            if self._opened is not None:
                raise RefusedError("second-start", "a second MEDIA_START came; a connection is for one call")
            return [self._open(message)]
        if event == "ERROR":
            return [PassedOver("error-of-asterisk")]
        return [] if event in _KNOWN else [PassedOver("unknown-event")]

    def _read(self, text: str) -> Fields:
        """A message of either format as fields."""
        if text.lstrip().startswith("{"):
            self._json = True
            return fields.parse(text, "the message")
        if len(text) > fields.LONGEST_TEXT:
            raise RefusedError("message-too-large", f"{len(text)} characters are more than {fields.LONGEST_TEXT}")
        word, *pairs = text.split() or [""]
        return Fields({"event": word, **dict(pair.partition(":")[::2] for pair in pairs)}, "the message")

    def _open(self, message: Fields) -> Opened:
        name = message.text("format")
        if name not in FORMATS:
            raise RefusedError(
                "unusable-format",
                f"the format {fields.show(name)} is none of {', '.join(FORMATS)}; name one, as by c(ulaw) in the dial string",
            )
        self._encoding, rate = FORMATS[name]
        said = self._declared(message)
        role = said.one_of("role", fields.ROLES) if "role" in said else "unknown"
        named = next((key for key in ("channel_id", "channel") if key in message), "connection_id")
        rest = {key: value for key, value in said.all_texts().items() if key not in ("call", "role", "token")}
        declared = fields.declared(rest, "the address' query")
        self._leg, self._zero_ns = role, self._now_ns()
        self._opened = Opened(
            call=said.text("call") if "call" in said else message.text(named),
            legs=(Leg(role, role),),
            rate=rate,
            protocol="chan_websocket",
            consent=declared.consent,
            agent_purpose=declared.agent_purpose,
            parameters=declared.rest,
        )
        return self._opened

    def _declared(self, message: Fields) -> Fields:
        """What the query says, and above it what channel variables for us say."""
        try:
            said = dict(parse_qsl(self._query, max_num_fields=fields.MOST_PARAMETERS))
        except ValueError as error:
            raise RefusedError("bad-field", f"the address' query cannot be read ({error})") from None
        if "channel_variables" in message:
            texts = message.part("channel_variables").texts_that_begin_with(VARIABLE)
            said |= {name.removeprefix(VARIABLE).lower(): value for name, value in texts.items() if value}
        return Fields(fields.checked_parameters(said, "the address' query"), "the address' query")

    def _take_sound(self, data: bytes) -> list[Event]:
        if self._opened is None:
            raise RefusedError("sound-before-start", "sound came before MEDIA_START")
        if len(data) > LONGEST_SOUND:
            raise RefusedError("message-too-large", f"{len(data)} bytes of sound are more than {LONGEST_SOUND}")
        if not data:
            return []
        now = self._now_ns()
        if self._behind_pause:
            self._behind_pause.append(data)
            lag = self._lag(now)
            certain = lag <= STANDS_STILL_S * self._opened.rate or now - self._since_ns >= CERTAIN_S * SECOND_NS
            return self._release(lag) if certain else []
        if self._lag(now) > JITTER_S * self._opened.rate:
            self._behind_pause, self._since_ns = [data], now
            return []
        return self._sound(data, now)

    def _lag(self, now_ns: int) -> int:
        """Frames that the clock is ahead of the sound, that which is held back included."""
        if self._opened is None:
            return 0
        held = sum(map(len, self._behind_pause)) // WIDTH[self._encoding]
        return (now_ns - self._zero_ns) * self._opened.rate // SECOND_NS - self._position - held

    def _release(self, lag: int) -> list[Event]:
        """What was held back, behind a hole where the clock is still ahead of it."""
        held, self._behind_pause = self._behind_pause, []
        events: list[Event] = []
        if held and self._opened is not None and lag > STANDS_STILL_S * self._opened.rate:
            events.append(Lost(self._leg, self._position, self._position + lag, NOT_SENT))
            self._position += lag
        for data in held:
            events += self._sound(data, self._since_ns)
        return events

    def _sound(self, data: bytes, now_ns: int) -> list[Event]:
        assert self._opened is not None
        start = self._position
        self._position += len(data) // WIDTH[self._encoding]
        frames_ns = (self._position - start) * SECOND_NS // self._opened.rate
        self._zero_ns += frames_ns * CLOCK_PPM // 1_000_000
        self._zero_ns = min(self._zero_ns, now_ns - self._position * SECOND_NS // self._opened.rate)
        try:
            (samples,) = decode(data, self._encoding)
        except RefusedError as error:
            hole: list[Event] = [Lost(self._leg, start, self._position, "sound that could not be read")]
            raise UnreadableError(error.code, error.text, hole if start < self._position else []) from None
        self._tolerance.good()
        return [Sound(self._leg, start, samples)]
