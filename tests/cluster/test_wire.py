from __future__ import annotations

import json
import re

import pytest

from stream_ser.cluster.wire import BusMessage, numbered, stream_name, subject, tenant_of, token
from stream_ser.feed import messages
from tests.feed.test_messages import EVERY

NUMBERED = [each for each in EVERY if each["type"] not in ("snapshot", "why")]


@pytest.mark.parametrize("message", NUMBERED, ids=[each["type"] for each in NUMBERED])
def test_a_number_takes_its_place_in_the_text_of_every_type(message: dict[str, object]) -> None:
    text = messages.encode({**message, "seq": 12, **({"epoch": "old"} if "epoch" in message else {})})  # type: ignore[misc, typeddict-item]
    expected = {**message, "seq": 345, **({"epoch": 'a"b'} if "epoch" in message else {})}
    assert numbered(text, 345, 'a"b') == messages.encode(expected)  # type: ignore[arg-type]
    assert json.loads(numbered(text, 1, None)).get("epoch") is None


def test_what_is_no_message_gets_no_number() -> None:
    with pytest.raises(ValueError, match="no message with a number"):
        numbered('{"seq":1}', 2, None)


def test_a_message_travels_as_it_is() -> None:
    said = BusMessage(
        "point", "c/1 ü\n", "c/1 ü\n/a", 64_000, "n.5", '{"type":"point","seq":3}', ('{"a":1}', "{}"), 9, "why"
    )
    assert BusMessage.decode(said.encode()) == said
    assert BusMessage.decode(BusMessage("call", "c", None, 0, "n.5", "{}", over=True).encode()).over
    for broken in (b"", b"x\ny", b"[1,2]\n{}", b"\xff\n{}", b"{}\n{}"):
        with pytest.raises(ValueError):  # noqa: PT011 - json's, and text's
            BusMessage.decode(broken)


@pytest.mark.parametrize("name", ["c-1", "a.b", "a b", "*", ">", "", "n" * 256, "ü", "c/1\n", "$JS"])
def test_every_name_is_one_part_of_a_subject(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", token(name))
    assert subject("acme.eu", name).count(".") == 2


def test_names_stay_apart() -> None:
    names = ["c-1", "C-1", "h", "", "a.b", "a=b", "ü", "n" * 61, "n" * 62, token("ü")]
    assert len({token(name) for name in names}) == len(names)


def test_a_tenant_is_found_by_its_stream() -> None:
    assert tenant_of(stream_name("acme.eu-1_x")) == "acme.eu-1_x"
    assert tenant_of("KV_stream-ser-numberings") is None
