"""A plain media message of a provider, read in one native call: JSON, its fields' types, and the sound's base64 together.

It is for a quick look at what fifty messages a second are. Of whatever it cannot read, or what is anything but a media message
of the stream, it says nothing, and leaves it to ``fields``, which judges strangers' messages by name. What it reads, that
would read too, and the same. Pure; no state.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from stream_ser.calls.protocols import fields

SURE = 18  # digits that a number certainly has room for


class _Media(msgspec.Struct, gc=False):
    """The sound. Numbers may be texts: telephony does both."""

    payload: bytes  # decoded
    chunk: int | str
    timestamp: int | str
    track: str | None = None


class _Message(msgspec.Struct, gc=False):
    """The message. Each provider has a name of its own for the stream's id."""

    event: Literal["media"]
    media: _Media
    streamSid: str | None = None  # noqa: N815 - the fields' own names
    stream_id: str | None = None
    streamId: str | None = None  # noqa: N815
    stream_sid: str | None = None


class MediaMessage(NamedTuple):
    """What it says."""

    track: str | None
    number: int
    timestamp: int
    payload: bytes


def read(text: str, stream: str) -> MediaMessage | None:
    """Read a whole text message of ``stream``; None where it is anything else, or not plain."""
    if len(text) > fields.LONGEST_TEXT:
        return None
    try:
        message = _DECODER.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    if not (
        (message.streamSid is None or message.streamSid == stream)
        and (message.stream_id is None or message.stream_id == stream)
        and (message.streamId is None or message.streamId == stream)
        and (message.stream_sid is None or message.stream_sid == stream)
    ):
        return None
    media = message.media
    number, at = media.chunk, media.timestamp
    if type(number) is str and len(number) <= SURE and number.isascii() and number.isdecimal():
        number = int(number)
    if type(at) is str and len(at) <= SURE and at.isascii() and at.isdecimal():
        at = int(at)
    if type(number) is not int or type(at) is not int or not (0 <= number <= _LARGEST and 0 <= at <= _LARGEST):
        return None
    return MediaMessage(media.track, number, at, media.payload)


_DECODER = msgspec.json.Decoder(_Message)
_LARGEST = fields.LARGEST_NUMBER
