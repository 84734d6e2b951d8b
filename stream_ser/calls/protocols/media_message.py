"""A plain media message of a provider, read in one native call: JSON, its fields' types, and the sound's base64 together.

It is for a quick look at what fifty messages a second are. Whatever it cannot read, or what is anything but a media message,
raises MediaMessageError and is left to ``fields``, which judges strangers' messages by name. What it reads, that would read
too, and the same. Pure; no state.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from stream_ser.calls.protocols import fields


class MediaMessageError(Exception):
    """It is not plain: another reader has to look at it."""


class Media(msgspec.Struct, gc=False):
    """The sound. Numbers may be texts: telephony does both."""

    payload: bytes  # decoded
    chunk: int | str
    timestamp: int | str
    track: str | None = None


class MediaMessage(msgspec.Struct, gc=False):
    """The message. Each provider has a name of its own for the stream's id."""

    event: Literal["media"]
    media: Media
    streamSid: str | None = None  # noqa: N815 - the fields' own names
    stream_id: str | None = None
    streamId: str | None = None  # noqa: N815
    stream_sid: str | None = None

    def is_of(self, stream: str) -> bool:
        """Whether no name in it is another stream's."""
        return (
            (self.streamSid is None or self.streamSid == stream)
            and (self.stream_id is None or self.stream_id == stream)
            and (self.streamId is None or self.streamId == stream)
            and (self.stream_sid is None or self.stream_sid == stream)
        )


def read(text: str) -> MediaMessage:
    """Read a whole text message. Raises MediaMessageError."""
    if len(text) > fields.LONGEST_TEXT:
        raise MediaMessageError
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise MediaMessageError from None


def count(value: int | str) -> int:
    """A whole number as ``Fields.count`` takes it, if it is certainly one. Raises MediaMessageError."""
    if type(value) is str and len(value) < 19 and value.isascii() and value.isdecimal():
        return int(value)
    if type(value) is int and 0 <= value <= fields.LARGEST_NUMBER:
        return value
    raise MediaMessageError


_DECODER = msgspec.json.Decoder(MediaMessage)
