"""A media message read at once: it takes less than the reader that judges, and never anything else."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream_ser.calls.protocols import fields, media_message

NUMBERS = st.integers(-2, 2**70) | st.integers(-2, 2**70).map(str) | st.text("0123456789_+- ٣²", max_size=20)
ANYTHING = st.none() | st.booleans() | st.floats() | st.text(max_size=6) | st.lists(st.integers(), max_size=2)
PAYLOADS = (
    st.binary(max_size=9).map(base64.b64encode).map(bytes.decode)
    | st.text("/+A9=_- \n", max_size=9)
    | st.text(max_size=5)
)
MEDIA = st.fixed_dictionaries(
    {"payload": PAYLOADS, "chunk": NUMBERS | ANYTHING, "timestamp": NUMBERS},
    optional={"track": st.sampled_from(["inbound", "outbound", ""]) | ANYTHING, "other": ANYTHING},
)
MESSAGES = st.fixed_dictionaries(
    {"event": st.sampled_from(["media", "media", "mark"]), "media": MEDIA | ANYTHING},
    optional={name: st.just("MZ1") | ANYTHING for name in ("streamSid", "stream_id", "streamId", "stream_sid", "x")},
)


@settings(deadline=None, max_examples=300)
@given(MESSAGES)
@example({"event": "media", "media": {"payload": "//9=", "chunk": 1, "timestamp": "20"}})
def test_what_it_reads_the_other_reader_reads_too_and_the_same(message: dict[str, Any]) -> None:
    text = json.dumps(message)
    read = media_message.read(text, "MZ1")
    if read is None:
        return
    judged = fields.parse(text, "the message")
    assert judged.text("event") == "media"
    media = judged.part("media")
    assert (read.number, read.timestamp) == (media.count("chunk"), media.count("timestamp"))
    assert read.payload == base64.b64decode(message["media"]["payload"], validate=True)
    assert read.track == message["media"].get("track")
    assert all(message.get(name) in (None, "MZ1") for name in ("streamSid", "stream_id", "streamId", "stream_sid"))


@pytest.mark.parametrize(
    "other",
    [
        "NaN",
        "Infinity",
        "01",
        "1.",
        '"\x01"',
        '"\\ud800"',
        "[1,]",
        "'a'",
        "{1: 2}",
        "nul",
        '"\\x41"',
        "1 //",
        "[" * 9_999,
    ],
)
def test_it_reads_nothing_that_is_no_json(other: str) -> None:
    good = '{"event": "media", "media": {"payload": "//8=", "chunk": 1, "timestamp": 2}, "other": 1}'
    assert media_message.read(good, "MZ1") == (None, 1, 2, b"\xff\xff")
    assert media_message.read(good.replace('"other": 1', f'"other": {other}'), "MZ1") is None


@pytest.mark.parametrize("name", ["streamSid", "stream_id", "streamId", "stream_sid"])
def test_it_reads_nothing_of_another_stream(name: str) -> None:
    text = f'{{"event": "media", "media": {{"payload": "//8=", "chunk": "1", "timestamp": "2"}}, "{name}": "MZ1"}}'
    assert media_message.read(text, "MZ1") == (None, 1, 2, b"\xff\xff")
    assert media_message.read(text, "MZ2") is None


def test_of_two_fields_of_one_name_the_last_counts_as_elsewhere() -> None:
    media = '{"payload": "//8=", "chunk": 1, "chunk": 7, "timestamp": 2}'
    twice = f'{{"event": "media", "media": {media}, "streamId": "a", "streamId": "b"}}'
    read = media_message.read(twice, "b")
    assert read is not None
    assert read.number == json.loads(twice)["media"]["chunk"] == 7
    assert media_message.read(twice, "a") is None


def test_a_message_as_long_as_no_message_may_be_is_left_to_the_other_reader() -> None:
    payload = base64.b64encode(bytes(3 * fields.LONGEST_TEXT // 4)).decode()
    text = f'{{"event": "media", "media": {{"payload": "{payload}", "chunk": 1, "timestamp": 2}}}}'
    assert len(text) > fields.LONGEST_TEXT
    assert media_message.read(text, "MZ1") is None
