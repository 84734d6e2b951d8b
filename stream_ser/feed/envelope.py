"""What a message says of where it belongs: its stream, its call and its numbering. Pure; any thread may ask."""

from __future__ import annotations

from stream_ser.feed.message_types import Message


def stream_of(message: Message) -> str | None:
    """The stream that a message is about; None where it is about none."""
    if "stream" in message:
        return message["stream"]
    return None


def call_of(message: Message) -> str | None:
    """The call that a message names; None where it names none."""
    if "call" in message:
        return message["call"]
    return None


def epoch_of(message: Message) -> str | None:
    """The numbering that a message names; None where it names none."""
    if "epoch" in message:
        return message["epoch"]
    return None
