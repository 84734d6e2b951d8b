"""The messages that ``docs/protocol.md`` shows, made by the code that sends them and numbered by hubs.

``python -m tests.feed.examples`` prints them as they stand in the document.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime

from stream_ser.feed import messages
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.feed.history import History
from stream_ser.feed.hub import Hub
from stream_ser.feed.message_types import Message
from stream_ser.types import Gap, Timing
from tests.feed.wire import Reason, alert_message, call_message, end_message, make_info, make_point, point_message

EPOCH = "9b1c6f0e2d3a4b58"


def examples() -> list[Message]:
    hub = Hub()
    kept: list[Message] = []
    hub.attach(kept.append)
    info = make_info()
    heard = make_point(2, timing=Timing(10_000_000_000, 10_000_850_000, 10_007_100_000, 9_990_000_000, 10_007_200_000))
    silent = dataclasses.replace(
        make_point(9, "silence", None, Timing(11_750_000_000, captured_ns=11_740_000_000, smoothed_ns=11_750_050_000)),
        confidence=0.0,
        smoothed=(0.25, 0.25, 0.25, 0.25),
        speech_s=0.0,
        level_dbfs=-64.0,
        peak_dbfs=-51.5,
    )
    hub.publish(messages.hello(info))
    hub.publish(messages.point(info, heard, 10_007_350_000, 320))
    hub.publish(messages.point(info, silent, 11_750_200_000))
    hub.publish(messages.gap(info, Gap(68_000, 76_000, "the microphone lost 0.5 s")))
    hub.publish(messages.notice("call-1", "warning", "the sound clips: turn the input down"))
    hub.publish(messages.mark("call-1", 74_000, "asks for the manager"))
    hub.publish(end_message())
    slow = hub.subscribe(limit=1)
    hub.publish(messages.hello(info))
    for _ in range(38):
        hub.publish(messages.point(info, heard, 10_007_350_000))
    dropped = [message for message in slow.drain() if message["type"] == "dropped"]
    return [*kept[:7], *call_examples(), *dropped, *connection_examples()]


def call_examples() -> list[Message]:
    """What a call adds: an alert, and the call's begin and end."""
    hub = Hub(History(), epoch=EPOCH)
    kept: list[Message] = []
    hub.attach(kept.append)
    hub.publish(call_message("opened"))
    hub.publish(messages.hello(make_info("c-81f2/customer", "c-81f2", "customer")))
    hub.publish(point_message(0, "c-81f2/customer"))
    hub.publish(alert_message())
    hub.acknowledge("c-81f2/customer", "anger rising@352000", "Kim", datetime(2026, 11, 21, 3, 0, 31, 500_000, UTC))
    hub.publish(call_message("ended"))
    return [kept[3], kept[4], kept[0], kept[5]]


def connection_examples() -> list[Message]:
    """What a feed says to one subscriber: what history lacks, that it is alive, and how things stood."""
    hub = Hub(History(limit=2), epoch=EPOCH)
    hub.publish(call_message("opened"))
    hub.publish(messages.hello(make_info("c-81f2/customer", "c-81f2", "customer")))
    for number in range(40):
        hub.publish(point_message(number, "c-81f2/customer"))
    hub.publish(alert_message())
    back = hub.subscribe(filters=SubscriptionFilter(last_seq=7, epoch=EPOCH, snapshot=True)).drain()
    missed = next(message for message in back if message["type"] == "missed")
    alive = messages.heartbeat(hub.seq, hub.epoch, datetime(2026, 11, 21, 3, 0, 30, 250_000, tzinfo=UTC))
    return [missed, alive, why_example(), back[-1]]


def why_example() -> Message:
    """What the last point rests on, for one who asked."""
    hub = Hub(History(), epoch=EPOCH)
    hub.publish(messages.hello(make_info()))
    asking = hub.subscribe(filters=SubscriptionFilter(stream="call-1", why="spectrogram"))
    hub.publish(messages.point(make_info(), make_point(), 1_007_000_000, 400), Reason())
    return asking.drain()[-1]


def show(message: Message) -> str:
    """A message as the document shows it: one key a line, inner objects on theirs."""
    rows = [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in message.items()]
    return "{\n" + ",\n".join(rows) + "\n}"


if __name__ == "__main__":
    for example in examples():
        print(show(example))
