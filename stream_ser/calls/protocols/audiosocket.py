"""Asterisk's AudioSocket over TCP: a byte of kind, two bytes of length (big-endian), then as many bytes.

Kinds: 0x00 hang-up, 0x01 the call's UUID, 0x03 a DTMF digit, 0x10 to 0x18 mono 16-bit little-endian samples at rates from
8 to 192 kHz, 0xff an error (docs.asterisk.org, Configuration / Channel Drivers / AudioSocket). Bytes come in any pieces;
at most one unfinished message is held. The rate is in the kind of the first sound, so the call opens with that. A digit
that someone pressed is passed over unseen.

The protocol can neither name a role nor tell of consent: whoever points Asterisk here declares both.
"""

from __future__ import annotations

from uuid import UUID

from stream_ser.calls.events import Closed, Event, Leg, Opened, RefusedError, Sound
from stream_ser.calls.protocols.pcm import decode
from stream_ser.types import Consent, Role

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


class AudioSocket:
    """One TCP connection from Asterisk: one leg of one call, named after its ``role``."""

    def __init__(
        self, *, role: Role = "unknown", consent: Consent = "unknown", agent_purpose: str | None = None
    ) -> None:
        self._role: Role = role
        self._consent: Consent = consent
        self._agent_purpose = agent_purpose
        self._held = b""  # the beginning of a message whose end has not come, fewer than HEADER + 65_536 bytes
        self._call: str | None = None
        self._rate: int | None = None  # None until the first sound
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
            if kind not in RATES and kind not in (HANGUP, IDENTITY, DIGIT, ERROR):
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
            return [
                Closed("hung up" if kind == HANGUP else f"error of Asterisk, code {payload[:4].hex() or 'unknown'}")
            ]
        if kind == DIGIT:
            return []
        return self._sound(RATES[kind], payload)

    def _sound(self, rate: int, payload: bytes) -> list[Event]:
        if self._call is None:
            raise RefusedError("sound-before-identity", "sound came before the call's UUID")
        events: list[Event] = []
        if self._rate is None:
            self._rate = rate
            events.append(
                Opened(
                    call=self._call,
                    legs=(Leg(self._role, self._role),),
                    rate=rate,
                    protocol="audiosocket",
                    consent=self._consent,
                    agent_purpose=self._agent_purpose,
                )
            )
        if rate != self._rate:
            raise RefusedError("rate-changed", f"sound at {rate} Hz came in a call that began at {self._rate} Hz")
        (samples,) = decode(payload, "s16le")
        if len(samples):
            events.append(Sound(self._role, self._position, samples))
            self._position += len(samples)
        return events
