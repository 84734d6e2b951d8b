"""``X-Twilio-Signature``: who opened a websocket, by a key that Twilio and we share.

The base64 of an HMAC over the address that Twilio was given, ``wss://`` and all: behind a proxy that is not what the request
says. A handshake has no body, so the address is all that is signed (twilio.com/docs/usage/security). The key is the account's
auth token and the hash SHA-1, or, where the header ``X-Twilio-Webhooks-Signature-Settings`` says
``key=ID,algorithm=HMAC_SHA256``, the secret of a shared key and SHA-256, as Twilio's own libraries have it (Python 9.13, Node
6.3). Whether Twilio signs with and without the port, and with a slash at the path's end, has changed over time; the libraries
try both ports, and so do we.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

SIGNATURE, SETTINGS = "X-Twilio-Signature", "X-Twilio-Webhooks-Signature-Settings"
_HASHES: dict[str, Callable[..., Any]] = {"HMAC_SHA1": hashlib.sha1, "HMAC_SHA256": hashlib.sha256}
_PORTS = {"wss": 443, "https": 443, "ws": 80, "http": 80}


@dataclass(frozen=True, slots=True)
class TwilioKeys:
    """What Twilio may sign with. None where that is not set up, and what is signed with it is not let in."""

    auth_token: str | None = field(default=None, repr=False)
    shared_key: str | None = field(default=None, repr=False)

    def why_not(self, url: str, signature: str, settings: str) -> str | None:
        """None where ``signature`` is that of ``url``, else what is wrong. ``settings`` is that header's text, maybe empty.

        Takes the same time whatever the signature.
        """
        said = dict(part.strip().partition("=")[::2] for part in settings.split(","))
        hashing = _HASHES.get(said.get("algorithm", "HMAC_SHA1").strip().upper())
        shared = bool(said.get("key"))
        key = self.shared_key if shared else self.auth_token
        if hashing is None:
            return f"{SETTINGS} names an algorithm that is none of {', '.join(_HASHES)}"
        if key is None:
            return f"it is signed with {'a shared key' if shared else 'the auth token'}, which the settings do not have"
        given = signature.encode("utf-8", "surrogatepass")
        good = [
            hmac.compare_digest(
                base64.b64encode(hmac.new(key.encode(), one.encode("utf-8", "surrogatepass"), hashing).digest()), given
            )
            for one in ways_to_write(url)
        ]
        return None if any(good) else f"{SIGNATURE} is not that of {url}"


def ways_to_write(url: str) -> list[str]:
    """The same address as it was given, with and without port, with and without a slash at its path's end."""
    return list(dict.fromkeys(slashed for one in _ports(url) for slashed in _slashes(one)))


def _ports(url: str) -> Iterator[str]:
    yield url
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return
    if port is not None:
        yield parts._replace(netloc=parts.netloc.rpartition(":")[0]).geturl()
    elif parts.netloc and parts.scheme in _PORTS:
        yield parts._replace(netloc=f"{parts.netloc}:{_PORTS[parts.scheme]}").geturl()


def _slashes(url: str) -> Iterator[str]:
    yield url
    path, mark, query = url.partition("?")
    if path.count("/") > 2:  # those of the scheme are no path
        yield (path[:-1] if path.endswith("/") else f"{path}/") + mark + query
