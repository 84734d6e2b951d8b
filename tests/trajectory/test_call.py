from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_ser.errors import ConfigError
from stream_ser.trajectory.alerts import AlertEvent
from stream_ser.trajectory.call import MOST_ALERTS, CallMeter
from stream_ser.trajectory.trend import BINS, Trend
from stream_ser.trajectory.turns import LEAD
from stream_ser.types import Point, Role
from tests.trajectory.scene import DIMENSIONS, HOP, LABELS, LETTERS, point, scene

LEGS: dict[str, Role] = {"c": "customer", "a": "agent"}
SCENES = st.text(LETTERS, max_size=60)


def measured(points: Iterable[Point], legs: dict[str, Role] | None = None) -> dict[str, Any]:
    meter = CallMeter(legs or LEGS, LABELS, hop=HOP)
    for each in points:
        meter.add(each)
    return meter.summary()


def call(customer: str, agent: str) -> dict[str, Any]:
    """A call whose legs' points come one leg after the other."""
    return measured([*scene(customer, stream="c"), *scene(agent, stream="a")])


def both(summary: dict[str, Any], key: str) -> tuple[Any, Any]:
    return summary["legs"]["c"][key], summary["legs"]["a"][key]


def test_time_is_shared_out_between_the_legs() -> None:
    told = call("ww.. 77 7777 ..  ....", "ww77 7. ...7 7.  ....")
    assert told["duration_s"] == 8.0
    assert both(told, "talk_s") == (3.0, 2.5)
    assert both(told, "silence_s") == (4.0, 4.5)
    assert both(told, "warming_s") == both(told, "missing_s") == (1.0, 1.0)
    assert both(told, "talk_share") == (pytest.approx(6 / 11), pytest.approx(5 / 11))
    assert told["overlap_s"] == 1.0
    assert (told["non_talk_s"], told["longest_non_talk_s"]) == (2.5, 2.5)


def test_missing_sound_is_told_by_its_kind_and_is_neither_talk_nor_silence() -> None:
    told = call("77 -- ppp .. x", ".. .. ... .. .")
    leg = told["legs"]["c"]
    assert (leg["talk_s"], leg["silence_s"], leg["gap_s"], leg["paused_s"], leg["missing_s"]) == (
        1.5,
        1.0,
        1.0,
        1.5,
        2.5,
    )
    assert (told["non_talk_s"], told["longest_non_talk_s"]) == (1.0, 1.0), "who speaks in a gap is not known"


def test_points_that_never_came_are_a_gap() -> None:
    told = measured([*scene("77"), *scene("77", start=6 * HOP)], {"c": "customer"})
    assert (told["legs"]["c"]["talk_s"], told["legs"]["c"]["gap_s"], told["duration_s"]) == (2.0, 2.0, 4.0)


def test_nobody_knows_who_spoke_where_points_never_came() -> None:
    told = measured([*scene("77"), *scene("77", start=6 * HOP), *scene("77777777", stream="a")])
    assert told["overlap_s"] == 2.0


def test_the_median_of_two_levels_is_the_lower() -> None:
    meter = CallMeter({"c": "customer"}, LABELS, hop=HOP)
    meter.add(point(HOP, "7", level=-20.0))
    meter.add(point(2 * HOP, "7", level=-40.0))
    assert meter.summary()["legs"]["c"]["level_dbfs"] == -40


def test_a_second_point_at_the_same_place_takes_no_time() -> None:
    told = measured([*scene("w"), *scene("9")], {"c": "customer"})["legs"]["c"]
    assert (told["duration_s"], told["talk_s"], told["emotion"]["labelled_s"]) == (0.5, 0.0, 0.0)


def test_a_leg_alone_is_measured_against_nobody() -> None:
    told = measured(scene("77 ... 7 ."), {"c": "customer"})
    assert (told["overlap_s"], told["non_talk_s"], told["longest_non_talk_s"]) == (0.0, 2.0, 1.5)
    assert told["legs"]["c"]["talk_share"] == 1.0
    assert told["legs"]["c"]["interruptions"] == 0


def test_a_leg_that_ends_early_is_missing_from_there_on() -> None:
    told = call("77 ..", "77 .. 77 ..")
    assert (told["duration_s"], told["overlap_s"], told["non_talk_s"]) == (4.0, 1.0, 1.0)
    assert both(told, "duration_s") == (2.0, 4.0)


@pytest.mark.parametrize(
    ("customer", "agent", "by"),
    [
        ("..777", "77777", (1, 0)),
        ("..7..", "77777", (1, 0)),  # half a second of both is enough
        ("..777", "77...", (0, 0)),  # the agent had done
        (".7777", "77777", (0, 0)),  # the agent had spoken for half a second only
        ("77777", "77777", (0, 0)),
        ("77777", "..7.7", (0, 2)),
        ("..7777777", "77777.777", (1, 1)),
        ("--777", "77777", (0, 0)),  # the customer may have been speaking in the gap
        ("..777", "7-777", (0, 0)),  # and whether the agent was is not known
        ("..777", "77x77", (1, 0)),  # a dropped window is speech
    ],
)
def test_interruptions(customer: str, agent: str, by: tuple[int, int]) -> None:
    assert both(call(customer, agent), "interruptions") == by


def test_an_interruption_is_measured_in_samples_not_in_hops() -> None:
    """With hops of 0.1 s four are too little and five are enough."""
    for hops, count in ((4, 0), (5, 1)):
        meter = CallMeter(LEGS, LABELS, hop=1_600)
        for at in range(30):
            meter.add(point((at + 1) * 1_600, "7", stream="a"))
            meter.add(point((at + 1) * 1_600, "7" if 15 <= at < 15 + hops else ".", stream="c"))
        assert both(meter.summary(), "interruptions") == (count, 0)


def test_how_the_customer_sounded() -> None:
    told = measured([*scene("wwww 777 000000 5 ? 8 08"), *scene("." * 18, stream="a")])
    emotion = told["legs"]["c"]["emotion"]
    assert emotion["labelled_s"] == 6.0
    assert emotion["share"] == {
        "angry": pytest.approx(5 / 12),
        "happy": 0.0,
        "neutral": pytest.approx(7 / 12),
        "sad": 0.0,
    }
    assert emotion["uncertain_share"] == pytest.approx(2 / 14)
    assert emotion["peak"]["angry"] == {"probability": 0.8, "start": 15 * HOP, "end": 16 * HOP}, "the first of equals"
    assert set(emotion["peak"]) == {"angry", "happy", "sad"}
    assert told["legs"]["a"]["emotion"] is None


def test_the_trend_sets_the_last_third_of_speech_against_the_first() -> None:
    told = measured(scene("999 .... 633 -- 000"), {"c": "customer"})
    angry = told["legs"]["c"]["emotion"]["trend"]["angry"]
    assert angry == {
        "mean": pytest.approx(3.9 / 9),
        "first_third": pytest.approx(0.9),
        "last_third": pytest.approx(0.0),
    }
    # Four hops of speech: a third is one hop and a third of the next.
    angry = measured(scene("9630"), {"c": "customer"})["legs"]["c"]["emotion"]["trend"]["angry"]
    assert angry["first_third"] == pytest.approx((0.9 + 0.6 / 3) * 3 / 4)
    assert angry["last_third"] == pytest.approx((0.0 + 0.3 / 3) * 3 / 4)


def test_dimensions_have_a_trend_too() -> None:
    meter = CallMeter({"c": "customer"}, LABELS, DIMENSIONS, hop=HOP)
    for at in range(6):
        meter.add(point((at + 1) * HOP, "9", dimensions=(0.5, -at / 5)))
    trend = meter.summary()["legs"]["c"]["emotion"]["trend"]
    assert trend["valence"] == {
        key: pytest.approx(v) for key, v in {"mean": -0.5, "first_third": -0.1, "last_third": -0.9}.items()
    }


def test_nothing_heard_is_told_as_nothing() -> None:
    told = call("", "")
    assert told["duration_s"] == 0.0
    assert both(told, "talk_share") == both(told, "level_dbfs") == both(told, "clipped_share") == (None, None)
    assert told["legs"]["c"]["emotion"]["peak"]["angry"] is None
    assert told["legs"]["c"]["emotion"]["trend"]["sad"] == {"mean": None, "first_third": None, "last_third": None}
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_the_level_is_the_median_of_talk_and_clipping_of_all_that_was_heard() -> None:
    meter = CallMeter({"c": "customer"}, LABELS, hop=HOP)
    scene_ = [("7", -41.2, -30.0), ("7", -20.4, -0.17), ("7", -30.0, -5.0), (".", -80.0, -60.0), ("-", -120.0, -120.0)]
    for at, (letter, level, peak) in enumerate(scene_, 1):
        meter.add(point(at * HOP, letter, level=level, peak=peak))
    leg = meter.summary()["legs"]["c"]
    assert (leg["level_dbfs"], leg["clipped_share"]) == (-30, 0.25)


def test_numbers_that_are_none_are_left_out() -> None:
    nan, inf = float("nan"), float("inf")
    meter = CallMeter({"c": "customer"}, LABELS, hop=HOP)
    for at, value in enumerate((nan, inf, -inf), 1):
        meter.add(point(at * HOP, "9", smoothed=(value, 0.0, 1.0, 0.0), level=value, peak=nan))
    told = meter.summary()
    json.dumps(told, allow_nan=False)
    assert told["legs"]["c"]["talk_s"] == 1.5
    assert told["legs"]["c"]["emotion"]["peak"]["angry"] is None


def test_the_agent_is_only_summed_up_with_a_purpose() -> None:
    for purpose in (None, " "):
        with pytest.raises(ConfigError, match="how the agent sounds, and no purpose"):
            CallMeter(LEGS, LABELS, hop=HOP, emotions_of=("agent",), agent_purpose=purpose)
    meter = CallMeter(LEGS, LABELS, hop=HOP, emotions_of=("agent",), agent_purpose="safety: emergency line")
    for each in [*scene("7777", stream="a"), *scene("7777", stream="c")]:
        meter.add(each)
    customer, agent = both(meter.summary(), "emotion")
    assert customer is None
    assert agent["share"]["angry"] == 1.0


def test_points_out_of_order_unknown_legs_and_crowds_are_mistakes() -> None:
    with pytest.raises(ValueError, match="came after one at 16000"):
        measured([*scene("77"), scene("7")[0]])
    with pytest.raises(KeyError):
        measured(scene("7", stream="x"))
    with pytest.raises(ValueError, match="a call of 3 legs"):
        CallMeter({**LEGS, "x": "unknown"}, LABELS, hop=HOP)


def event(kind: Any, number: int, *, stream: str = "c", at: int = 0, reason: Any = None) -> AlertEvent:
    return AlertEvent(kind, f"anger@{number}", "anger", "warning", stream, at, number, number + 9, 0.7, reason)


def test_alerts_are_told_in_order_with_their_latest_state() -> None:
    meter = CallMeter(LEGS, LABELS, hop=HOP)
    meter.alert(event("opened", 7, at=7))
    meter.alert(event("updated", 7, at=8))
    meter.alert(event("opened", 3, at=3, stream="a"))
    meter.alert(event("cleared", 7, at=9, reason="gap"))
    told = meter.summary()
    assert [item["alert"] for item in told["alerts"]] == ["anger@3", "anger@7"]
    assert told["alerts"][1] == {
        "alert": "anger@7",
        "rule": "anger",
        "severity": "warning",
        "stream": "c",
        "opened": 7,
        "cleared": 9,
        "start": 7,
        "end": 16,
        "value": 0.7,
        "reason": "gap",
    }
    assert told["alerts"][0]["cleared"] is None
    assert told["alerts_opened"] == {"info": 0, "warning": 2, "critical": 0}


def test_too_many_alerts_are_counted() -> None:
    meter = CallMeter(LEGS, LABELS, hop=HOP)
    for number in range(MOST_ALERTS + 5):
        meter.alert(event("opened", number))
        meter.alert(event("cleared", number, reason="below"))
    told = meter.summary()
    assert (len(told["alerts"]), told["alerts_left_out"]) == (MOST_ALERTS, 5)
    assert told["alerts_opened"]["warning"] == MOST_ALERTS + 5


def test_a_leg_that_never_comes_costs_bounded_memory() -> None:
    """The other leg's lead is settled beyond the bound, and what comes after all counts from there on."""
    meter = CallMeter(LEGS, LABELS, hop=HOP)
    text = "7." * (2 * LEAD)
    for each in scene(text):
        meter.add(each)
    assert len(meter._turns._runs[0]) == LEAD
    for each in scene(text, stream="a"):
        meter.add(each)
    told = meter.summary()
    assert both(told, "talk_s") == (LEAD, LEAD)
    assert told["overlap_s"] == LEAD / 4, "the last LEAD runs of the two were laid side by side"


def test_ten_hours_take_no_more_room_than_ten_minutes() -> None:
    def filled(minutes: int) -> Trend:
        trend = Trend(2)
        hops = minutes * 60
        for at in range(hops):
            trend.add((at / hops, 1.0), 16_000)
        return trend

    short, long = filled(10), filled(600)
    assert len(long._bins) <= BINS >= len(short._bins)
    assert sys.getsizeof(long._bins) <= 2 * sys.getsizeof(short._bins)
    for trend in (short, long):
        (mean, first, last), ones = trend.means()
        assert (mean, first, last) == (
            pytest.approx(1 / 2, abs=0.01),
            pytest.approx(1 / 6, abs=0.01),
            pytest.approx(5 / 6, abs=0.01),
        )
        assert ones == pytest.approx((1.0, 1.0, 1.0))


@given(SCENES, SCENES)
def test_talk_silence_and_missing_sound_make_up_the_duration(customer: str, agent: str) -> None:
    told = call(customer, agent)
    for leg in told["legs"].values():
        assert leg["talk_s"] + leg["silence_s"] + leg["missing_s"] == leg["duration_s"]
        assert leg["gap_s"] + leg["paused_s"] + leg["warming_s"] == leg["missing_s"]
    assert told["duration_s"] == max(len(customer), len(agent)) / 2
    c, a = both(told, "talk_s")
    assert told["overlap_s"] <= min(c, a)
    assert told["longest_non_talk_s"] <= told["non_talk_s"] <= min(both(told, "silence_s"))
    assert told["duration_s"] >= c + a - told["overlap_s"] + told["non_talk_s"]
    json.dumps(told, allow_nan=False)


@given(SCENES, SCENES, st.lists(st.booleans(), max_size=120))
def test_in_which_order_the_legs_come_makes_no_difference(customer: str, agent: str, order: list[bool]) -> None:
    waiting = [scene(customer, stream="c"), scene(agent, stream="a")]
    mixed: list[Point] = []
    for first in order:
        leg = waiting[0 if first else 1]
        if leg:
            mixed.append(leg.pop(0))
    assert measured([*mixed, *waiting[1], *waiting[0]]) == call(customer, agent)


@given(SCENES, SCENES)
def test_a_summary_on_the_way_changes_nothing(customer: str, agent: str) -> None:
    meter = CallMeter(LEGS, LABELS, hop=HOP)
    for each in [*scene(customer), *scene(agent, stream="a")]:
        meter.add(each)
        meter.summary()
    assert meter.summary() == call(customer, agent)


@given(SCENES)
def test_shares_sum_to_one(text: str) -> None:
    emotion = measured(scene(text), {"c": "customer"})["legs"]["c"]["emotion"]
    shares = emotion["share"].values()
    assert all(value is None for value in shares) if not emotion["labelled_s"] else math.isclose(sum(shares), 1.0)
