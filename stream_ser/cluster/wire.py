"""What travels on the bus: one numbered message of the feed each, with the hellos that introduce its stream. Pure: no I/O.

The number of a message is not in its text, for its publisher cannot know it: the bus gives it. Whoever reads puts it in its
place (``numbered``), so that the text is the same from every node, to the last byte.

All messages of one call have one subject. So the bus itself can hold them in order and take each once: whoever publishes says
which message of the subject was the last one that it knows of.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass

PREFIX = "stream-ser"
STREAM_PREFIX = "STREAM-SER"  # of JetStream's streams: a tenant's is STREAM-SER_acme
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,60}")
_NUMBER = re.compile(r'(\{"type":"[a-z]+","seq":)\d+((?:,"epoch":)(?:null|"[^"]*"))?')


@dataclass(frozen=True, slots=True)
class BusMessage:
    """One message as it stands on the bus.

    ``introduced`` is the place on the bus of the message that brought the stream's hello: 0 where this one does, or where the
    message is of no stream. ``hellos`` come before it. ``purpose`` goes with the opening of a call.
    """

    kind: str
    call: str
    stream: str | None
    end: int  # where the sound ends that it is about, 0 where it is about none
    run: str  # which use of the call's name this is
    text: str
    hellos: tuple[str, ...] = ()
    introduced: int = 0
    purpose: str | None = None
    over: bool = False  # whether it ends its call: nothing of this use of the name comes after

    def encode(self) -> bytes:
        """As the bus carries it: a line about it, its hellos, its text."""
        about: list[object] = [self.kind, self.call, self.stream, self.end, self.run, self.introduced]
        about += [self.purpose, self.over]
        head = json.dumps(about, ensure_ascii=False, separators=(",", ":"))
        return "\n".join((head, *self.hellos, self.text)).encode()

    @classmethod
    def decode(cls, data: bytes) -> BusMessage:
        """Raises ValueError for what is none."""
        head, *hellos, text = data.decode().split("\n")
        try:
            kind, call, stream, end, run, introduced, purpose, over = json.loads(head)
        except (TypeError, ValueError) as error:
            raise ValueError(f"a message on the bus that begins with {head[:40]!r} is none of ours") from error
        return cls(kind, call, stream, end, run, text, tuple(hellos), introduced, purpose, over)


def numbered(text: str, seq: int, epoch: str | None) -> str:
    """A message's text with its number, and with the epoch where its type names one. Raises ValueError for no message."""
    found = _NUMBER.match(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no message with a number")
    named = f',"epoch":{json.dumps(epoch)}' if found[2] else ""
    return f"{found[1]}{seq}{named}{text[found.end() :]}"


def token(name: str) -> str:
    """A name as one part of a subject, in which few characters may stand: itself, or what is made of it where it has others."""
    if _PLAIN.fullmatch(name):
        return f"n{name}"
    return f"h{base64.b32encode(hashlib.sha256(name.encode()).digest()[:20]).decode().lower()}"


def tenant_token(tenant: str) -> str:
    """The same for a tenant, whose name has few characters already; ``tenant_of`` gives it back."""
    return tenant.replace(".", "=")


def tenant_of(stream: str) -> str | None:
    """Whose a stream on the bus is; None for one of others."""
    name = stream.removeprefix(f"{STREAM_PREFIX}_")
    return None if name == stream else name.replace("=", ".")


def stream_name(tenant: str) -> str:
    """The name of a tenant's stream on the bus."""
    return f"{STREAM_PREFIX}_{tenant_token(tenant)}"


def subjects(tenant: str) -> str:
    """All subjects of a tenant."""
    return f"{PREFIX}.{tenant_token(tenant)}.*"


def subject(tenant: str, call: str) -> str:
    """The subject of a call."""
    return f"{PREFIX}.{tenant_token(tenant)}.{token(call)}"
