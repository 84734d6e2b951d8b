"""The messages that ``docs/protocol.md`` shows, made by the code that sends them: one short call, numbered by a hub.

``python -m tests.feed.examples`` prints them as they stand in the document.
"""

from __future__ import annotations

import dataclasses
import json

from stream_ser.feed import messages
from stream_ser.feed.hub import Hub
from stream_ser.feed.messages import Message
from stream_ser.types import Gap, Timing
from tests.feed.wire import end_message, make_info, make_point


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
    hub.publish(end_message())
    slow = hub.subscribe(limit=1)
    hub.publish(messages.hello(info))
    for _ in range(38):
        hub.publish(messages.point(info, heard, 10_007_350_000))
    return [*kept[:6], *[message for message in slow.drain() if message["type"] == "dropped"]]


def show(message: Message) -> str:
    """A message as the document shows it: one key a line, inner objects on theirs."""
    rows = [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in message.items()]
    return "{\n" + ",\n".join(rows) + "\n}"


if __name__ == "__main__":
    for example in examples():
        print(show(example))
