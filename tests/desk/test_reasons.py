from __future__ import annotations

from stream_ser.desk.reasons import Reasons
from stream_ser.feed import messages
from stream_ser.feed.hub import Hub
from stream_ser.tui.abilities import Explains
from tests.feed.wire import Reason, make_info, point_message


def test_one_stream_at_a_time_is_asked_about_and_nothing_before_or_after() -> None:
    hub = Hub()
    asking = Reasons(hub)
    assert isinstance(asking, Explains)
    for name in ("a", "b"):
        hub.publish(messages.hello(make_info(name)))
    assert asking.reasons() == []
    assert (hub.asks_why("a"), hub.subscribers) == (False, 0)
    asking.ask_why("a")
    for number in range(3):
        hub.publish(point_message(number, "a"), Reason(number, "a"))
    (why,) = asking.reasons()
    assert (why["stream"], why["end"]) == ("a", point_message(2)["end"])
    assert why["spectrogram"] is not None
    assert asking.reasons() == []
    asking.ask_why("b")
    assert [hub.asks_why(name) for name in ("a", "b")] == [False, True]
    asking.ask_why(None)
    assert (hub.asks_why("b"), hub.subscribers) == (False, 0)
    assert asking.reasons() == []
