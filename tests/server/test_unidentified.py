"""Connections that have not said whose they are: a small pool of their own, and never in the way of those that have."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.datastructures import Headers

from stream_ser.server.auth import Authenticator, Request
from stream_ser.server.config import Limits, ServeConfig
from stream_ser.server.rejection import RefusalCounter
from tests.server.serving import (
    Feed,
    answer,
    bearer,
    dial,
    eventually,
    farewell,
    knock,
    page,
    refusals,
    serving,
    tokens,
)
from tests.server.speaking import Twilio, hello


async def test_who_says_nothing_takes_no_place_of_those_that_show_a_token(tmp_path: Path) -> None:
    path, (publisher, viewer) = tokens(tmp_path, ("acme", "publisher"), ("acme", "viewer"))
    limits = Limits(connections=1, unidentified=3, unidentified_of_address=2, burst_s=600.0)
    async with serving(tmp_path, tokens=path, limits=limits) as server, AsyncExitStack() as stack:
        feed = await stack.enter_async_context(Feed(server.url, token=viewer))
        silent: list[Any] = [await stack.enter_async_context(dial(server, "/v1/twilio")) for _ in range(2)]
        await eventually(lambda: server.media.count == 2, "two wait outside")
        assert await asyncio.to_thread(page, server, "/readyz") == (200, "ok\n")
        status, text = await knock(f"{server.url}/v1/twilio")
        assert (status, text.partition(":")[0]) == (503, "too-many-of-address")
        assert "callers that show no token" in (await asyncio.to_thread(page, server, "/readyz"))[1]
        known = await stack.enter_async_context(dial(server, "/v1/audio", additional_headers=bearer(publisher)))
        await known.send(hello("c-1", "customer"))
        assert (await answer(known))["type"] == "accepted"
        status, text = await asyncio.to_thread(page, server, "/readyz")
        assert (status, "callers are refused" in text) == (503, True)
        for message in Twilio("CA1", token=publisher).opening():
            await silent[0].send(message)
        assert (await farewell(silent[0]))[1].startswith("too-many-connections"), "there is one place, and it is taken"
        await known.send('{"type":"close"}')
        await feed.wait("call", kind="ended", call="c-1")
        await eventually(lambda: server.ready is None, "the place is not given back")


async def test_who_says_nothing_for_a_while_makes_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_ser.server.media_server.MAKES_WAY_S", 0.0)
    path, (publisher, viewer) = tokens(tmp_path, ("acme", "publisher"), ("acme", "viewer"))
    limits = Limits(unidentified=2, unidentified_of_address=2, burst_s=600.0)
    async with serving(tmp_path, tokens=path, limits=limits) as server, AsyncExitStack() as stack:
        feed = await stack.enter_async_context(Feed(server.url, token=viewer))
        known = await stack.enter_async_context(dial(server, "/v1/audio", additional_headers=bearer(publisher)))
        await known.send(hello("older", "customer"))
        assert (await answer(known))["type"] == "accepted"
        silent = []
        for number in range(2):
            silent.append(await stack.enter_async_context(dial(server, "/v1/twilio")))
            await eventually(lambda many=number + 2: server.media.count == many, "one waits outside")  # type: ignore[misc]
        speaker = Twilio("CA1", token=publisher)
        spoken = await stack.enter_async_context(dial(server, "/v1/twilio"))
        for message in speaker.opening():
            await spoken.send(message)
        await feed.wait("call", kind="opened", call="CA1")
        assert (await farewell(silent[0]))[1].startswith("made-way:")
        assert (silent[1].close_code, known.close_code) == (None, None)
        assert (await refusals(server))["made-way"] == 1


@pytest.mark.parametrize(
    ("proxies", "told", "address"),
    [
        ((), ["9.9.9.9"], "10.0.0.1"),
        (("10.0.0.0/8",), [], "10.0.0.1"),
        (("10.0.0.0/8",), ["9.9.9.9"], "9.9.9.9"),
        (("10.0.0.0/8",), ["1.1.1.1, 9.9.9.9, 10.0.0.7"], "9.9.9.9"),  # who connects can write the first ones
        (("10.0.0.0/8",), ["1.1.1.1", "9.9.9.9"], "9.9.9.9"),
    ],
)
def test_an_address_is_what_the_nearest_proxy_says(
    tmp_path: Path, proxies: tuple[str, ...], told: list[str], address: str
) -> None:
    path, _ = tokens(tmp_path, ("acme", "publisher"))
    auth = Authenticator(ServeConfig(trusted_proxies=proxies, tokens=path), {}, RefusalCounter())
    headers = Headers([("X-Forwarded-For", one) for one in told])
    assert auth.address(Request("/v1/twilio", headers, "10.0.0.1")) == address
