"""An alert is acknowledged once, by whom and when, for everybody who reads the feed and for those who come later."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

import pytest

from stream_ser.errors import FeedError
from stream_ser.feed import messages
from stream_ser.feed.acknowledge import UnknownAlertError, acknowledge, parse_acknowledge
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.feed.history import History
from stream_ser.feed.hub import Hub
from stream_ser.feed.live_state import KNOWN_ALERTS
from stream_ser.feed.server import FeedServer
from tests.feed.wire import alert_message, end_message, make_info, problems

NOW = datetime(2026, 11, 21, 3, 5, tzinfo=UTC)
STREAM, ALERT = "c-81f2/customer", "anger rising@352000"
QUERY = urlencode({"stream": STREAM, "alert": ALERT, "by": "Kim"})


@pytest.fixture
def hub() -> Hub:
    made = Hub(History(), epoch="e")
    made.publish(messages.hello(make_info(STREAM, "c-81f2", "customer")))
    made.publish(alert_message())
    return made


def test_it_is_a_message_of_the_feed_and_comes_once(hub: Hub) -> None:
    everything, one_call = hub.subscribe(), hub.subscribe(filters=SubscriptionFilter(call="c-81f2"))
    told = acknowledge(hub, QUERY, NOW)
    assert problems(told) == []
    assert (told["by"], told["time"], told["seq"]) == ("Kim", "2026-11-21T03:05:00.000Z", 2)
    assert acknowledge(hub, QUERY.replace("Kim", "Sam"), NOW) == told, "who was first stays"
    for subscription in (everything, one_call):
        assert [message for message in subscription.drain() if message["type"] == "acknowledgement"] == [told]


def test_who_joins_later_learns_of_it_while_the_alert_is_open(hub: Hub) -> None:
    acknowledge(hub, QUERY, NOW)

    def standing() -> list[str]:
        got = hub.subscribe(filters=SubscriptionFilter(snapshot=True)).drain()
        return [message["message"]["type"] for message in got if message["type"] == "snapshot"]

    assert standing() == ["alert", "acknowledgement"]
    hub.publish(alert_message("cleared"))
    assert standing() == []


def test_an_alert_that_is_over_can_be_acknowledged_and_one_of_a_stream_that_is_over_cannot(hub: Hub) -> None:
    hub.publish(alert_message("cleared"))
    assert acknowledge(hub, QUERY, NOW)["by"] == "Kim"
    hub.publish(end_message(STREAM))
    with pytest.raises(UnknownAlertError, match="that goes on has an alert"):
        acknowledge(hub, QUERY, NOW)


def test_what_can_be_acknowledged_is_bounded(hub: Hub) -> None:
    for number in range(KNOWN_ALERTS):
        hub.publish({**alert_message(), "id": f"rule@{number}"})
    with pytest.raises(UnknownAlertError):
        acknowledge(hub, QUERY, NOW)
    assert hub.acknowledge(STREAM, f"rule@{KNOWN_ALERTS - 1}", "Kim", NOW) is not None


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        (f"stream={STREAM}&alert=a", "by= has 0"),
        (f"stream={STREAM}&by=Kim", "alert= has 0"),
        ("alert=a&by=Kim", "stream= has 0"),
        (f"stream=s&alert=a&by={'x' * 65}", "by= has 65"),
        ("stream=s&alert=a&by=%00", "by= has 1"),
        ("stream=s&alert=a&by=+%20", "by= has 0"),
        ("&".join(f"x{at}=1" for at in range(40)), "more than 32"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused_by_name(query: str, wrong: str) -> None:
    with pytest.raises(FeedError, match=wrong):
        parse_acknowledge(query)


@pytest.fixture
def server(hub: Hub) -> Iterator[FeedServer]:
    made = FeedServer(hub, port=0)
    made.start()
    yield made
    made.stop()


def ask(server: FeedServer, query: str, method: str = "POST", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    try:
        connection.request(method, f"/v1/acknowledge?{query}", headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_the_feeds_own_server_takes_it(server: FeedServer, hub: Hub) -> None:
    status, text = ask(server, QUERY, Origin="http://localhost:1")
    assert (status, json.loads(text)["by"]) == (200, "Kim")
    assert hub.seq == 2
    assert ask(server, QUERY, "GET")[0] == 405
    assert ask(server, QUERY.replace("customer", "nobody"))[0] == 404
    assert ask(server, QUERY.replace("Kim", ""))[0] == 400
    status, text = ask(server, QUERY, Origin="http://evil.example")
    assert status == 403
    assert "evil.example" in text
    assert ask(server, QUERY, Host="evil.example", Origin="http://localhost")[0] == 403, "a name made to point here"
    assert server.stats().refused == 5
    assert hub.seq == 2
