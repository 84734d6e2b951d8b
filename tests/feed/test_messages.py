from __future__ import annotations

import dataclasses
import json
import math
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from stream_ser.feed import messages
from stream_ser.types import SAMPLE_RATE, Gap, Timing, Word
from tests.feed.wire import (
    LABELS,
    SUMMARY,
    VALIDATOR,
    acknowledgement_message,
    alert_message,
    call_message,
    end_message,
    make_info,
    make_point,
    point_message,
    problems,
    why_message,
)

INFO = make_info()
LATER = 1_007_000_000  # after what make_point says
SILENT = messages.point(INFO, make_point(state="silence", label=None, timing=Timing(5_000_000)), 6_000_000)
EVERY = [
    messages.hello(INFO),
    messages.hello(dataclasses.replace(INFO, anchor=None), 7),
    messages.hello(dataclasses.replace(INFO, source=messages.SourceInfo("recording", "a.flac", 8_000, 1, 40.1))),
    point_message(),
    SILENT,
    messages.gap(INFO, Gap(16_000, 24_000, "the device lost 8000 samples")),
    messages.notice("call-1", "warning", "the sound clips"),
    messages.mark("call-1", 70_000, "the caller sighs"),
    end_message(),
    messages.end(
        INFO, reason="error", duration_s=1.0, points=0, dropped=2, summary=SUMMARY, error="the microphone was unplugged"
    ),
    messages.dropped(3, 9),
    messages.hello(make_info("c-81f2/agent", "c-81f2", "agent")),
    alert_message(),
    alert_message("cleared"),
    alert_message(call=None),
    acknowledgement_message(),
    acknowledgement_message("call-1", None),
    json.loads(messages.snapshot(9, messages.encode(acknowledgement_message()))),
    call_message(),
    call_message("ended"),
    call_message("interrupted"),
    messages.missed(3, 9, 7, "9b1c"),
    messages.missed(3, 9, None, "9b1c"),
    messages.heartbeat(9, None, datetime(2026, 11, 21, tzinfo=UTC)),
    json.loads(messages.snapshot(9, messages.encode(point_message()))),
    json.loads(messages.snapshot(9, messages.encode(call_message()))),
    why_message(),
    why_message("spectrogram"),
]


def test_the_schema_is_a_valid_schema() -> None:
    Draft202012Validator.check_schema(messages.schema())


@pytest.mark.parametrize("message", EVERY, ids=lambda message: message["type"])
def test_every_message_is_what_the_schema_says_and_survives_the_wire(message: messages.Message) -> None:
    assert problems(message) == []
    text = messages.encode(message)
    assert json.loads(text) == message
    assert "\n" not in text
    assert list(message)[:2] == ["type", "seq"]


@pytest.mark.parametrize("message", EVERY, ids=lambda message: message["type"])
def test_the_schema_refuses_a_message_with_a_key_less_or_more(message: messages.Message) -> None:
    for key in message:
        assert problems({other: value for other, value in message.items() if other != key}), f"without {key}"
    assert problems({**message, "colour": "red"})


def test_a_label_is_only_valid_with_speech() -> None:
    assert problems({**point_message(), "state": "uncertain"})
    assert problems({**point_message(), "state": "uncertain", "label": None}) == []
    assert problems({**SILENT, "label": "sad"})


def test_an_error_text_belongs_to_an_end_by_error() -> None:
    assert problems({**end_message(), "error": "disk"})
    assert problems({**end_message(), "reason": "error"})


def test_an_alert_has_a_reason_when_it_is_cleared_and_only_then() -> None:
    assert problems({**alert_message(), "reason": "gap"})
    assert problems({**alert_message("cleared"), "reason": None})


def test_a_snapshot_holds_only_what_says_how_things_stand() -> None:
    assert problems(json.loads(messages.snapshot(9, messages.encode(end_message()))))


def test_raw_has_every_label_and_nulls_where_the_model_was_not_asked() -> None:
    assert SILENT["raw"] == dict.fromkeys(LABELS)
    assert point_message()["raw"] == dict(zip(LABELS, (0.8, 0.05, 0.1, 0.05), strict=True))


def test_dimensions_have_their_names_and_nulls_where_the_model_was_not_asked() -> None:
    info = dataclasses.replace(INFO, dimensions=("activation", "valence"))
    rated = messages.point(info, dataclasses.replace(make_point(), dimensions=(0.5, -1.0)), LATER)
    silent = messages.point(info, make_point(state="silence", label=None), LATER)
    assert messages.hello(info)["dimensions"] == ["activation", "valence"]
    assert rated["dimensions"] == {"activation": 0.5, "valence": -1.0}
    assert silent["dimensions"] == {"activation": None, "valence": None}
    assert [problems(message) for message in (messages.hello(info), rated, silent)] == [[], [], []]
    assert problems({**rated, "dimensions": {"activation": 1.5}})
    with pytest.raises(ValueError, match="shorter"):
        messages.point(info, dataclasses.replace(make_point(), dimensions=(0.5,)), 0)


def test_words_are_sent_only_when_asked_for() -> None:
    point = dataclasses.replace(make_point(), words=(Word("don't", 0, 9), Word("go", 9, 12)))
    heard = dataclasses.replace(INFO, text="pocketsphinx")
    shown = dataclasses.replace(heard, show_text=True)
    assert messages.hello(heard)["text"] == "pocketsphinx"
    assert messages.point(heard, point, 0)["text"] is None
    assert "don't" not in messages.encode(messages.point(heard, point, 0))
    assert messages.point(shown, point, 0)["text"] == "don't go"
    assert messages.point(shown, dataclasses.replace(point, words=()), 0)["text"] == ""
    assert messages.point(shown, make_point(), 0)["text"] is None
    assert problems(messages.point(shown, point, LATER)) == []


def test_the_ledger_says_where_the_time_went() -> None:
    timing = Timing(1_000_000_000, 1_002_000_000, 1_008_500_000, captured_ns=988_000_000, smoothed_ns=1_008_750_000)
    ledger = messages.point(INFO, make_point(timing=timing), 1_009_000_000, lag_samples=1_600)["ledger"]
    assert ledger == {
        "capture_ms": 12.0,
        "wait_ms": 2.0,
        "compute_ms": 6.5,
        "smooth_ms": 0.25,
        "publish_ms": 0.25,
        "age_ms": 9.0,
        "lag_ms": 100.0,
    }


def test_the_ledger_has_no_model_time_where_no_model_ran() -> None:
    assert SILENT["ledger"] == {
        "capture_ms": None,
        "wait_ms": None,
        "compute_ms": None,
        "smooth_ms": None,
        "publish_ms": None,
        "age_ms": 1.0,
        "lag_ms": 0.0,
    }


def test_a_position_past_32_bits_stays_exact() -> None:
    end = 2**31 + 4_001
    message = messages.point(INFO, dataclasses.replace(make_point(), start=end - 32_000, end=end), 0)
    assert json.loads(messages.encode(message))["end"] == end
    assert message["t"] == end / SAMPLE_RATE


def test_probabilities_keep_every_bit() -> None:
    smoothed = tuple(np.random.default_rng(1).dirichlet(np.ones(4)))
    raw = tuple(np.float32(value) for value in smoothed)
    message = messages.point(INFO, dataclasses.replace(make_point(), smoothed=smoothed, raw=raw), 0)
    back = json.loads(messages.encode(message))
    assert tuple(back["smoothed"].values()) == smoothed
    assert tuple(back["raw"].values()) == raw


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        messages.encode(messages.point(INFO, dataclasses.replace(make_point(), confidence=bad), 0))


def test_a_point_with_the_wrong_number_of_probabilities_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        messages.point(INFO, dataclasses.replace(make_point(), smoothed=(0.5, 0.5)), 0)


def test_the_anchor_is_utc_whatever_zone_it_came_in() -> None:
    assert INFO.anchor is not None
    tokyo = INFO.anchor.astimezone(timezone(timedelta(hours=9)))
    assert messages.hello(dataclasses.replace(INFO, anchor=tokyo))["anchor"] == "2026-11-21T03:00:00.000Z"


def test_words_of_any_language_are_written_as_they_are() -> None:
    assert "Übung" in messages.encode(messages.notice("call-1", "info", "Übung"))


def test_the_schema_tells_the_types_apart() -> None:
    for message in EVERY:
        twins = {"dropped", "missed"}  # of one shape, told apart by their type alone
        others = {other["type"] for other in EVERY} - (twins if message["type"] in twins else {message["type"]})
        assert all(not VALIDATOR.is_valid({**message, "type": other}) for other in others)
