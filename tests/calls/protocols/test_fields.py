from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stream_ser.calls.events import RefusedError
from stream_ser.calls.protocols.fields import LONGEST_TEXT, SHOWN, Fields, declared, parse, show
from stream_ser.calls.protocols.pcm import WIDTH, decode


def test_what_is_shown_is_short_and_can_be_sent() -> None:
    assert show(8000.0) == "8000.0"
    assert len(show("x" * 10_000)) == SHOWN + 1
    assert show("\ud800\n").encode().isascii()


def test_what_is_nested_too_deep_to_write_out_is_only_named() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert show(deep) == "a list"
    assert show({"a": deep}) == "an object"
    while deep:  # taken apart by hand: freeing it at once would go as deep
        deep = deep[0]


def test_null_counts_as_absent() -> None:
    fields = parse('{"a": null, "b": 1}', "the message")
    assert "a" not in fields
    assert fields.text_or_none("a") is None
    with pytest.raises(RefusedError) as caught:
        fields.whole("a")
    assert caught.value.code == "missing-field"


@pytest.mark.parametrize("value", [0, "0", 2**63 - 1, str(2**63 - 1)])
def test_a_count_may_be_a_number_or_its_digits(value: int | str) -> None:
    assert Fields({"n": value}, "x").count("n") == int(value)


@pytest.mark.parametrize("value", [2**63, str(2**63), "", " 1", "+1", "1_0", "²", "٣", "0x1", 1.0, True, -1, [1], {}])
def test_nothing_else_is_a_count(value: object) -> None:
    with pytest.raises(RefusedError) as caught:
        Fields({"n": value}, "x").count("n")
    assert caught.value.code == "bad-field"


def test_text_as_long_as_allowed_is_read_and_no_longer() -> None:
    text = '{"a": "' + "x" * (LONGEST_TEXT - 9) + '"}'
    assert len(text) == LONGEST_TEXT
    parse(text, "the message")
    with pytest.raises(RefusedError) as caught:
        parse(text + " ", "the message")
    assert caught.value.code == "message-too-large"


def test_what_parameters_declare_is_taken_out_of_them() -> None:
    said = declared({"consent": "given", "agent_purpose": "safety", "token": "t", "a": "b", "c": ""}, "x")
    assert (said.consent, said.agent_purpose, said.token, said.rest) == ("given", "safety", "t", {"a": "b", "c": ""})
    assert declared({}, "x").consent == "unknown"


@pytest.mark.parametrize("encoding", WIDTH)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_channel_is_its_receivers_own(encoding: Any, channels: int) -> None:
    data = bytes(WIDTH[encoding] * channels * 5)
    for samples in decode(data, encoding, channels):
        assert samples.shape == (5,)
        assert samples.dtype == np.float32
        assert samples.flags.owndata
        assert samples.flags.writeable


def test_a_block_of_text_may_have_line_ends_in_it_which_do_not_count() -> None:
    assert Fields({"a": "QUJD\r\nREVG \tR0g="}, "x").block("a", 12) == "QUJDREVGR0g="
    for value in ("QUJDREVGR0g=x", " \n", 7, None):
        with pytest.raises(RefusedError):
            Fields({"a": value}, "x").block("a", 12)
