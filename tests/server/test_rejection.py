from __future__ import annotations

import pytest

from stream_ser.server.rejection import DISTINCT, OTHER, RefusalCounter, log_refusal


def test_a_refusal_is_logged_by_its_name_with_the_address_where_that_is_the_providers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log_refusal("twilio", "bad-field")
    log_refusal("audiosocket", "wrong-peer", "10.0.0.7")
    lines = [(r.door, r.reason, getattr(r, "peer", None)) for r in caplog.records]  # type: ignore[attr-defined]
    assert lines == [("twilio", "bad-field", None), ("audiosocket", "wrong-peer", "10.0.0.7")]


def test_names_that_a_caller_could_choose_do_not_fill_the_memory() -> None:
    counter = RefusalCounter()
    for number in range(3 * DISTINCT):
        counter.count(f"name-{number}", 2)
    counter.count("name-0")
    found = counter.by_reason()
    assert len(found) == DISTINCT + 1
    assert (found["name-0"], found[OTHER]) == (3, 2 * 2 * DISTINCT)
