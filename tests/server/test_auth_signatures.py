"""What providers sign, and their keys."""

from __future__ import annotations

import base64
import hmac
from pathlib import Path

from stream_ser.server.config import AudioHookSettings, TwilioSettings
from stream_ser.server.secret import Secret
from tests.server.serving import (
    knock,
    refusals,
    serving,
)


async def test_signatures_and_keys_of_providers_are_asked_for(tmp_path: Path) -> None:
    secrets = {"TWILIO": "twilio-secret", "KEY": "genesys-key"}
    given = {
        "twilio": TwilioSettings(auth_token=Secret("env", "TWILIO")),
        "audiohook": AudioHookSettings(Secret("env", "KEY")),
    }
    async with serving(tmp_path, secrets, **given) as server:
        wrong = {"X-Twilio-Signature": "AAAA"}
        assert (await knock(f"{server.url}/v1/twilio", additional_headers=wrong))[1].startswith("wrong-signature:")
        assert (await knock(f"{server.url}/v1/audiohook"))[1].startswith("wrong-api-key:")
        assert await refusals(server) == {"wrong-signature": 1, "wrong-api-key": 1}


async def test_twilios_signatures_are_those_of_its_own_libraries(tmp_path: Path) -> None:
    def signed(key: str, url: str, algorithm: str = "sha1") -> str:
        return base64.b64encode(hmac.new(key.encode(), url.encode(), algorithm).digest()).decode()

    secrets = {"TWILIO": "12345", "SHARED": "shared-secret"}
    settings = TwilioSettings(
        auth_token=Secret("env", "TWILIO"),
        shared_key=Secret("env", "SHARED"),
        url="wss://calls.example.org:8443/v1/twilio",
    )
    shared = {"X-Twilio-Webhooks-Signature-Settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"}
    address = "wss://calls.example.org/v1/twilio"
    async with serving(tmp_path, secrets, twilio=settings) as server:
        for way, signature, more, status in [
            ("/v1/twilio", signed("12345", settings.url), {}, 101),
            ("/v1/twilio/", signed("12345", f"{settings.url}/"), {}, 101),
            ("/v1/twilio", signed("12345", address), {}, 101),
            ("/v1/twilio", signed("shared-secret", address, "sha256"), shared, 101),
            ("/v1/twilio", signed("shared-secret", address, "sha256"), {}, 401),
            ("/v1/twilio", signed("12345", address, "sha256"), shared, 401),
            ("/v1/twilio", signed("12345", address), shared, 401),
            ("/v1/twilio", signed("12345", f"{address}?a=1"), {}, 401),
        ]:
            headers = {"X-Twilio-Signature": signature} | more
            assert (await knock(server.url + way, additional_headers=headers))[0] == status, (way, more)
