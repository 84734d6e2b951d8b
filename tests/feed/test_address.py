from __future__ import annotations

import pytest

from stream_ser.errors import FeedError
from stream_ser.feed.address import feed_url, page_url


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("ws://127.0.0.1:8765/v1/feed", "ws://127.0.0.1:8765/v1/feed"),
        ("127.0.0.1:8765", "ws://127.0.0.1:8765/v1/feed"),
        ("localhost", "ws://localhost/v1/feed"),
        ("http://127.0.0.1:8765/", "ws://127.0.0.1:8765/v1/feed"),
        ("https://calls.example.org", "wss://calls.example.org/v1/feed"),
        ("wss://[::1]:443/", "wss://[::1]:443/v1/feed"),
        ("https://example.org/monitor/", "wss://example.org/monitor/v1/feed"),
        ("ws://h:1/v1/feed?call=c-1", "ws://h:1/v1/feed?call=c-1"),
    ],
)
def test_whatever_is_at_hand_leads_to_the_feed(given: str, found: str) -> None:
    assert feed_url(given) == found


@pytest.mark.parametrize("wrong", ["ftp://h/", "ws://", "http://:80/", "ws://h:0", "ws://h:99999", "ws://u:p@h", ""])
def test_what_is_no_address_is_refused_with_what_was_given(wrong: str) -> None:
    with pytest.raises(FeedError, match="is not the address of a feed") as refused:
        feed_url(wrong)
    assert repr(wrong) in str(refused.value)


def test_the_page_is_at_the_root_of_the_same_port() -> None:
    assert page_url("ws://127.0.0.1:8765/v1/feed") == "http://127.0.0.1:8765/"
    assert page_url("wss://h/v1/feed?call=1") == "https://h/"
    assert page_url("ws://0.0.0.0:8765/v1/feed") == page_url("ws://[::]:8765/v1/feed") == "http://localhost:8765/"
