"""AudioHook's signature at the door: good once, and never again while it is good."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

import pytest
from websockets.datastructures import Headers

from stream_ser.calls.protocols.message_signature import OLDEST_S, REQUIRED, SKEW_S
from stream_ser.server import auth
from stream_ser.server.auth import Authenticator, Request
from stream_ser.server.config import AudioHookSettings, ServeConfig
from stream_ser.server.rejection import Refusal, RefusalCounter
from stream_ser.server.secret import Secret
from stream_ser.server.tokens import Grant

KEY, SECRET, NOW = "genesys-key", b"the client secret", 1_700_000_000
TARGET = "/v1/audiohook"


def request(nonce: str, created: int) -> Request:
    """A handshake as Genesys signs it."""
    values = {
        "@request-target": TARGET,
        "@authority": "calls.example.org",
        "audiohook-organization-id": "d7934305-0972-4844-938e-9060eef73d05",
        "audiohook-session-id": "30b0e395-84d3-4570-ac13-9a62d8f514c0",
        "audiohook-correlation-id": "e160e428-53e2-487c-977d-96989bf5c99d",
        "x-api-key": KEY,
    }
    listed = "(" + " ".join(f'"{name}"' for name in REQUIRED) + ")"
    signed = f'{listed};keyid="{KEY}";nonce="{nonce}";alg="hmac-sha256";created={created};expires={created + 10}'
    base = "".join(f'"{name}": {values[name]}\n' for name in REQUIRED) + f'"@signature-params": {signed}'
    digest = base64.b64encode(hmac.new(SECRET, base.encode(), hashlib.sha256).digest()).decode()
    headers = Headers({name: value for name, value in values.items() if not name.startswith("@")})
    headers["Host"] = values["@authority"]
    headers["Signature-Input"], headers["Signature"] = f"sig1={signed}", f"sig1=:{digest}:"
    return Request(TARGET, headers, "127.0.0.1")


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Callable[[Request, float], str]:
    """Ask at a time; gives ``in``, or why not, which has been counted."""
    hook = AudioHookSettings(Secret("env", "KEY"), Secret("env", "SECRET"))
    refusals = RefusalCounter()
    environ = {"KEY": KEY, "SECRET": base64.b64encode(SECRET).decode()}
    authenticator = Authenticator(ServeConfig(audiohook=hook), environ, refusals)

    def ask(asked: Request, now_s: float) -> str:
        monkeypatch.setattr(auth.time, "time", lambda: now_s)
        before = sum(refusals.by_reason().values())
        found = authenticator.audiohook(asked)
        refused = isinstance(found, Refusal)
        assert refused or isinstance(found, Grant)
        assert sum(refusals.by_reason().values()) == before + refused
        return found.reason if isinstance(found, Refusal) else "in"

    return ask


@pytest.mark.parametrize("created", [NOW, NOW + SKEW_S, NOW - OLDEST_S])
def test_a_signature_lets_in_once_and_is_refused_for_as_long_as_it_is_good(
    door: Callable[[Request, float], str], created: int
) -> None:
    """Also where Genesys' clock is ahead of ours: such a signature is good for longest."""
    signed = request("A" * 22, created)
    assert door(signed, NOW) == "in"
    last = created + OLDEST_S + SKEW_S
    for now in (NOW, NOW + 1, last - 0.5, last):
        assert door(signed, now) == "replayed"
    assert door(signed, last + 1) == "signature-expired"


def test_another_nonce_is_another_request(door: Callable[[Request, float], str]) -> None:
    said = [door(request(letter * 22, NOW), NOW + place) for place, letter in enumerate("ABCABC")]
    assert said == ["in"] * 3 + ["replayed"] * 3


def test_a_refused_signature_uses_no_nonce_up(door: Callable[[Request, float], str]) -> None:
    good, late = request("A" * 22, NOW), request("A" * 22, NOW - 60)
    assert [door(late, NOW), door(good, NOW), door(good, NOW)] == ["signature-expired", "in", "replayed"]
