from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from stream_ser.feed.history import History
from stream_ser.feed.hub import Hub
from stream_ser.feed.server import FeedServer
from tests.web.browser import FLAGS, Open, Watched
from tests.web.chromium import launched


@pytest.fixture(scope="module")  # the driver holds the thread's event loop while it lives: no longer than needed
def chromium() -> Iterator[Any]:
    yield from launched(FLAGS)


@pytest.fixture
def visit(chromium: Any) -> Iterator[Open]:
    """Open a page in a browser context of its own; ends with the test."""
    contexts: list[Any] = []

    def open_page(url: str, **options: Any) -> Watched:
        context = chromium.new_context(**options)
        contexts.append(context)
        watched = Watched(context.new_page())
        watched.page.goto(url)
        return watched

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def hub() -> Hub:
    return Hub(History(), epoch="e1")


@pytest.fixture
def feed(hub: Hub) -> Iterator[FeedServer]:
    server = FeedServer(hub, port=0)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def address(feed: FeedServer) -> str:
    return feed.url.replace("ws", "http", 1).removesuffix("v1/feed")
