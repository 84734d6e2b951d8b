"""Asterisk's AudioSocket over TCP: a byte of kind, two bytes of length (big-endian), then as many bytes.

Kinds: 0x00 hang-up, 0x01 the call's UUID, 0x03 a DTMF digit, 0x10 to 0x18 mono 16-bit little-endian samples at rates from
8 to 192 kHz, 0xff an error (docs.asterisk.org, Configuration / Channel Drivers / AudioSocket). Bytes come in any pieces;
at most one unfinished message is held. The rate is in the kind of the first sound, so the call opens with that. A digit
that someone pressed is passed over unseen, and so is a kind of a later day, once the call is open.

Asterisk's channel driver sends the call's own codec under kind 0x10 unless its dial string says ``c(slin)``: A-law or µ-law
then takes half the bytes. With the encoding ``auto`` the bytes say what they are (``codec_detector``); until they say anything
the first seconds are held back, so that nothing is heard as what it is not.

The protocol can neither name a role nor tell of consent: whoever points Asterisk here declares both.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from stream_ser.calls.events import Closed, Event, Leg, Lost, Opened, PassedOver, RefusedError, Sound
from stream_ser.calls.protocols.codec_detector import Codec, CodecDetector
from stream_ser.calls.protocols.pcm import WIDTH, Encoding, decode
from stream_ser.calls.protocols.tolerance import Tolerance, UnreadableError
from stream_ser.types import Consent, Role

AudioSocketEncoding = Literal["auto", "slin", "ulaw", "alaw"]

HEADER = 3  # bytes
LARGEST_PIECE = 1 << 20  # bytes handed over at once

HANGUP, IDENTITY, DIGIT, ERROR = 0x00, 0x01, 0x03, 0xFF
RATES = {
    0x10: 8_000,
    0x11: 12_000,
    0x12: 16_000,
    0x13: 24_000,
    0x14: 32_000,
    0x15: 44_100,
    0x16: 48_000,
    0x17: 96_000,
    0x18: 192_000,
}
_LENGTHS = {IDENTITY: 16, DIGIT: 1}  # bytes that a kind always has
_ENCODINGS: dict[Codec, Encoding] = {"slin": "s16le", "alaw": "alaw", "ulaw": "mulaw"}
SLIN8 = 0x10
SILENCE_MS = 20
HOLD_S = 4.5  # of G.711, of which the detector is sure after some three seconds of a voice
NOISE = "noise-for-slin"


class AudioSocket:
    """One TCP connection from Asterisk: one leg of one call, named after its ``role``.

    ``encoding`` is what kind 0x10 brings, and at most ``hold_s`` seconds of it are held back where that is ``auto``.
    """

    def __init__(
        self,
        *,
        role: Role = "unknown",
        consent: Consent = "unknown",
        agent_purpose: str | None = None,
        encoding: AudioSocketEncoding = "auto",
        hold_s: float = HOLD_S,
    ) -> None:
        self._role: Role = role
        self._consent: Consent = consent
        self._agent_purpose = agent_purpose
        self._held = b""  # the beginning of a message whose end has not come, fewer than HEADER + 65_536 bytes
        self._call: str | None = None
        self._kind: int | None = None  # of the first sound; None until it came
        self._codec: Codec = "slin" if encoding == "auto" else encoding
        self._detector = CodecDetector() if encoding == "auto" else None
        self._undecided: bytearray | None = None  # sound that is held back
        self._most_undecided = int(hold_s * RATES[SLIN8])
        self._taken = 0  # bytes of sound that were taken for slin
        self._tolerance = Tolerance()
        self._position = 0
        self._over = False

    def receive(self, data: str | bytes) -> list[Event]:
        """Take any piece of the byte stream."""
        if self._over:
            raise RefusedError("after-close", "bytes came after the call was closed; open another connection")
        try:
            return self._take(data)
        except RefusedError:
            self._over = True
            self._held = b""
            raise

    def finish(self) -> list[Event]:
        """What was held back of a connection that is gone."""
        return [] if self._over else self._release()

    def silence(self) -> bytes:
        """A frame of silence as the call's sound is: Asterisk ends a call in which neither side sends anything for 2 s."""
        kind = SLIN8 if self._kind is None else self._kind
        payload = bytes(2 * RATES[kind] * SILENCE_MS // 1000)
        return bytes((kind,)) + len(payload).to_bytes(2, "big") + payload

    def replies(self) -> list[str | bytes]:
        """Return nothing: the protocol has no answers but sound."""
        return []

    def refuse(self, code: str, text: str) -> list[str | bytes]:
        """Hang up: the protocol has no place for a reason."""
        self._over = True
        self._held = b""
        return self.leave(f"{code}: {text}")

    def leave(self, reason: str) -> list[str | bytes]:
        """Hang up: Asterisk goes on in its dialplan. The protocol has no place for ``reason``."""
        del reason
        return [bytes((HANGUP, 0, 0))]

    def _take(self, data: str | bytes) -> list[Event]:
        if isinstance(data, str):
            raise RefusedError("unexpected-text", "text came where AudioSocket has bytes only")
        if len(data) > LARGEST_PIECE:
            raise RefusedError("message-too-large", f"{len(data)} bytes at once are more than {LARGEST_PIECE}")
        data = self._held + data
        events: list[Event] = []
        at = 0
        while len(data) - at >= 1 and not self._over:
            kind = data[at]
            if kind not in RATES and kind not in (HANGUP, IDENTITY, DIGIT, ERROR) and self._kind is None:
                raise RefusedError(
                    "unknown-kind", f"a message of kind {kind:#04x} came, which AudioSocket does not have"
                )
            if len(data) - at < HEADER:
                break
            length = int.from_bytes(data[at + 1 : at + HEADER], "big")
            if length != _LENGTHS.get(kind, length):
                raise RefusedError(
                    "bad-length", f"a message of kind {kind:#04x} has {length} bytes, not {_LENGTHS[kind]}"
                )
            end = at + HEADER + length
            if end > len(data):
                break
            events += self._message(kind, data[at + HEADER : end])
            at = end
        self._held = b"" if self._over else data[at:]
        return events

    def _message(self, kind: int, payload: bytes) -> list[Event]:
        if kind == IDENTITY:
            if self._call is not None:
                raise RefusedError("second-identity", "a second UUID came; a connection is for one call")
            self._call = str(UUID(bytes=payload))
            return []
        if kind in (HANGUP, ERROR):
            self._over = True
            why = "hung up" if kind == HANGUP else f"error of Asterisk, code {payload[:4].hex() or 'unknown'}"
            return [*self._release(), Closed(why)]
        if kind == DIGIT:
            return []
        if kind not in RATES:
            return self._tolerance.forgive(RefusedError("unknown-kind", f"kind {kind:#04x} is not known"))
        return self._sound(kind, payload)

    def _sound(self, kind: int, payload: bytes) -> list[Event]:
        if self._call is None:
            raise RefusedError("sound-before-identity", "sound came before the call's UUID")
        events: list[Event] = []
        if self._kind is None:
            events.append(self._open(kind))
        if kind != self._kind:
            raise RefusedError(
                "rate-changed", f"sound at {RATES[kind]} Hz came in a call that began at {RATES[self._kind or 0]} Hz"
            )
        if self._detector is not None and len(payload) % 2 == 0:
            return events + self._detect(self._detector, payload)
        events += self._release()
        try:
            return events + self._decoded(payload)
        except RefusedError as error:
            return events + self._tolerance.forgive(error)

    def _open(self, kind: int) -> Opened:
        self._kind = kind
        if kind != SLIN8:  # Asterisk names a rate for linear sound alone
            self._codec, self._detector = "slin", None
        self._undecided = None if self._detector is None else bytearray()
        return Opened(
            call=self._call or "",
            legs=(Leg(self._role, self._role),),
            rate=RATES[kind],
            protocol="audiosocket",
            consent=self._consent,
            agent_purpose=self._agent_purpose,
        )

    def _detect(self, detector: CodecDetector, payload: bytes) -> list[Event]:
        """Take sound of which it is not sure what it is."""
        detector.push(payload)
        if self._undecided is not None:
            self._undecided += payload
            if detector.leans is None and len(self._undecided) < self._most_undecided:
                return []
            payload = b""
        told: list[Event] = []
        if detector.sure and detector.leans not in (None, self._codec):
            told = self._change(detector.leans or self._codec)
        elif detector.noise:
            text = "this call's sound is noise when it is taken for slin: send linear sound, as by c(slin) in the dial string"
            told = [PassedOver(NOISE, text=text)]
        if detector.sure or detector.noise:
            self._detector = None
        return [*told, *self._release(), *self._decoded(payload)]

    def _change(self, codec: Codec) -> list[Event]:
        """Decode as ``codec`` from now on. What was taken for slin took half the time that it should have."""
        self._codec = codec
        start, self._position = self._position, self._position + self._taken // 2
        text = (
            f"this call's sound is {codec} under the kind of slin, and is decoded as that: Asterisk sends the call's own "
            f"codec; say c(slin) in the dial string, or audiosocket.encoding = {codec!r}"
        )
        hole = [Lost(self._role, start, self._position, f"{codec} was taken for slin")] if self._taken else []
        return [PassedOver(f"{codec}-for-slin", text=text), *hole]

    def _release(self) -> list[Event]:
        """The sound that was held back, as what it is taken for now."""
        held, self._undecided = self._undecided, None
        return self._decoded(bytes(held)) if held else []

    def _decoded(self, payload: bytes) -> list[Event]:
        encoding, start = _ENCODINGS[self._codec], self._position
        self._position += len(payload) // WIDTH[encoding]
        self._taken += len(payload)
        try:
            (samples,) = decode(payload, encoding)
        except RefusedError as error:
            hole: list[Event] = [Lost(self._role, start, self._position, "sound that could not be read")]
            raise UnreadableError(error.code, error.text, hole if start < self._position else []) from None
        self._tolerance.good()
        return [Sound(self._role, start, samples)] if len(samples) else []
