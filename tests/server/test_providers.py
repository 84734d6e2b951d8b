"""Plivo, Exotel and Vonage as they speak, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.calls.protocols import test_media_starts as media
from tests.calls.protocols.test_vonage import connected
from tests.server.serving import Feed, dial, serving, tokens, voices
from tests.server.speaking import encode
from tests.server.test_chan_websocket import basic

VOICE = voices()[0][: 9 * 4_000]


def said(provider: str) -> Iterator[str | bytes]:
    """Four and a half seconds of a call, and its end, where the provider has a word for that."""
    if provider == "plivo":
        yield media.plivo_start(headers="consent=given")
        for at in range(0, len(VOICE), 160):
            yield media.plivo_media(encode(VOICE[at : at + 160], "mulaw"), at // 160 + 1)
    elif provider == "exotel":
        yield json.dumps({"event": "connected"})
        yield media.exotel_start()
        for at in range(0, len(VOICE), 800):
            yield media.exotel_media(encode(VOICE[at : at + 800], "s16le"), at // 800 + 1)
        yield json.dumps({"event": "stop", "stream_sid": media.EXOTEL, "stop": {"reason": "callended"}})
    else:
        yield connected(8_000)
        for at in range(0, len(VOICE), 160):
            yield encode(VOICE[at : at + 160], "s16le")


@pytest.mark.parametrize(
    ("provider", "path", "leg", "reason"),
    [
        ("plivo", "/v1/twilio", "inbound", "hung up"),
        ("exotel", "/v1/twilio", "inbound", "stopped"),
        ("vonage", "/v1/vonage", "customer", "hung up"),
    ],
)
async def test_a_call_is_heard_and_ends_in_good_order(
    tmp_path: Path, provider: str, path: str, leg: str, reason: str
) -> None:
    file, (publisher, viewer) = tokens(tmp_path, ("acme", "publisher"), ("acme", "viewer"))
    async with serving(tmp_path, tokens=file, consent_required=True) as server, Feed(server.url, token=viewer) as feed:
        async with dial(server, path, additional_headers=basic(publisher)) as socket:  # as Exotel sends its credentials
            for message in said(provider):
                await socket.send(message)
        ended = (await feed.wait("call", kind="ended"))[0]
    assert (ended["reason"], ended["summary"]["duration_s"]) == (reason, 4.5)
    points = feed.of("point")
    assert {point["stream"].rpartition("/")[2] for point in points} == {leg}
    assert len(points) == 9
    assert any(point["state"] in ("speech", "uncertain", "stale") for point in points)
    assert not feed.of("gap")
    assert not feed.of("notice")
