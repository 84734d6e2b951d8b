"""The page of a real call server: a call from its sound to its summary, a restart, and the token that opens it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from stream_ser.server.app import CallServer
from stream_ser.server.config import Limits, ServeConfig
from tests.server.serving import BURST_S, LOUD, tokens, voices
from tests.web.browser import Open

RATE = 8_000
Serve = Callable[..., CallServer]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start call servers with a store and rules; drained at the end, or before with ``stop``."""
    servers: list[CallServer] = []

    def start(**given: Any) -> CallServer:
        rules = tmp_path / "rules.toml"
        rules.write_text(LOUD)
        store = f"sqlite:///{tmp_path / 'results.db'}"
        options = {
            "port": 0,
            "engine": "onnx",
            "store": store,
            "rules": rules,
            "limits": Limits(burst_s=BURST_S),
        } | given
        server = CallServer(ServeConfig(**options), {})
        server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop(0.5)


def address_of(server: CallServer) -> str:
    return server.url.replace("ws", "http", 1) + "/"


@contextmanager
def calling(server: CallServer, call: str, token: str | None = None, **more: Any) -> Iterator[Callable[[], None]]:
    """A call of a customer who has agreed and says five seconds at once, and again when told to; hangs up at the end."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with connect(f"{server.url}/v1/audio", additional_headers=headers, compression=None, proxy=None) as socket:
        hello = {"type": "hello", "call": call, "role": "customer", "rate": RATE, "channels": 1}
        socket.send(json.dumps(hello | {"encoding": "s16le", "consent": "given"} | more))
        assert json.loads(socket.recv(timeout=60))["type"] == "accepted"
        customer, _ = voices()

        def say() -> None:
            for second in np.split((customer * 32767).astype(np.int16), 5):
                socket.send(second.tobytes())

        say()
        yield say
        with suppress(ConnectionClosed):  # the server has stopped
            socket.send(json.dumps({"type": "close"}))


def heard(call: str) -> str:
    return f"[...state.streams.values()].some((stream) => stream.call === '{call}' && stream.count > 5)"


def test_a_call_from_its_first_word_to_its_summary(serve: Serve, visit: Open) -> None:
    server = serve()
    page = visit(address_of(server))
    page.page.get_by_text("No stream is open.").wait_for()
    with calling(server, "c-17"):
        page.until(heard("c-17"), 20)
        page.page.locator("#announcements", has_text="critical: someone speaks").wait_for(state="attached")
        assert "customer · call c-17" in page.page.inner_text("li.card")
    page.page.get_by_role("heading", name="Calls that are over").wait_for()
    page.page.locator("#wall tbody tr").wait_for()
    row = page.page.locator("#wall tbody tr").inner_text()
    assert re.search(r"c-17\s.*0:0\d.*ended.*\d %.*[1-9] critical", row.replace("\n", " "))
    page.picture("call")
    page.page.get_by_role("link", name="c-17/customer").click()
    page.page.get_by_role("heading", name="Summary").wait_for()
    summary = page.page.locator("section", has=page.page.get_by_role("heading", name="Summary")).inner_text()
    assert re.search(r"The call\s+closed by the client; consent given", summary)
    assert re.search(r"Share of talk\s+100 %", summary)
    assert re.search(r"angry, first and last third\s+\d+ %, \d+ %", summary)
    page.picture("call-summary")
    assert page.errors == []
    assert {urlsplit(url).netloc for url in page.asked} == {urlsplit(server.url).netloc}


def test_a_viewer_sees_where_the_model_looks_and_no_spectrogram(serve: Serve, visit: Open, tmp_path: Path) -> None:
    path, (publisher, viewer) = tokens(tmp_path, ("acme", "publisher"), ("acme", "viewer"))
    server = serve(tokens=path, model="area-attention")
    page = visit(address_of(server))
    page.page.get_by_label("This server asks for a viewer's token").fill(viewer)
    page.page.keyboard.press("Enter")
    with calling(server, "c-9", publisher) as say:
        page.until(heard("c-9"), 20)
        page.page.get_by_role("link", name="c-9/customer").click()
        page.page.get_by_role("button", name="Show what the model looks at").click()
        page.page.get_by_text("This server gives out no spectrograms: attention alone is shown.").wait_for()
        say()
        page.page.locator(".why[data-map=attention]").wait_for()
        assert re.search(r"window \d.* Attention: what weighs more\. Most at", page.page.inner_text("#why-text"))
        assert page.page.get_by_role("button", name="Next map").is_hidden()
        page.picture("call-why")
    assert page.errors == []
    assert server.services.refusals.by_reason() == {"token-missing": 1, "spectrograms-off": 1}


def test_a_restart_of_the_server_costs_no_message(serve: Serve, visit: Open) -> None:
    first = serve()
    page = visit(address_of(first))
    with calling(first, "c-1"):
        page.until(heard("c-1"), 20)
        epoch, before = page.state("[resume.epoch, resume.seq]")
        first.stop(0.5)
        page.page.get_by_text("Not connected since").wait_for()
    second = serve(port=first.port)
    page.page.get_by_text("Connected.", exact=True).wait_for()
    with calling(second, "c-2"):
        page.until(heard("c-2"), 20)
    assert page.state("[resume.epoch, resume.lost, resume.lostUnknown]") == [epoch, 0, False]
    assert page.state("resume.seq") > before
    times = page.state(
        "[...state.streams.values()].map(({ ring }) => Array.from({ length: ring.length }, (_, row) => ring.at(row, 0)))"
    )
    assert len(times) == 2
    assert all(at == sorted(set(at)) for at in times)


def test_a_viewers_token_opens_the_page_and_is_kept_in_the_tab_alone(serve: Serve, visit: Open, tmp_path: Path) -> None:
    path, (publisher, viewer) = tokens(tmp_path, ("acme", "publisher"), ("acme", "viewer"))
    server = serve(tokens=path)
    page = visit(address_of(server))
    field = page.page.get_by_label("This server asks for a viewer's token")
    field.wait_for()
    assert page.page.evaluate("document.activeElement.id") == "token-text"
    for wrong, why in (
        ("two words", "This is no token"),
        ("nonsense", "token-unknown"),
        (publisher, "token-wrong-role"),
    ):
        field.fill(wrong)
        page.page.keyboard.press("Enter")
        page.page.locator("#token-why", has_text=why).wait_for()
        assert page.page.evaluate("sessionStorage.length") == 0
    field.fill(viewer)
    page.page.keyboard.press("Enter")
    page.page.get_by_text("Connected.", exact=True).wait_for()
    assert not field.is_visible()
    assert field.input_value() == ""
    page.page.get_by_text("Calls of acme", exact=True).wait_for()  # no other tenant's can be there to be told apart
    with calling(server, "c-9", publisher):
        page.until(heard("c-9"), 20)
    page.page.reload()
    page.until(heard("c-9"))
    assert viewer not in page.page.content()
    assert not [url for url in page.asked if viewer in url]
    assert page.page.evaluate("[localStorage.length, document.cookie, Object.values(sessionStorage)]") == [
        0,
        "",
        [viewer],
    ]
    assert page.errors == []
    page.page.evaluate("sessionStorage.clear()")
    page.page.reload()
    field.wait_for()
    page.page.evaluate("dispatchEvent(new Event('online'))")  # tries nothing without a token
    assert field.is_visible()
    assert page.page.locator("li.card").count() == 0
