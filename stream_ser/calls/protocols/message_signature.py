"""Whether a handshake comes from who it says: Genesys' API key and its signature over the request's headers.

The signature is an HTTP message signature in the form that AudioHook uses (draft-ietf-httpbis-message-signatures-11, now
RFC 9421): ``Signature-Input`` lists what is signed and under which parameters, ``Signature`` has the HMAC-SHA256 of those
lines, keyed with the client secret. Pure: the time is passed in. The base is written anew from what was parsed, so that
nothing is signed that was not read. ``UsedNonces`` rules out a replay while a signature is good.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

from stream_ser.calls.events import RefusedError

API_KEY = "x-api-key"
REQUIRED = (
    "@request-target",
    "@authority",
    "audiohook-organization-id",
    "audiohook-session-id",
    "audiohook-correlation-id",
    API_KEY,
)
OLDEST_S = 10  # age of a signature
SKEW_S = 3  # between the two clocks
# A signature is good for at most OLDEST_S + 2 · SKEW_S: its clock may be behind when it comes first, and ours when it comes
# again. A nonce outlives it by more than the clocks may differ, for ours may be set while it is kept.
NONCE_S = OLDEST_S + 4 * SKEW_S
SHORTEST_NONCE = 22  # characters: 128 bits of base64
LONGEST_HEADER = 4096  # characters of one header that is looked at
DIGEST_BYTES = 32

_STRING = r'"([ !#-\[\]-~]*)"'  # no escapes: none of what is signed here needs any
_INPUT = re.compile(
    rf"([a-z*][a-z0-9_.*-]*)=\(((?:{_STRING}(?: (?!\)))?)*)\)((?:; *[a-z]+=(?:{_STRING}|[0-9]{{1,15}}))*)"
)
_PARAMETER = re.compile(rf"; *([a-z]+)=(?:{_STRING}|([0-9]{{1,15}}))")
_PARAMETERS = frozenset({"alg", "created", "expires", "keyid", "nonce"})


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed, and the nonce that no other request may have."""

    key_id: str
    nonce: str


class UsedNonces:
    """The nonces of signatures that were good, each for ``NONCE_S``: as many as connections came meanwhile."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}  # the oldest first

    def take(self, nonce: str, now_s: float) -> bool:
        """Use a nonce; gives whether it was new. ``now_s`` is monotonic: nobody sets that clock."""
        while self._until and self._until[first := next(iter(self._until))] < now_s:
            del self._until[first]
        if nonce in self._until:
            return False
        self._until[nonce] = now_s + NONCE_S
        return True


def api_key_ok(offered: str | None, expected: str) -> bool:
    """Whether the ``X-API-KEY`` of a request is the one expected; takes the same time wherever they differ."""
    given = (offered or "").encode("utf-8", "surrogatepass")
    return hmac.compare_digest(given, expected.encode("utf-8", "surrogatepass")) and bool(expected)


def check_signature(headers: Iterable[tuple[str, str]], target: str, secret: bytes, now_s: float) -> Signed:
    """Check the signature of a websocket's handshake.

    ``headers`` are names and values as they came, ``target`` the request's path with its query, ``secret`` the client
    secret as bytes (Genesys shows it in base64), ``now_s`` the time in seconds since 1970. Raises RefusedError:
    ``unsigned``, ``bad-signature-header``, ``signature-too-narrow``, ``signature-expired`` or ``wrong-signature``.
    """
    values = _joined(headers)
    if "signature" not in values and "signature-input" not in values:
        raise RefusedError("unsigned", "the request has no Signature; give AudioHook's credentials a client secret")
    matched = _INPUT.fullmatch(values.get("signature-input", ""))
    if matched is None:
        raise _bad("Signature-Input")
    label, components = matched[1], re.findall(_STRING, matched[2])
    parameters = _parameters(matched[4])
    given = _given(values.get("signature", ""), label)
    missing = [name for name in REQUIRED if name not in components]
    if missing or len(set(components)) != len(components):
        raise RefusedError("signature-too-narrow", f"the signature must cover, each once, {', '.join(REQUIRED)}")
    nonce, key_id = str(parameters["nonce"]), str(parameters["keyid"])
    if len(nonce) < SHORTEST_NONCE or parameters.get("alg", "hmac-sha256") != "hmac-sha256" or not secret:
        raise _bad("Signature-Input")
    lines = [f'"{name}": {_component(name, values, target)}' for name in components]
    listed = " ".join(f'"{name}"' for name in components)
    tail = "".join(f";{name}={_written(value)}" for name, value in parameters.items())
    base = "\n".join([*lines, f'"@signature-params": ({listed}){tail}'])
    computed = hmac.new(secret, base.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    same_key = api_key_ok(key_id, values.get(API_KEY, ""))
    if not (hmac.compare_digest(given, computed) and same_key):
        raise RefusedError("wrong-signature", "the request is not signed with the client secret of its API key")
    _check_age(int(parameters["created"]), int(parameters.get("expires", 2**53)), now_s)
    return Signed(key_id, nonce)


def _joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by lower-case name; one that comes several times is joined as RFC 9110 has it."""
    values: dict[str, str] = {}
    for name, value in headers:
        key, text = name.lower(), value.strip()
        if len(text) > LONGEST_HEADER or "\n" in text or "\r" in text:
            continue
        values[key] = f"{values[key]}, {text}" if key in values else text
    return values


def _parameters(text: str) -> dict[str, str | int]:
    """Parameters in their order; a number is an int."""
    parameters: dict[str, str | int] = {}
    for found in _PARAMETER.finditer(text):
        name = found[1]
        is_number = name in ("created", "expires")
        if name not in _PARAMETERS or name in parameters or is_number != (found[3] is not None):
            raise _bad("Signature-Input")
        parameters[name] = int(found[3]) if is_number else found[2]
    if not {"created", "keyid", "nonce"} <= parameters.keys():
        raise _bad("Signature-Input")
    return parameters


def _given(text: str, label: str) -> bytes:
    """Take the signature's bytes out of its header."""
    start, end = f"{label}=:", ":"
    if not (text.startswith(start) and text.endswith(end) and len(text) > len(start)):
        raise _bad("Signature")
    try:
        given = base64.b64decode(text[len(start) : -1], validate=True)
    except ValueError:
        raise _bad("Signature") from None
    if len(given) != DIGEST_BYTES:
        raise _bad("Signature")
    return given


def _component(name: str, values: dict[str, str], target: str) -> str:
    if name == "@request-target":
        return target
    value = values.get("host" if name == "@authority" else name)
    if value is None:
        raise _bad("Signature-Input")
    return value


def _written(value: str | int) -> str:
    return str(value) if isinstance(value, int) else f'"{value}"'


def _check_age(created: int, expires: int, now_s: float) -> None:
    if not created - SKEW_S <= now_s <= min(expires, created + OLDEST_S) + SKEW_S:
        raise RefusedError(
            "signature-expired",
            f"the signature was made {now_s - created:.0f} s ago; at most {OLDEST_S} s are allowed, so look at both clocks",
        )


def _bad(header: str) -> RefusedError:
    return RefusedError("bad-signature-header", f"the request's {header} is not what AudioHook sends")
