"""What is fuzzed: each target takes bytes and raises nothing, or what it found is a fault.

A session of a call protocol is written as messages with ``SEPARATOR`` between them, each with ``T`` or ``B`` in front, for
text or binary; so the corpus can be read, and what is cut out of it still is a session.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from stream_ser.calls.events import CallProtocol, Event, RefusedError
from stream_ser.calls.protocols.audiohook import AudioHook
from stream_ser.calls.protocols.audiosocket import AudioSocket
from stream_ser.calls.protocols.chan_websocket import ChanWebSocket
from stream_ser.calls.protocols.message_signature import check_signature
from stream_ser.calls.protocols.plain import Plain
from stream_ser.calls.protocols.twilio import Twilio
from stream_ser.calls.protocols.twilio_signature import TwilioKeys
from stream_ser.calls.protocols.vonage import Vonage
from stream_ser.errors import ConfigError, FeedError
from stream_ser.feed import filters
from stream_ser.server import settings, token_file
from stream_ser.trajectory.rules import parse_rules
from tests.calls.fuzz import Message, survive

SEPARATOR = b"\n--\n"
MOST_MESSAGES = 40


def written(messages: list[Message]) -> bytes:
    """A session as the corpus has it."""
    return SEPARATOR.join(b"T" + one.encode() if isinstance(one, str) else b"B" + one for one in messages)


def session(data: bytes) -> list[Message]:
    """The messages of a session."""
    parts = data.split(SEPARATOR)[:MOST_MESSAGES]
    return [part[1:] if part[:1] == b"B" else part[1:].decode("utf-8", "replace") for part in parts]


def hear(name: str, data: bytes) -> list[Event]:
    """What a session says to the protocol of that name."""
    return survive(
        PROTOCOLS[name], [message for message in session(data) if message != b""]
    )  # no transport brings none


class _Clock:
    """20 ms between one look and the next."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        self.ns += 20_000_000
        return self.ns


def _can_be_told(*texts: str) -> None:
    """Whether a refusal says something, in text that can be logged, and not at length."""
    for text in texts:
        assert text
        assert len(text.encode()) < 2_000


def _message_signature(data: bytes) -> None:
    lines = [line.partition(": ") for line in data.decode("latin-1").split("\n")]
    try:
        check_signature([(name, value) for name, _, value in lines], "/v1/audiohook", os.urandom(32), 1_641_013_201.0)
    except RefusedError as error:
        _can_be_told(error.code, error.text)
    else:
        raise AssertionError("a signature was accepted that nobody can have made")


def _twilio_signature(data: bytes) -> None:
    url, signature, said = [*data.decode("utf-8", "replace").split("\n"), "", ""][:3]
    keys = TwilioKeys(os.urandom(16).hex(), os.urandom(16).hex())
    assert keys.why_not(url, signature, said), "a signature was accepted that nobody can have made"


def _file(read: Callable[[Path], object]) -> Callable[[bytes], None]:
    """A reader of files that gives what it read or raises ConfigError, in one line that can be printed."""

    def take(data: bytes) -> None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            try:
                read(Path(file.name))
            except ConfigError as error:
                _can_be_told(error.what, error.fix)

    return take


def _rules(data: bytes) -> None:
    try:
        parse_rules(data.decode("utf-8", "replace"), "rules.toml")
    except ConfigError as error:
        _can_be_told(error.what, error.fix)


def _feed_query(data: bytes) -> None:
    try:
        filters.parse(data.decode("utf-8", "replace"))
    except FeedError as error:
        _can_be_told(error.what, error.fix)


PROTOCOLS: dict[str, Callable[[], CallProtocol]] = {
    "audiohook": AudioHook,
    "audiosocket": AudioSocket,
    "chan-websocket": lambda: ChanWebSocket("role=customer", _Clock()),
    "plain": Plain,
    "twilio": Twilio,
    "vonage": Vonage,
}
TARGETS: dict[str, Callable[[bytes], object]] = {
    **{name: partial(hear, name) for name in PROTOCOLS},
    "feed-query": _feed_query,
    "message-signature": _message_signature,
    "rules": _rules,
    "settings": _file(lambda path: settings.load(path, {}, {})),
    "tokens": _file(token_file.read),
    "twilio-signature": _twilio_signature,
}
