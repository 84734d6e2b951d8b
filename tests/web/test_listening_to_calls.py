"""The page of a call server listens, over TLS and with tokens: what is heard is a call of the tenant's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stream_ser.server.app import CallServer
from stream_ser.server.config import Limits, ServeConfig
from tests.server.serving import tokens
from tests.server.test_auth import certificate  # noqa: F401 - a fixture
from tests.web.browser import Open, Watched
from tests.web.listening import wait
from tests.web.test_listening import agree, chromium, played  # noqa: F401 - fixtures

VIEWERS = "This server asks for a viewer's token"
PUBLISHERS = "To send sound, this server asks for a publisher's token"


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, str]:
    _, (publisher, viewer) = tokens(tmp_path, ("acme", "publisher"), ("acme", "viewer"))
    return {"publisher": publisher, "viewer": viewer}


@pytest.fixture
def server(
    tmp_path: Path,
    certificate: tuple[Path, Path],  # noqa: F811 - the fixture
    secrets: dict[str, str],
) -> Iterator[CallServer]:
    cert, key = certificate
    store = f"sqlite:///{tmp_path / 'results.db'}"
    options: dict[str, Any] = {"tls_cert": cert, "tls_key": key, "tokens": tmp_path / "tokens.toml", "store": store}
    server = CallServer(ServeConfig(port=0, engine="onnx", limits=Limits(burst_s=5.0), **options), {})
    server.start()
    yield server
    server.stop(0.5)


@pytest.fixture
def page(server: CallServer, visit: Open, secrets: dict[str, str]) -> Watched:
    """The page, which shows the tenant's feed."""
    address = f"https://localhost:{server.port}/"
    page = visit(address, permissions=["microphone"], ignore_https_errors=True)
    page.page.get_by_label(VIEWERS).fill(secrets["viewer"])
    page.page.keyboard.press("Enter")
    page.page.get_by_text("Connected.", exact=True).wait_for()
    return page


def stored_calls(server: CallServer) -> list[Any]:
    store = server.services.tenants.store
    assert store is not None
    return list(store.calls("acme"))


def test_what_the_page_hears_is_a_call_of_the_tenant(
    server: CallServer, page: Watched, secrets: dict[str, str]
) -> None:
    page.page.get_by_role("button", name="Listen with a microphone").click()
    field = page.page.get_by_label(PUBLISHERS)
    for wrong, told in (("two words", "This is no token"), ("nonsense", "token-unknown")):
        field.fill(wrong)
        page.page.keyboard.press("Enter")
        page.page.get_by_text(told).wait_for()
    field.fill(secrets["publisher"])
    page.page.keyboard.press("Enter")
    agree(page).wait_for()
    assert not field.is_visible()
    assert "They are stored for 30 days." in page.page.inner_text("#sound-consent")
    assert stored_calls(server) == []
    agree(page).click()
    heading = page.page.get_by_role("heading", name=re.compile(r"browser-[0-9a-f]+.unknown"))
    heading.wait_for()
    call = heading.inner_text().partition("/")[0]
    page.until(f"state.streams.get('{call}/unknown').changes.length > 0", 60.0)
    assert f"speaker unknown · call {call}" in page.page.inner_text("#stream")
    page.page.get_by_role("button", name="Stop").click()
    wait(page, lambda: [(kept.call, kept.state) for kept in stored_calls(server)] == [(call, "ended")])
    assert stored_calls(server)[0].consent == "given"
    kept = page.page.evaluate("[localStorage.length, document.cookie, Object.values(sessionStorage).sort()]")
    assert kept == [0, "", sorted(secrets.values())]
    assert not [url for url in page.asked for secret in secrets.values() if secret in url]
    assert page.errors == []


def test_a_file_comes_no_faster_than_it_was_spoken(
    server: CallServer, page: Watched, secrets: dict[str, str], bundled: Path
) -> None:
    page.page.set_input_files("#sound-file", bundled)
    page.page.get_by_label(PUBLISHERS).fill(secrets["publisher"])
    page.page.keyboard.press("Enter")
    page.page.get_by_role("button", name="All agree: send it as it was spoken").click()
    page.page.get_by_text("conversation.flac: 0:03 of 0:38 sent.").wait_for()
    assert not page.page.get_by_role("button", name="at once").is_visible()
    page.page.get_by_role("button", name="Stop").click()
    wait(page, lambda: [kept.state for kept in stored_calls(server)] == ["ended"])
    refused = (
        server.services.refusals.by_reason()
    )  # and Chromium's handshakes that end at the certificate, which it then forgives
    assert {reason: count for reason, count in refused.items() if reason.startswith("token")} == {
        "token-missing": 1,
        "token-wrong-role": 1,
    }
