"""Who may ask a call server what points rest on: attention maps every reader, spectrograms whom settings name."""

from __future__ import annotations

import json
import logging
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from stream_ser.feed.explanations import ExplanationDetail
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.server.app import CallServer
from stream_ser.server.config import Limits
from stream_ser.store.store import Store
from tests.feed.wire import problems
from tests.server.serving import Feed, bearer, dial, eventually, serving, tokens, voices
from tests.server.speaking import Plain, talk

STREAM = "c-1/external"


async def try_to_ask(server: CallServer, asked: ExplanationDetail, token: str | None = None) -> tuple[int, str]:
    headers = bearer(token) if token else {}
    address = f"{server.url}/v1/feed?stream={STREAM}&why={asked}"
    try:
        async with connect(address, compression=None, additional_headers=headers):
            return 101, ""
    except InvalidStatus as error:
        return error.response.status_code, bytes(error.response.body or b"").decode().partition(":")[0]


async def test_every_reader_may_ask_for_attention_and_nobody_for_spectrograms(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        assert await try_to_ask(server, "attention") == (101, "")
        assert await try_to_ask(server, "spectrogram") == (403, "spectrograms-off")
        assert server.services.refusals.by_reason()["spectrograms-off"] == 1


@pytest.mark.parametrize(
    ("allowed", "for_viewer"), [("admin", (403, "spectrograms-wrong-role")), ("viewer", (101, ""))]
)
async def test_a_purpose_lets_those_of_the_role_have_them_and_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, allowed: str, for_viewer: tuple[int, str]
) -> None:
    caplog.set_level(logging.INFO, "stream_ser.server")
    path, (viewer, admin) = tokens(tmp_path, ("acme", "viewer"), ("acme", "admin"))
    given = {"tokens": path, "spectrograms": allowed, "spectrograms_purpose": "study of line noise"}
    async with serving(tmp_path, **given) as server:
        assert await try_to_ask(server, "spectrogram", admin) == (101, "")
        assert await try_to_ask(server, "spectrogram", viewer) == for_viewer
        assert await try_to_ask(server, "attention", viewer) == (101, "")
        address = f"{server.url.replace('ws', 'http', 1)}/web/door?stream={STREAM}&why=spectrogram"
        async with aiohttp.ClientSession() as session, session.get(address, headers=bearer(viewer)) as answer:
            assert (await answer.json())["status"] == (200 if for_viewer[0] == 101 else 403)
    told = [record for record in caplog.records if record.message == "spectrograms are given out"]
    assert [record.role for record in told] == ["admin", "viewer"][: 1 + (for_viewer[0] == 101)]  # type: ignore[attr-defined]
    assert {record.purpose for record in told} == {"study of line noise"}  # type: ignore[attr-defined]


async def test_so_many_may_ask_and_no_more(tmp_path: Path) -> None:
    address = f"/v1/feed?stream={STREAM}&why=attention"
    async with serving(tmp_path, limits=Limits(why=1)) as server:
        async with dial(server, address):
            assert await try_to_ask(server, "attention") == (503, "too-many-why")
            async with dial(server, f"/v1/feed?stream={STREAM}"):
                pass  # whoever asks for no reasons is welcome
        await eventually(lambda: not server.services.subscribers.members, "it has left")
        assert await try_to_ask(server, "attention") == (101, "")


async def test_a_call_explains_itself_while_it_goes_on_and_nothing_of_it_is_stored(tmp_path: Path) -> None:
    speaker, filters = Plain("c-1", "customer"), SubscriptionFilter(stream="c-1/customer", why="attention")
    async with serving(tmp_path, model="area-attention") as server, Feed(server.url) as feed:
        async with Feed(server.url, filters) as asking, dial(server, speaker.path) as socket:
            await socket.send(speaker.opening()[0])
            assert json.loads(await socket.recv())["type"] == "accepted"
            await talk(socket, speaker, voices()[:1], feed, ["customer"])
            await socket.send(speaker.closing()[0])
            await feed.wait("call", kind="ended")
            told = asking.of("why")
        assert told
        assert not feed.of("why")
        for message in told:
            assert problems(message) == []
            assert ([picture["name"] for picture in message["maps"]], message["spectrogram"]) == (["attention"], None)
            assert asking.of("point", end=message["end"], label=message["label"])
    with closing(Store.open(f"sqlite:///{tmp_path / 'results.db'}")) as store:
        kinds = {json.loads(row.text)["type"] for row in store.messages("local", 0, 10_000)}
    assert kinds >= {"point", "end"}
    assert "why" not in kinds
