from __future__ import annotations

import pytest

from stream_ser.feed import messages
from stream_ser.feed.envelope import call_of, epoch_of, stream_of
from stream_ser.feed.message_types import Message
from tests.feed.wire import call_message, end_message, make_info, point_message


@pytest.mark.parametrize(
    ("message", "stream", "call", "epoch"),
    [
        ({**messages.hello(make_info("c/customer", "c", "customer")), "epoch": "e1"}, "c/customer", "c", "e1"),
        (messages.hello(make_info("alone")), "alone", None, None),
        (point_message(0, "c/customer"), "c/customer", None, None),
        (end_message("c/customer"), "c/customer", None, None),
        (call_message("opened", "c"), None, "c", None),
    ],
)
def test_a_message_says_where_it_belongs(
    message: Message, stream: str | None, call: str | None, epoch: str | None
) -> None:
    assert (stream_of(message), call_of(message), epoch_of(message)) == (stream, call, epoch)
