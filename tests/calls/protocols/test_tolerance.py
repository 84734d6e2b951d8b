from __future__ import annotations

import pytest

from stream_ser.calls.events import Lost, PassedOver, RefusedError
from stream_ser.calls.protocols.tolerance import Tolerance, UnreadableError

HOLE = Lost("inbound", 0, 160, "sound that could not be read")


def test_what_follows_from_a_message_comes_before_word_that_it_was_passed_over() -> None:
    assert Tolerance().forgive(UnreadableError("bad-payload", "", [HOLE])) == [HOLE, PassedOver("bad-payload")]


def test_only_as_many_in_a_row_are_too_many() -> None:
    tolerance = Tolerance(3)
    for _ in range(4):
        tolerance.forgive(RefusedError("bad-json", "this"))
        tolerance.forgive(RefusedError("bad-json", "that"))
        tolerance.good()
    tolerance.forgive(RefusedError("bad-json", "this"))
    tolerance.forgive(RefusedError("bad-json", "that"))
    with pytest.raises(RefusedError, match=r"3 messages in a row.*the third") as caught:
        tolerance.forgive(RefusedError("bad-field", "the third"))
    assert caught.value.code == "bad-field"
