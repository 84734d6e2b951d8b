from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from stream_ser.cli.serve_one import JsonLines
from stream_ser.server.log_limit import KINDS, LimitedHandler
from stream_ser.server.rejection import log_refusal
from tests.fakes import FakeClock


class Log:
    """A log on a clock to turn by hand."""

    def __init__(self) -> None:
        self.clock, self.out = FakeClock(), io.StringIO()
        self.handler = LimitedHandler(self.out, lambda: self.clock.ns / 1e9)
        self.handler.setFormatter(JsonLines())
        self.logger = logging.Logger("stream_ser.server")
        self.logger.addHandler(self.handler)

    def wait(self, seconds: float) -> None:
        self.clock.ns += round(seconds * 1e9)

    def lines(self) -> list[dict[str, Any]]:
        text = self.out.getvalue()
        self.out.seek(0)
        self.out.truncate()
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def log() -> Log:
    return Log()


def test_of_a_flood_there_is_one_line_a_second_with_the_count(log: Log) -> None:
    for number in range(30):
        log.wait(0.125)
        log.logger.warning("refused", extra={"door": "twilio", "reason": "bad-field", "at": number})
    found = log.lines()
    assert [line["at"] for line in found] == [0, 8, 16, 24]
    assert [line.get("count") for line in found] == [None, 8, 8, 8]
    assert [line.get("at_from") for line in found] == [None, 1, 9, 17]
    log.handler.pass_on()
    assert log.lines() == []
    log.wait(0.5)
    log.handler.pass_on()
    assert [(line["at"], line["at_from"], line["count"]) for line in log.lines()] == [(29, 25, 5)]


def test_two_that_are_held_back_are_counted_too(log: Log) -> None:
    for number in range(3):
        log.logger.warning("refused", extra={"reason": "bad-field", "at": number})
    log.wait(1.0)
    log.handler.pass_on()
    assert [(line["at"], line.get("at_from"), line.get("count")) for line in log.lines()] == [
        (0, None, None),
        (2, 1, 2),
    ]


def test_a_single_line_comes_at_once_and_unchanged(log: Log) -> None:
    for _ in range(3):
        log.logger.info("call opened", extra={"tenant": "acme", "analysed": ["customer"]})
        (line,) = log.lines()
        assert "count" not in line
        assert line["analysed"] == ["customer"]
        log.wait(1.5)


def test_kinds_do_not_hide_each_other(log: Log) -> None:
    for number in range(200):
        for tenant in ("acme", "other"):
            log.logger.error("a result was not stored", extra={"tenant": tenant, "seq": number, "why": "full"})
        log.logger.warning("refused", extra={"door": "twilio", "reason": "too-fast"})
        log.logger.warning("refused", extra={"door": "plain", "reason": "too-fast"})
    assert [(line.get("tenant"), line.get("door")) for line in log.lines()] == [
        ("acme", None),
        ("other", None),
        (None, "twilio"),
        (None, "plain"),
    ]
    log.wait(1.0)
    log.handler.pass_on()
    lost = [line for line in log.lines() if "seq" in line]
    assert [(line["tenant"], line["seq_from"], line["seq"], line["count"]) for line in lost] == [
        ("acme", 1, 199, 199),
        ("other", 1, 199, 199),
    ]


def test_whoever_comes_from_many_addresses_gets_no_more_lines(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_ser.server.rejection._log", log.logger)
    for number in range(500):
        log_refusal("audiosocket", "wrong-peer", f"10.0.{number // 250}.{number % 250}")
    assert [line["peer"] for line in log.lines()] == ["10.0.0.0"]


def test_memory_is_bounded_whatever_lines_say(log: Log) -> None:
    for number in range(20 * KINDS):
        log.logger.error("the store cannot write", extra={"why": f"{number}"})
    assert len(log.handler._kinds) <= KINDS + 1
    assert len(log.lines()) <= KINDS + 1
    for _ in range(3):
        log.wait(2.0)
        log.handler.pass_on()
    assert log.handler._kinds == {}
    assert sum(line.get("count", 1) for line in log.lines()) == 19 * KINDS - 1


def test_nothing_that_was_held_back_is_lost_at_the_end(log: Log) -> None:
    for _ in range(5):
        log.logger.info("call opened")
    log.handler.close()
    assert [line.get("count") for line in log.lines()] == [None, 4]
