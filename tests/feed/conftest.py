"""A hub, and servers of it that are ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from stream_ser.feed import messages
from stream_ser.feed.hub import Hub
from stream_ser.feed.server import FeedServer
from tests.feed.serving import Serve
from tests.feed.wire import make_info


@pytest.fixture
def hub() -> Hub:
    hub = Hub()
    hub.publish(messages.hello(make_info()))
    return hub


@pytest.fixture
def serve(hub: Hub) -> Iterator[Serve]:
    servers: list[FeedServer] = []

    def start(**options: Any) -> FeedServer:
        server = FeedServer(hub, port=0, **options)
        server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "feed"]
