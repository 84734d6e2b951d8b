from __future__ import annotations

import pytest

from stream_ser.tui.state.streams import LIMIT, Streams
from tests.tui.wire import Message, end, hello, point


def streams_after(*messages: Message) -> Streams:
    streams = Streams()
    for message in messages:
        streams.consume(message, 0.0)
    return streams


def test_messages_go_to_the_stream_that_they_name() -> None:
    streams = streams_after(hello(stream="a"), hello(stream="b"), point(8, stream="b"), point(9, "silence", stream="a"))
    assert list(streams) == ["a", "b"]
    assert (streams["a"].kind(0.0), streams["b"].kind(0.0)) == ("silence", "speech")


def test_the_state_that_waited_becomes_the_first_stream() -> None:
    streams = Streams()
    waited = streams.first
    streams.consume(hello(stream="a"), 0.0)
    assert streams["a"] is waited
    streams.consume(hello(stream="b"), 0.0)
    assert streams["b"] is not waited
    assert streams.first is waited


def test_what_names_no_stream_is_about_all() -> None:
    dropped = {"type": "dropped", "seq": 9, "epoch": None, "first": 4, "last": 9, "count": 6}
    streams = streams_after(hello(stream="a"), hello(stream="b"), dropped, {"type": "heartbeat", "seq": 9})
    assert (streams["a"].lost, streams["b"].lost) == (6, 6)
    assert streams_after(dropped).first.lost == 6


def test_what_belongs_to_no_stream_that_is_known_touches_none() -> None:
    streams = streams_after(hello(stream="a"), point(8, "silence", stream="a"), point(9, stream="gone"))
    assert list(streams) == ["a"]
    assert streams["a"].kind(0.0) == "silence"
    streams.consume(hello(stream="b"), 0.0)
    streams.forget("a")
    streams.consume(point(10, stream="a"), 0.0)
    assert list(streams) == ["b"]
    assert streams["b"].point is None


def test_a_snapshot_is_what_it_holds() -> None:
    streams = streams_after(hello(), {"type": "snapshot", "seq": 8, "message": point(8)})
    assert streams["demo"].kind(0.0) == "speech"


@pytest.mark.parametrize("over", [None, 7])
def test_streams_are_bounded_and_those_that_ended_go_first(over: int | None) -> None:
    streams = Streams()
    for number in range(LIMIT):
        streams.consume(hello(stream=f"s{number}"), 0.0)
    if over is not None:
        streams.consume(end(stream=f"s{over}"), 0.0)
    streams.consume(hello(stream="new"), 0.0)
    assert len(streams) == LIMIT
    assert f"s{over or 0}" not in list(streams)
    assert streams["new"].kind(0.0) == "waiting"


def test_all_streams_are_over_when_each_is() -> None:
    streams = streams_after(hello(stream="a"), hello(stream="b"), end(stream="a"))
    assert not streams.ended
    streams.consume(end(stream="b"), 0.0)
    assert streams.ended
    assert not Streams().ended
