"""Media streams as Twilio sends them, and Telnyx, Plivo and Exotel in ways of their own: JSON text with base64 sound.

There is one track for each side of a call; inbound is the customer's voice, outbound the agent's, and sound without a track is
inbound. The ``start`` message tells who sends (``media_starts``). Telnyx may send frames out of order; Plivo's timestamps are
the time of day, which is counted from the first. Consent, the agent's purpose and a token come as parameters ``consent``,
``agent_purpose`` and ``token``: Twilio's ``<Parameter>``, Telnyx's and Exotel's ``custom_parameters``, a ``client_state`` of
Telnyx' that is a JSON object, Plivo's ``extraHeaders``. What someone dialled (``dtmf``) is passed over unseen.

Once a stream has started, one message that cannot be read does not end it: unknown events and tracks are passed over, sound
that cannot be decoded is a hole of its length, and only many such messages in a row are refused (``tolerance``).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

from stream_ser.calls.events import Closed, Event, Leg, Lost, PassedOver, RefusedError, Sound
from stream_ser.calls.protocols import fields, media_message
from stream_ser.calls.protocols.fields import Fields
from stream_ser.calls.protocols.media_starts import RATE, ROLES, STREAM_IDS, TRACKS, read_start
from stream_ser.calls.protocols.pcm import WIDTH, Encoding, coded, decode
from stream_ser.calls.protocols.reorder import Chunk, Missing, Reorder
from stream_ser.calls.protocols.tolerance import Tolerance, UnreadableError

AUTH_TOKEN_FIELD = "x-telnyx-streaming-auth-token"  # in Telnyx's ``connected``
TIME_OF_DAY = 10**11  # ms: a timestamp above is no time since the call began

_EVENTS = ("connected", "start", "media", "dtmf", "mark", "stop", "error")
_FATAL = ("second-start", "error-from-provider")  # after which nothing of the stream can be believed
UNKNOWN_EVENT, UNKNOWN_TRACK, STALE, ANEW = "unknown-event", "unknown-track", "stale-chunk", "counters-anew"
UNREADABLE = "sound that could not be read"
USUAL_MS = 20  # of a chunk, before one could be read


class Twilio:
    """One websocket from a provider: one call. It answers nothing, as a one-way stream demands."""

    def __init__(self) -> None:
        self._connected = False
        self._token: str | None = None  # from ``connected``
        self._stream: str | None = None  # the stream's id; None before ``start``
        self._encoding: Encoding = "mulaw"
        self._width = WIDTH[self._encoding]
        self._tracks: dict[str, Reorder] = {}
        self._zero: int | None = None  # the timestamp to count from, ms; None before the first sound
        self.closing_means = "connection lost"
        self._usual = RATE * USUAL_MS // 1000  # frames of the chunk read last
        self._tolerance = Tolerance()
        self._over = False

    @property
    def dropped(self) -> int:
        """Chunks that came twice or too late."""
        return sum(track.dropped for track in self._tracks.values())

    def receive(self, data: str | bytes) -> list[Event]:
        """Take one message of a websocket."""
        if self._over:
            raise RefusedError("after-close", "a message came after the stream was stopped; open another connection")
        try:
            return self._read(data)
        except RefusedError:
            self._over = True
            raise

    def receive_all(self, messages: Sequence[str | bytes]) -> Iterator[Event]:
        """Take messages that came together: what ``receive`` gives for one after the other, with each leg's sound in one piece.

        Media messages are most of what comes: one that simply goes on where its leg's last one ended is taken at a
        glance, and left to be decoded with the others. Whatever else a message is, ``receive`` judges it.
        """
        runs: dict[str, tuple[int, list[bytes]]] = {}
        for data in messages:
            if not self._glance(data, runs):
                yield from self._pieces(runs)
                runs.clear()
                yield from self.receive(data)
        yield from self._pieces(runs)

    def finish(self) -> list[Event]:
        """What still waits for its turn, of a connection that is gone."""
        tracks = {} if self._over else self._tracks
        return [event for track, order in tracks.items() for event in _sounds(track, order.finish())]

    def replies(self) -> list[str | bytes]:
        """Return nothing: a one-way stream takes no messages."""
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

    def _glance(self, data: str | bytes, runs: dict[str, tuple[int, list[bytes]]]) -> bool:
        """Add a plain media message to its leg's run; False, and nothing done, where it is anything else or goes wrong."""
        stream, zero = self._stream, self._zero
        if stream is None or zero is None or self._over or not isinstance(data, str):
            return False
        message = media_message.read(data, stream)
        if message is None:
            return False
        track, number, at, sound = message
        if track is None:
            track = "inbound"
        order = self._tracks.get(track)
        frames = len(sound) // self._width
        if order is None or not frames or len(sound) % self._width:
            return False
        start = order.follow(number, max(0, at - zero), frames)
        if start is None:
            return False
        if track in runs:
            runs[track][1].append(sound)
        else:
            runs[track] = start, [sound]
        self._usual = frames
        return True

    def _pieces(self, runs: dict[str, tuple[int, list[bytes]]]) -> Iterator[Event]:
        if runs:
            self._tolerance.good()
        for track, (start, parts) in runs.items():
            yield Sound(track, start, coded(b"".join(parts), self._encoding))

    def _read(self, data: str | bytes) -> list[Event]:
        try:
            if not isinstance(data, str):
                raise RefusedError("unexpected-binary", "a binary message came, and media streams have text only")
            return self._take(fields.parse(data, "the message"))
        except RefusedError as error:
            if not self._tracks or error.code in _FATAL:
                raise
            return self._tolerance.forgive(error)

    def _take(self, message: Fields) -> list[Event]:
        event = message.text("event")
        if event not in _EVENTS:
            return [PassedOver(UNKNOWN_EVENT)]
        if event == "connected":
            if self._connected or self._stream is not None:
                raise RefusedError(
                    "second-connected", "a second connected message came; a connection is for one stream"
                )
            self._connected = True
            self._token = message.secret_or_none(AUTH_TOKEN_FIELD)
            return []
        if event == "start":
            if self._stream is not None:
                raise RefusedError("second-start", "a second start message came; a connection is for one stream")
            return self._start(message)
        if self._stream is None:
            raise RefusedError(f"{event}-before-start", f"a message {event!r} came before the start message")
        self._check_stream(message)
        if event == "media":
            return self._media(message.part("media"))
        if event == "stop":
            left = self.finish()
            self._over = True
            return [*left, Closed("stopped")]
        if event == "error":
            raise RefusedError("error-from-provider", "the provider says that its stream failed")
        return []

    def _start(self, message: Fields) -> list[Event]:
        found = read_start(message, self._token)
        self._stream, self._encoding, self._width = found.stream, found.encoding, WIDTH[found.encoding]
        if not found.ends:
            self.closing_means = "hung up"
        rate = found.opened.rate
        self._usual = rate * USUAL_MS // 1000
        self._tracks = {track: Reorder(rate) for track in TRACKS if Leg(track, ROLES[track]) in found.opened.legs}
        return [found.opened]

    def _check_stream(self, message: Fields) -> None:
        for name in STREAM_IDS:
            if name in message and message.text(name) != self._stream:
                raise RefusedError("other-stream", f"the message is of another stream: its field {name!r} has changed")

    def _media(self, media: Fields) -> list[Event]:
        named = media.text("track") if "track" in media else "inbound"
        track = next((one for one in self._tracks if one == named), None)
        if track is None:
            return [PassedOver(UNKNOWN_TRACK)]
        number, at, order = media.count("chunk"), media.count("timestamp"), self._tracks[track]
        if self._zero is None:
            self._zero = at if at >= TIME_OF_DAY else 0
        at = max(0, at - self._zero)
        try:
            payload = base64.b64decode(media.block("payload", fields.LONGEST_TEXT), validate=True)
            (samples,) = decode(payload, self._encoding)
        except (ValueError, RefusedError) as error:
            events = _pushed(track, order, number, at, Missing(self._usual, UNREADABLE))
            code = error.code if isinstance(error, RefusedError) else "bad-payload"
            text = error.text if isinstance(error, RefusedError) else "the field 'payload' of a message is not base64"
            raise UnreadableError(code, text, events) from None
        events = _pushed(track, order, number, at, samples) if len(samples) else []
        self._usual = len(samples) or self._usual
        self._tolerance.good()
        return events


def _pushed(track: str, order: Reorder, number: int, at: int, samples: Chunk) -> list[Event]:
    dropped, restarts = order.dropped, order.restarts
    events = _sounds(track, order.push(number, at, samples))
    if order.dropped > dropped:
        events.append(PassedOver(STALE, order.dropped - dropped))
    if order.restarts > restarts:
        events.append(PassedOver(ANEW, order.restarts - restarts))
    return events


def _sounds(track: str, chunks: list[tuple[int, Chunk]]) -> list[Event]:
    return [
        Lost(track, start, start + len(chunk), chunk.reason)
        if isinstance(chunk, Missing)
        else Sound(track, start, chunk)
        for start, chunk in chunks
    ]
