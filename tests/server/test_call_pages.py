"""What is stored of calls, asked for over HTTP; and an alert that somebody has seen."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from stream_ser.server import call_history
from stream_ser.server.app import CallServer
from stream_ser.server.config import AboutSettings
from tests.server.serving import Feed, bearer, dial, page, refusals, serving, tokens, voices
from tests.server.speaking import Plain, talk

ABOUT = AboutSettings(caller="alias", queue="queue", agent="desk")
SAID = {"alias": "C. 4711", "queue": "north", "card": "4111 1111"}
ODD = "c/1 ü%2F?x"  # a name with all that an address has a meaning for


async def ask(
    server: CallServer,
    path: str,
    token: str | None = None,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
) -> tuple[int, Any]:
    given = dict(headers or {}) | ({} if token is None else bearer(token))
    status, text = await asyncio.to_thread(page, server, path, method, given)
    return status, json.loads(text) if status == 200 else text.partition(":")[0]


@asynccontextmanager
async def talking(server: CallServer, feed: Feed, call: str, token: str | None = None) -> AsyncIterator[str]:
    """A call whose customer speaks until an alert is open; over at the end of the block. Gives the alert's id."""
    speaker = Plain(call, parameters=SAID)
    async with dial(server, "/v1/audio", additional_headers={} if token is None else bearer(token)) as socket:
        await socket.send(speaker.opening()[0])
        await talk(socket, speaker, [voices()[0]], feed, ["customer"])
        (alert, *_) = await feed.wait("alert", kind="opened", stream=f"{call}/customer")
        yield alert["id"]
        await socket.send(speaker.closing()[0])
        await feed.wait("call", kind="ended", call=call)


async def test_a_call_as_it_is_stored_and_for_everybody_the_same(tmp_path: Path) -> None:
    path, (publisher, viewer, stranger) = tokens(
        tmp_path, ("acme", "publisher"), ("acme", "viewer"), ("other", "viewer")
    )
    async with serving(tmp_path, tokens=path, about=ABOUT) as server, Feed(server.url, token=viewer) as feed:
        async with talking(server, feed, ODD, publisher):
            _, listed = await ask(server, "/v1/calls?state=open", viewer)
            assert [each["call"] for each in listed["calls"]] == [ODD]
            assert listed["calls"][0]["ended"] is None
        (opened,), (ended,) = feed.of("call", kind="opened"), feed.of("call", kind="ended")
        assert opened["about"] == {"caller": "C. 4711", "queue": "north", "agent": None}
        assert SAID["card"] not in json.dumps(feed.got)
        status, listed = await ask(server, "/v1/calls?state=over&tenant=acme", viewer)
        (told,) = listed["calls"]
        record = await asyncio.to_thread(server.services.tenants.store.call, "acme", ODD)
        assert (status, listed["next"], told["about"]) == (200, None, opened["about"])
        assert (told["opened"], told["ended"]) == (opened["time"], ended["time"])
        assert told["duration_s"] == (record.ended - record.opened).total_seconds()
        assert told["share"] == json.loads(record.summary)["legs"]["customer"]["emotion"]["share"]
        assert told["alerts"]["critical"] >= 1
        name = quote(ODD, safe="")
        _, one = await ask(server, f"/v1/calls/{name}", viewer)
        assert one["summary"] == ended["summary"]
        assert one["streams"] == [{"stream": f"{ODD}/customer", "role": "customer"}]
        where = f"/v1/calls/{name}/trajectory?{urlencode({'stream': f'{ODD}/customer'})}"
        _, drawn = await ask(server, where, viewer)
        points = feed.of("point")
        assert drawn["t"] == [point["t"] for point in points]
        for at, point in enumerate(points):
            judged = point["state"] != "warming" and None not in point["raw"].values()
            assert drawn["smoothed"]["angry"][at] == (round(point["smoothed"]["angry"], 4) if judged else None)
        assert drawn["segments"][0][2] == "warming"
        assert [alert["id"] for alert in drawn["alerts"]] == list({alert["id"]: 1 for alert in feed.of("alert")})
        assert drawn["end"]["points"] == len(points)
        assert (await ask(server, "/v1/calls", stranger))[1]["calls"] == []
        for path_of_it in (f"/v1/calls/{name}", where, "/v1/calls/nobody", f"{where}x", f"/v1/calls/{name}/other"):
            whose = stranger if path_of_it in (where, f"/v1/calls/{name}") else viewer
            assert await ask(server, path_of_it, whose) == (404, "unknown-call")


async def test_a_name_that_was_used_again_is_another_call(tmp_path: Path) -> None:
    async with serving(tmp_path, about=ABOUT) as server, Feed(server.url) as feed:
        for alias in ("C. 1", "C. 2"):
            speaker = Plain("c-1", parameters={"alias": alias})
            async with dial(server, "/v1/audio") as socket:
                await socket.send(speaker.opening()[0])
                await socket.send(next(iter(speaker.sound(voices()[0][:160]))))
                await socket.send(speaker.closing()[0])
                await feed.wait("call", 1 if alias == "C. 1" else 2, kind="ended")
        _, listed = await ask(server, "/v1/calls")
        assert [(each["run"], each["about"]["caller"]) for each in listed["calls"]] == [(2, "C. 2"), (1, "C. 1")]
        for query, run, alias in (("", 2, "C. 2"), ("?run=2", 2, "C. 2"), ("?run=1", 1, "C. 1")):
            _, one = await ask(server, f"/v1/calls/c-1{query}")
            assert (one["run"], one["about"]["caller"]) == (run, alias)
        assert await ask(server, "/v1/calls/c-1?run=3") == (404, "unknown-call")
        assert await ask(server, "/v1/calls/c-1?run=x") == (400, "bad-wish")
        where = "/v1/calls/c-1/trajectory?stream=c-1%2Fcustomer"
        ends = [(await ask(server, f"{where}&run={run}"))[1]["end"]["seq"] for run in (1, 2)]
        assert ends == [message["seq"] for message in feed.of("end")]


async def test_a_file_of_it_is_what_the_export_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(tmp_path) as server, Feed(server.url) as feed:
        async with talking(server, feed, "c-1"):
            pass
        where = "/v1/calls/c-1/export?stream=c-1%2Fcustomer"
        status, text = await asyncio.to_thread(page, server, f"{where}&to=csv")
        rows = list(csv.DictReader(io.StringIO(text)))
        assert (status, len(rows)) == (200, len(feed.of("point")))
        assert [row["smoothed_angry"] for row in rows if row["state"] == "warming"] == [""] * len(
            [row for row in rows if row["state"] == "warming"]
        )
        assert rows[0]["state"] == "warming"
        assert await ask(server, f"{where}&to=docx") == (400, "bad-wish")
        monkeypatch.setattr(call_history, "MOST_BYTES", 100)
        assert await ask(server, f"{where}&to=jsonl") == (413, "too-large")


async def test_an_acknowledgement_is_stored_and_seen_and_one_for_another_tenant_refused(tmp_path: Path) -> None:
    path, (publisher, viewer, stranger) = tokens(
        tmp_path, ("acme", "publisher"), ("acme", "viewer"), ("other", "viewer")
    )
    async with serving(tmp_path, tokens=path) as server, Feed(server.url, token=viewer) as feed:
        async with talking(server, feed, "c-1", publisher) as alert:
            query = urlencode({"stream": "c-1/customer", "alert": alert, "by": "Kim"})
            assert await ask(server, f"/v1/acknowledge?{query}", stranger, "POST") == (404, "unknown-alert")
            assert await ask(server, f"/v1/acknowledge?{query}", publisher, "POST") == (403, "token-wrong-role")
            assert await ask(server, f"/v1/acknowledge?{query}", viewer) == (405, "wrong-method")
            assert await ask(server, f"/v1/acknowledge?{query}x&by=", viewer, "POST") == (400, "bad-wish")
            evil = {"Origin": "https://evil.example"}
            assert await ask(server, f"/v1/acknowledge?{query}", viewer, "POST", evil) == (403, "wrong-origin")
            status, told = await ask(server, f"/v1/acknowledge?{query}", viewer, "POST")
            assert (status, told["by"], told["id"]) == (200, "Kim", alert)
            assert await feed.wait("acknowledgement") == [told]
        _, drawn = await ask(server, "/v1/calls/c-1/trajectory?stream=c-1%2Fcustomer", viewer)
        assert drawn["acknowledgements"] == [told]
        assert (await refusals(server)) == {
            "unknown-alert": 1,
            "token-wrong-role": 1,
            "wrong-method": 1,
            "bad-wish": 1,
            "wrong-origin": 1,
        }


BAD = """
    colour=red share=0.5 share=2&label=angry share=x&label=angry label= limit=0 limit=201 limit=x state=gone alert=loud
    from=today from=2026-11-21T00:00:00 to=9999 after=x after=W10= after=WzEsMl0= after=W3RydWV9
"""


@pytest.mark.parametrize("query", BAD.split())
async def test_a_query_that_makes_no_sense_is_refused(query: str) -> None:
    with pytest.raises(call_history.FeedError, match=f"^{query.partition('=')[0]}"):
        call_history.wanted(call_history.given(query))


@pytest.mark.parametrize(("query", "limit"), [("", 50), ("limit=1", 1), ("limit=200", 200)])
def test_as_many_are_listed_as_were_asked_for(query: str, limit: int) -> None:
    assert call_history.wanted(call_history.given(query)).limit == limit


async def test_who_may_not_ask(tmp_path: Path) -> None:
    path, (publisher, viewer) = tokens(tmp_path, ("acme", "publisher"), ("acme", "viewer"))
    async with serving(tmp_path, tokens=path) as server:
        for token, query, headers, status, reason in (
            (None, "", {}, 401, "token-missing"),
            (publisher, "", {}, 403, "token-wrong-role"),
            (viewer, "", {"Origin": "https://evil.example"}, 403, "wrong-origin"),
            (viewer, "?tenant=other", {}, 403, "wrong-tenant"),
            (viewer, "?limit=0", {}, 400, "bad-wish"),
        ):
            assert await ask(server, f"/v1/calls{query}", token, headers=headers) == (status, reason)


async def test_without_tokens_a_foreign_name_that_points_here_reads_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        assert await ask(server, "/v1/calls", headers={"Host": "evil.example"}) == (403, "wrong-host")
        assert (await ask(server, "/v1/calls"))[0] == 200


async def test_where_nothing_is_stored_there_is_no_history(tmp_path: Path) -> None:
    async with serving(tmp_path, store="off") as server:
        assert await ask(server, "/v1/calls") == (404, "history-off")
        assert (await ask(server, "/web/door"))[1]["history"] is False


async def test_the_page_is_told_whose_history_it_can_ask_for(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        told = (await ask(server, "/web/door"))[1]
        assert (told["tenant"], told["history"]) == ("local", True)
