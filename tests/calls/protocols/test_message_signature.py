from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.calls.events import RefusedError
from stream_ser.calls.protocols.message_signature import (
    OLDEST_S,
    SKEW_S,
    Signed,
    UsedNonces,
    api_key_ok,
    check_signature,
)

# The example of Genesys' protocol documentation, with the two ids that it has the wrong way round put right.
KEY = "SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh"
NONCE = "VGhpc0lzQVVuaXF1ZU5vbmNl"
SECRET = base64.b64decode("TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU=")
TARGET = "/api/v1/voicebiometrics/ws"
CREATED = 1_641_013_200
COMPONENTS = (
    '("@request-target" "@authority" "audiohook-organization-id" "audiohook-session-id" '
    '"audiohook-correlation-id" "x-api-key")'
)
PARAMETERS = f';keyid="{KEY}";nonce="{NONCE}";alg="hmac-sha256";created={CREATED};expires=3282026430'
HEADERS = {
    "Host": "audiohook.example.com",
    "Audiohook-Organization-Id": "d7934305-0972-4844-938e-9060eef73d05",
    "Audiohook-Session-Id": "30b0e395-84d3-4570-ac13-9a62d8f514c0",
    "Audiohook-Correlation-Id": "e160e428-53e2-487c-977d-96989bf5c99d",
    "X-API-KEY": KEY,
    "Signature-Input": f"sig1={COMPONENTS}{PARAMETERS}",
    "Signature": "sig1=:NZBwyBHRRyRoeLqy1IzOa9VYBuI8TgMFt2GRDkDuJh4=:",
}


def check(changed: dict[str, str] | None = None, *, now: float = CREATED + 1, secret: bytes = SECRET) -> Signed:
    headers = {**HEADERS, **(changed or {})}
    return check_signature([(name, value) for name, value in headers.items() if value], TARGET, secret, now)


def signed(components: str = COMPONENTS, parameters: str = PARAMETERS) -> dict[str, str]:
    """Sign, by hand, whatever is asked for."""
    values = {name.lower(): value for name, value in HEADERS.items()}
    values |= {"@request-target": TARGET, "@authority": values["host"]}
    names = components.strip("()").replace('"', "").split()
    base = "".join(f'"{name}": {values[name]}\n' for name in names) + f'"@signature-params": {components}{parameters}'
    digest = base64.b64encode(hmac.new(SECRET, base.encode(), hashlib.sha256).digest()).decode()
    return {"Signature-Input": f"s={components}{parameters}", "Signature": f"s=:{digest}:"}


def test_genesys_own_example_is_right() -> None:
    assert check() == Signed(KEY, NONCE)
    assert check(signed()) == Signed(KEY, NONCE)


@pytest.mark.parametrize(
    "changed",
    [
        {"Host": "evil.example.com"},
        {"Audiohook-Organization-Id": "d7934305-0972-4844-938e-9060eef73d06"},
        {"X-API-KEY": "another"},
        {"Signature": "sig1=:NZBwyBHRRyRoeLqy1IzOa9VYBuI8TgMFt2GRDkDuKh4=:"},
        {"Signature-Input": HEADERS["Signature-Input"].replace("3282026430", "3282026431")},
        signed(parameters=PARAMETERS.replace(KEY, "another key")),
    ],
)
def test_whatever_was_changed_is_seen(changed: dict[str, str]) -> None:
    with pytest.raises(RefusedError) as caught:
        check(changed)
    assert caught.value.code == "wrong-signature"


def test_another_secret_or_target_is_seen() -> None:
    with pytest.raises(RefusedError):
        check(secret=b"another")
    with pytest.raises(RefusedError):
        check(secret=b"")
    with pytest.raises(RefusedError):
        check_signature(HEADERS.items(), TARGET + "?x", SECRET, CREATED)


@pytest.mark.parametrize("age", [-SKEW_S, 0, OLDEST_S, OLDEST_S + SKEW_S])
def test_a_fresh_signature_is_good(age: float) -> None:
    check(now=CREATED + age)


@pytest.mark.parametrize("age", [-SKEW_S - 1, OLDEST_S + SKEW_S + 1, 10**9, -(10**9)])
def test_an_old_one_and_one_of_tomorrow_are_not(age: float) -> None:
    with pytest.raises(RefusedError) as caught:
        check(now=CREATED + age)
    assert caught.value.code == "signature-expired"


def test_it_may_expire_sooner() -> None:
    soon = signed(parameters=PARAMETERS.replace("3282026430", str(CREATED + 1)))
    check(soon, now=CREATED + 1 + SKEW_S)
    with pytest.raises(RefusedError):
        check(soon, now=CREATED + 2 + SKEW_S)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"Signature": "", "Signature-Input": ""}, "unsigned"),
        ({"Signature": ""}, "bad-signature-header"),
        ({"Signature-Input": ""}, "bad-signature-header"),
        ({"Signature": "sig2=" + HEADERS["Signature"][5:]}, "bad-signature-header"),
        ({"Signature": "sig1=:AAAA:"}, "bad-signature-header"),
        ({"Signature": "sig1=:!:"}, "bad-signature-header"),
        ({"Signature-Input": HEADERS["Signature-Input"] + ", b=()"}, "bad-signature-header"),
        ({"Signature-Input": "x" * 5_000}, "bad-signature-header"),
        ({"Audiohook-Session-Id": ""}, "bad-signature-header"),
        (signed(COMPONENTS.replace(' "x-api-key"', "")), "signature-too-narrow"),
        (signed(COMPONENTS.replace(")", ' "x-api-key")')), "signature-too-narrow"),
        (signed(parameters=PARAMETERS.replace(NONCE, "short")), "bad-signature-header"),
        (signed(parameters=PARAMETERS.replace("hmac-sha256", "none")), "bad-signature-header"),
        (signed(parameters=PARAMETERS + ";created=1"), "bad-signature-header"),
        (signed(parameters=PARAMETERS + ';tag="x"'), "bad-signature-header"),
        (signed(parameters=PARAMETERS.replace(f"created={CREATED}", f'created="{CREATED}"')), "bad-signature-header"),
        (signed(parameters=PARAMETERS.replace(f';nonce="{NONCE}"', "")), "bad-signature-header"),
    ],
)
def test_what_is_not_such_a_signature_is_refused_by_name(changed: dict[str, str], code: str) -> None:
    with pytest.raises(RefusedError) as caught:
        check(changed)
    assert caught.value.code == code


def test_a_header_that_comes_twice_is_not_the_one_that_was_signed() -> None:
    with pytest.raises(RefusedError):
        check_signature([*HEADERS.items(), ("Host", "evil.example.com")], TARGET, SECRET, CREATED)


def test_the_api_key() -> None:
    assert api_key_ok("abc", "abc")
    for offered, expected in [("abd", "abc"), ("", "abc"), (None, "abc"), ("", ""), (None, ""), ("ÿ\ud800", "abc")]:
        assert not api_key_ok(offered, expected)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_anything_at_all_is_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["Signature", "Signature-Input", "X-API-KEY", "Host"]))
    value = HEADERS[name]
    at = data.draw(st.integers(0, len(value)))
    changed = data.draw(
        st.text(max_size=20) | st.just(value[:at] + data.draw(st.text(min_size=1, max_size=3)) + value[at:])
    )
    try:
        check({name: changed})
    except RefusedError:
        return
    assert changed.strip() == value or name == "Signature-Input"  # where spaces may stand between parameters


def test_a_nonce_outlives_its_signature_by_more_than_the_clocks_may_differ() -> None:
    nonces = UsedNonces()
    first, last = CREATED - SKEW_S, CREATED + OLDEST_S + SKEW_S
    for now in (first, last):
        assert check(now=now).nonce == NONCE
    assert nonces.take(NONCE, first)
    assert not nonces.take(NONCE, first)
    assert nonces.take("another", first + 1)
    assert not nonces.take(NONCE, last)
    assert not nonces.take(NONCE, last + SKEW_S + 1)
    assert nonces.take("one more", first + 1_000)
    assert list(nonces._until) == ["one more"], "they are let go"
