"""Alerts judged on streams whose anger is known, and what was chosen is what is shipped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stream_ser.trajectory.rules import Rule
from stream_ser_training.corpora import SAMPLE_RATE
from stream_ser_training.streaming.alerts import (
    MOST_FALSE,
    AlertTally,
    anger_rule,
    curve,
    judge,
    needing,
    pick_evidence,
)
from stream_ser_training.streaming.compose import Stretch
from stream_ser_training.streaming.observe import STATES, Seen

CHOICE = Path(__file__).parents[3] / "docs" / "results" / "streaming" / "choices" / "alerts.json"
LABELS = ("angry", "happy", "neutral", "sad")
HOP = SAMPLE_RATE // 4
LOUD, CALM = (0.85, 0.05, 0.05, 0.05), (0.05, 0.05, 0.85, 0.05)  # 2.8 nats a second for anger, and 1.8 against it


def seen(text: str) -> Seen:
    """A character a second: A says angry, c calm, a blank nothing."""
    says = {"A": LOUD, "c": CALM, " ": (float("nan"),) * 4}
    raw = np.array([says[letter] for letter in text for _ in range(4)])
    judged = ~np.isnan(raw[:, 0])
    ends = np.arange(1, len(raw) + 1) * HOP
    return Seen(
        starts=np.maximum(0, ends - 2 * SAMPLE_RATE),
        ends=ends,
        states=np.where(judged, STATES.index("speech"), STATES.index("silence")),
        labels=np.where(judged, raw.argmax(axis=1), -1),
        raw=raw,
        smoothed=np.where(judged[:, None], raw, 0.25),
    )


def angry(start: float, end: float) -> Stretch:
    return Stretch(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE), 0)


def judged(text: str, *stretches: Stretch, rule: Rule | None = None) -> dict[str, float]:
    tally = AlertTally()
    judge(tally, [rule or needing(anger_rule(), 5.0)], seen(text), stretches, LABELS)
    return tally.told()


def test_a_stretch_is_caught_with_its_delay() -> None:
    found = judged("ccccAAAAAAAAcccc", angry(4, 12))
    assert (found["stretches"], found["caught"], found["within_4_s"], found["false_in_20_min"]) == (1, 1, 1, 0)
    assert found["delay_p50"] == pytest.approx(2.0)  # 5 nats at 2.8 a second, to the next hop
    late = judged("ccccccccAAAAcccc", angry(4, 12))
    assert (late["caught"], late["within_4_s"]) == (1, 0)


def test_short_stretches_are_not_asked_for_but_forbid_no_alert() -> None:
    found = judged("ccccAAAAcccc", angry(4, 8))
    assert "caught" not in found
    assert found["false_in_20_min"] == 0


def test_what_opens_elsewhere_is_false_and_counted_against_other_sound() -> None:
    found = judged("ccccAAAAcccccccc", angry(9, 16))
    assert (found["caught"], found["other_minutes"]) == (0, pytest.approx(9 / 60))
    assert found["false_in_20_min"] == pytest.approx(1200 / 9)


def test_the_curve_trades_what_is_caught_for_what_is_false() -> None:
    streams = [
        (seen("cccAAccccccccccAAAAAAcccc"), [angry(15, 21)]),
        (seen("cccccccAAA" + "c" * 20 + "AAccccccc"), [angry(30, 36)]),
    ]
    rows = curve(streams, LABELS)
    assert [row["evidence"] for row in rows] == sorted(row["evidence"] for row in rows)
    assert anger_rule().when[0].threshold in [row["evidence"] for row in rows]
    for key in ("caught", "within_4_s", "false_in_20_min"):
        values = [row[key] for row in rows]
        assert values == sorted(values, reverse=True)
        assert values[0] > values[-1]


def test_the_least_evidence_that_is_seldom_false_is_picked() -> None:
    rows = [{"evidence": nats, "false_in_20_min": 8.0 - nats} for nats in (8.0, 5.0, 7.0, 7.5)]
    assert pick_evidence(rows) == 7.0, "7.5 was not among those tried"
    with pytest.raises(ValueError, match="false more than 1 times"):
        pick_evidence([row | {"false_in_20_min": MOST_FALSE + 0.01} for row in rows])


def test_what_was_chosen_is_shipped() -> None:
    told = json.loads(CHOICE.read_text("utf-8"))
    assert anger_rule().when[0].threshold == told["chosen"] == pick_evidence(told["tried"]["together"])


def test_a_model_without_anger_is_not_judged() -> None:
    tally = AlertTally()
    judge(tally, [anger_rule()], seen("AAAA"), [angry(0, 4)], ("calm", "happy", "neutral", "sad"))
    assert tally == AlertTally()


def test_a_rule_with_another_threshold_is_else_the_same() -> None:
    rule = anger_rule()
    assert needing(rule, rule.when[0].threshold) == rule
    assert replace(needing(rule, 1.0), when=rule.when) == rule
