"""What providers sign, and their keys."""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from pathlib import Path

import pytest

from stream_ser.server.config import AudioHookSettings, TwilioSettings
from stream_ser.server.secret import Secret
from tests.server.serving import (
    knock,
    refusals,
    serving,
    tokens,
)


def twilio_signed(key: str, url: str, algorithm: str = "sha1") -> str:
    return base64.b64encode(hmac.new(key.encode(), url.encode(), algorithm).digest()).decode()


def genesys_signed(key: str, secret: bytes, port: int, created: int) -> dict[str, str]:
    """A handshake's headers, signed by hand."""
    values = {
        "@request-target": "/v1/audiohook",
        "@authority": f"127.0.0.1:{port}",
        "audiohook-organization-id": "organization",
        "audiohook-session-id": "session",
        "audiohook-correlation-id": "correlation",
        "x-api-key": key,
    }
    names = "(" + " ".join(f'"{name}"' for name in values) + ")"
    names += f';keyid="{key}";nonce="{secrets.token_urlsafe(24)}";alg="hmac-sha256";created={created}'
    base = "".join(f'"{name}": {value}\n' for name, value in values.items()) + f'"@signature-params": {names}'
    digest = base64.b64encode(hmac.new(secret, base.encode(), "sha256").digest()).decode()
    headers = {name: value for name, value in values.items() if not name.startswith("@")}
    return headers | {"Signature-Input": f"s={names}", "Signature": f"s=:{digest}:"}


async def test_signatures_and_keys_of_providers_are_asked_for(tmp_path: Path) -> None:
    named = {"TWILIO": "twilio-secret", "KEY": "genesys-key"}
    given = {
        "twilio": TwilioSettings(auth_token=Secret("env", "TWILIO")),
        "audiohook": AudioHookSettings(Secret("env", "KEY")),
    }
    async with serving(tmp_path, named, **given) as server:
        wrong = {"X-Twilio-Signature": "AAAA"}
        assert (await knock(f"{server.url}/v1/twilio", additional_headers=wrong))[1].startswith("wrong-signature:")
        assert (await knock(f"{server.url}/v1/audiohook"))[1].startswith("wrong-api-key:")
        assert await refusals(server) == {"wrong-signature": 1, "wrong-api-key": 1}


async def test_twilios_signatures_are_those_of_its_own_libraries(tmp_path: Path) -> None:
    named = {"TWILIO": "12345", "SHARED": "shared-secret"}
    settings = TwilioSettings(
        auth_token=Secret("env", "TWILIO"),
        shared_key=Secret("env", "SHARED"),
        url="wss://calls.example.org:8443/v1/twilio",
    )
    shared = {"X-Twilio-Webhooks-Signature-Settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"}
    address = "wss://calls.example.org/v1/twilio"
    async with serving(tmp_path, named, twilio=settings) as server:
        for way, signature, more, status in [
            ("/v1/twilio", twilio_signed("12345", settings.url), {}, 101),
            ("/v1/twilio/", twilio_signed("12345", f"{settings.url}/"), {}, 101),
            ("/v1/twilio", twilio_signed("12345", address), {}, 101),
            ("/v1/twilio", twilio_signed("shared-secret", address, "sha256"), shared, 101),
            ("/v1/twilio", twilio_signed("shared-secret", address, "sha256"), {}, 401),
            ("/v1/twilio", twilio_signed("12345", address, "sha256"), shared, 401),
            ("/v1/twilio", twilio_signed("12345", address), shared, 401),
            ("/v1/twilio", twilio_signed("12345", f"{address}?a=1"), {}, 401),
        ]:
            headers = {"X-Twilio-Signature": signature} | more
            assert (await knock(server.url + way, additional_headers=headers))[0] == status, (way, more)


async def test_a_signature_of_genesys_lets_in_once(tmp_path: Path) -> None:
    secret = b"0123456789abcdef"
    named = {"KEY": "genesys-key", "SECRET": base64.b64encode(secret).decode()}
    hook = AudioHookSettings(Secret("env", "KEY"), Secret("env", "SECRET"))
    async with serving(tmp_path, named, audiohook=hook) as server:
        url = f"{server.url}/v1/audiohook"
        # The other clock may be ahead of ours: then the signature is good for longest.
        first, other = (genesys_signed("genesys-key", secret, server.port, int(time.time()) + 1) for _ in range(2))
        assert (await knock(url, additional_headers=first))[0] == 101
        for _ in range(2):
            status, text = await knock(url, additional_headers=first)
            assert (status, text.partition(":")[0]) == (401, "replayed")
        assert (await knock(url, additional_headers=other))[0] == 101
        assert await refusals(server) == {"replayed": 2}


async def test_what_twilio_signed_for_another_host_is_not_for_this_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The same account may sign for other servers, whose requests somebody may send here."""
    caplog.set_level("INFO")
    path, _ = tokens(tmp_path, ("acme", "viewer"))
    settings = TwilioSettings(auth_token=Secret("env", "TWILIO"))
    proxy = {"trusted_proxies": ("127.0.0.1",), "tokens": path}
    async with serving(tmp_path, {"TWILIO": "12345"}, twilio=settings, **proxy) as server:
        assert "twilio.url is not set" in caplog.text

        async def come(host: str, key: str = "12345") -> tuple[int, str]:
            signature = twilio_signed(key, f"wss://{host}/v1/twilio")
            headers = {"X-Twilio-Signature": signature, "X-Forwarded-Proto": "https"}
            to = {"host": "127.0.0.1", "port": server.port}
            return await knock(f"ws://{host}/v1/twilio", additional_headers=headers, **to)

        assert (await come("guessed.example.org", key="guessed"))[0] == 401
        for host, status in [
            ("calls.example.org", 101),
            ("other.example.org", 401),
            ("calls.example.org:443", 101),
            ("calls.example.org:8443", 401),
            ("calls.example.org", 101),
        ]:
            found, text = await come(host)
            assert found == status, (host, text)
            assert not text or text.startswith("wrong-signature: the first connection that Twilio signed was to ")
        assert caplog.text.count("Twilio's host is fixed") == 1
        assert await refusals(server) == {"wrong-signature": 3}
