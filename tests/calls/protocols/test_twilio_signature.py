from __future__ import annotations

import base64
import hmac

import pytest

from stream_ser.calls.protocols.twilio_signature import TwilioKeys, ways_to_write

URL = "wss://calls.example.com/v1/twilio"
# openssl: printf %s URL | openssl dgst -sha1 -hmac 12345 -binary | base64
GOOD = "/Zb0hvcIieFXoJUFrasSa7J0dM0="
KEYS = TwilioKeys(auth_token="12345", shared_key="shared-secret")
SHARED = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"


def signed(key: str, url: str, algorithm: str = "sha1") -> str:
    return base64.b64encode(hmac.new(key.encode(), url.encode(), algorithm).digest()).decode()


def test_the_signature_is_what_twilio_would_send() -> None:
    assert KEYS.why_not(URL, GOOD, "") is None
    for token, address, signature in [
        ("12346", URL, GOOD),
        ("12345", URL, GOOD[:-2] + "A="),
        ("12345", URL, ""),
        ("12345", URL, "ÿ\ud800"),
        ("12345", "\ud800", GOOD),
        ("12345", URL.replace("wss", "https"), GOOD),
        ("12345", URL.upper(), GOOD),
        ("12345", URL + "?a=1", GOOD),
    ]:
        assert TwilioKeys(auth_token=token).why_not(address, signature, "") is not None, address


@pytest.mark.parametrize(
    ("configured", "over"),
    [
        (URL, URL),
        (URL, URL + "/"),
        (URL + "/", URL),
        (URL, "wss://calls.example.com:443/v1/twilio"),
        ("wss://calls.example.com:443/v1/twilio", URL),
        ("wss://calls.example.com:8443/v1/twilio", URL),
        ("wss://[::1]:8443/v1/twilio?a=1", "wss://[::1]/v1/twilio/?a=1"),
        ("ws://calls.example.com/v1/twilio", "ws://calls.example.com:80/v1/twilio"),
    ],
)
def test_port_and_slash_make_no_difference(configured: str, over: str) -> None:
    assert KEYS.why_not(configured, signed("12345", over), "") is None
    assert KEYS.why_not(configured, signed("12346", over), "") is not None


def test_another_port_is_another_address() -> None:
    assert KEYS.why_not("wss://a.example:8443/v1", signed("12345", "wss://a.example:9443/v1"), "") is not None


@pytest.mark.parametrize("url", ["", "wss://", "wss://a:b:c/x", "nonsense", "wss://a.example"])
def test_any_address_can_be_written(url: str) -> None:
    assert ways_to_write(url)[0] == url


def test_a_shared_key_is_used_where_the_header_names_one() -> None:
    good = signed("shared-secret", URL, "sha256")
    assert KEYS.why_not(URL, good, SHARED) is None
    assert KEYS.why_not(URL, good, SHARED.lower()) is None
    assert KEYS.why_not(URL, signed("shared-secret", URL), "key=webhooks_sharedkey_1") is None, (
        "SHA-1 where none is named"
    )
    assert KEYS.why_not(URL, good, "") is not None
    assert KEYS.why_not(URL, GOOD, SHARED) is not None
    unknown = KEYS.why_not(URL, good, "key=k,algorithm=MD5")
    assert unknown is not None, "what cannot be checked is no signature"
    assert "algorithm" in unknown
    assert "MD5" not in unknown


@pytest.mark.parametrize(
    ("keys", "settings", "said"),
    [
        (TwilioKeys(auth_token="12345"), SHARED, "signed with a shared key"),
        (TwilioKeys(shared_key="shared-secret"), "", "signed with the auth token"),
    ],
)
def test_a_key_that_is_not_there_is_named(keys: TwilioKeys, settings: str, said: str) -> None:
    assert said in (keys.why_not(URL, GOOD, settings) or "")
    assert "12345" not in repr(keys) + repr(KEYS)
