"""How many messages and bytes one connection may bring, whatever they are. Pure: time is data.

Sound is bounded by time itself; all else, and how sound is cut and wrapped, by these. Refusals have the names
``too-many-messages``, ``too-many-bytes`` and ``too-many-pauses``. What came while this server stood still is allowed for.
"""

from __future__ import annotations

from stream_ser.server.limits import RateLimit
from stream_ser.server.rejection import Refusal

BURST_S = 10.0
MESSAGES_A_SECOND = 1_000  # telephony sends 50 of each leg; a piece of 2.5 ms would be 400
BYTES_A_SECOND = 1_000_000  # two channels of 48 kHz as floats are 384,000
WITHOUT_SOUND_A_SECOND = 100
PAUSES_A_SECOND = 2  # each tells every subscriber


class MessageLimit:
    """Of one connection. ``burst_s`` is how much of a second's worth may come at once, at least BURST_S."""

    def __init__(self, now_ns: int, stalled_ns: int = 0, burst_s: float = BURST_S) -> None:
        def rate(a_second: int) -> RateLimit:
            return RateLimit(a_second, max(BURST_S, burst_s), now_ns, stalled_ns)

        self._messages, self._bytes = rate(MESSAGES_A_SECOND), rate(BYTES_A_SECOND)
        self._without_sound, self._pauses = rate(WITHOUT_SOUND_A_SECOND), RateLimit(PAUSES_A_SECOND, BURST_S, now_ns)

    def take(self, messages: int, size: int, now_ns: int, stalled_ns: int) -> Refusal | None:
        """Let so many messages of ``size`` bytes together pass, or say why not."""
        if self._messages.take(messages, now_ns, stalled_ns) is not None:
            return Refusal("too-many-messages", f"more than {MESSAGES_A_SECOND} messages a second; send longer ones")
        if self._bytes.take(size, now_ns, stalled_ns) is not None:
            return Refusal("too-many-bytes", f"more than {BYTES_A_SECOND} bytes a second; no sound needs as many")
        return None

    def take_without_sound(self, messages: int, now_ns: int, stalled_ns: int) -> Refusal | None:
        """The same for messages that turned out to bring no sound, besides."""
        if self._without_sound.take(messages, now_ns, stalled_ns) is None:
            return None
        most = WITHOUT_SOUND_A_SECOND
        return Refusal("too-many-messages", f"more than {most} messages a second that bring no sound; send fewer")

    def pause(self, now_ns: int) -> Refusal | None:
        """Let a pause or its end pass, or say why not."""
        if self._pauses.take(1, now_ns) is None:
            return None
        text = f"more than {PAUSES_A_SECOND} pauses and resumptions a second; send one where a pause begins or ends"
        return Refusal("too-many-pauses", text)
