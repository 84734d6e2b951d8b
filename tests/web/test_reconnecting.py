"""Twenty pages lose their connection at once and come back at once: each with all it missed, and nothing else stops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from stream_ser.feed.hub import Hub
from stream_ser.feed.server import FeedServer
from tests.web.browser import Open, Watched
from tests.web.speakers import Speaker

PAGES = 20


@pytest.fixture
def pages(chromium: Any, address: str) -> Iterator[list[Watched]]:
    context = chromium.new_context()
    opened = [Watched(context.new_page()) for _ in range(PAGES)]
    for page in opened:
        page.page.goto(address, wait_until="commit")
    yield opened
    context.close()


def test_twenty_pages_come_back_at_once(hub: Hub, feed: FeedServer, pages: list[Watched], visit: Open) -> None:
    speaker, other = Speaker(hub), Speaker(hub, "other")
    speaker.say("angry", 5)
    for page in pages:
        page.until("state.streams.get('call-1')?.count === 5", 60)
    reader = hub.subscribe()  # somebody else who reads
    feed.stop()
    speaker.say("sad", 100)
    speaker.alert()
    again = FeedServer(hub, port=urlsplit(feed.url).port or 0)
    again.start()
    try:
        for page in pages:
            page.page.evaluate("dispatchEvent(new Event('online'))")  # all at once, whatever their timers say
        other.say("happy", 7)
        for page in pages:
            page.until("state.streams.get('call-1')?.count === 105 && state.streams.get('other')?.count === 7", 60)
            assert page.state("[resume.lost, resume.lostUnknown, resume.seq]") == [0, False, hub.seq]
            times = page.state(
                "(({ ring }) => Array.from({ length: ring.length }, (_, row) => ring.at(row, 0)))(state.streams.get('call-1'))"
            )
            assert times == [2 + hop / 4 for hop in range(105)]
            assert page.state("state.streams.get('call-1').alerts.size") == 1
        stats = again.stats()
        assert (stats.subscribers, stats.dropped, stats.cut, stats.refused) == (PAGES, 0, 0, 0)
        assert [message["type"] for message in reader.drain()].count("point") == 107
    finally:
        again.stop()
