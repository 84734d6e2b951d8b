from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_ser.errors import ConfigError
from stream_ser.trajectory.alerts import AlertEvent, AlertMonitor
from stream_ser.trajectory.rules import Rule, parse_rules, read_rules
from stream_ser.types import Point, Role
from tests.trajectory.scene import DIMENSIONS, HOP, LABELS, LETTERS, point, scene, seconds

# Four hops of half a second; two hops are forgiven; two hops clear; six hops of rest.
PLAIN = """
[[rule]]
name = "anger"
when = [{ label = "angry", above = 0.6, clear_at = 0.45 }]
for_s = 2
forgive_s = 1
clear_after_s = 1
cooldown_s = 3
update_step = 0.15
update_every_s = 5
"""
# Of a tenth, evidence falls by 1.1 nats a second, and of nine rises by 3.3; of a quarter it stays.
GATHERED = """
[[rule]]
name = "anger"
when = [{ label = "angry", evidence = 3 }]
forgive_s = 1
clear_after_s = 1
cooldown_s = 0
"""
LOW = """
[[rule]]
name = "tense"
severity = "critical"
role = "any"
when = [{ dimension = "valence", below = -0.2 }, { dimension = "activation", above = 0.3 }]
for_s = 1
"""


def rules(text: str, **changes: object) -> tuple[Rule, ...]:
    return tuple(replace(rule, **changes) for rule in parse_rules(text, "test", agent_purpose="safety"))  # type: ignore[arg-type]


def monitor(text: str = PLAIN, role: Role = "customer", **changes: object) -> AlertMonitor:
    return AlertMonitor(rules(text, **changes), LABELS, DIMENSIONS, role, hop=HOP, agent_purpose="safety")


def run(watching: AlertMonitor, points: Iterable[Point]) -> list[AlertEvent]:
    return [event for each in points for event in watching.advance(each)]


def told(text: str, watching: AlertMonitor | None = None) -> list[str]:
    """Kind, evidence and time in seconds, peak, reason."""
    return [
        f"{event.kind} {seconds(event.start):g}-{seconds(event.end):g} at {seconds(event.at):g}: {event.value:g}"
        + (f" {event.reason}" if event.reason else "")
        for event in run(watching or monitor(), scene(text))
    ]


def test_an_alert_opens_after_its_speech_and_clears_after_enough_speech_below() -> None:
    # 2 s of warming, then angry from 2 s; opened at 4 s; 0.5 holds it, for it is above 0.45; 0.4 does not, from 5 s on.
    assert told("wwww 6777 75 44 00") == ["opened 2-4 at 4: 0.7", "cleared 2-5 at 6: 0.7 below"]


def test_an_event_says_all_that_a_dashboard_needs() -> None:
    (opened,) = run(monitor(), scene("6798"))
    assert opened == AlertEvent(
        "opened", "anger@32000", "anger", "warning", "c", at=32_000, start=0, end=32_000, value=0.9, reason=None
    )


def test_one_hop_below_the_threshold_starts_the_count_anew() -> None:
    assert told("777 5 777") == []
    assert told("777 5 7777") == ["opened 2-4 at 4: 0.7"]


def test_silence_and_speech_too_short_to_judge_neither_count_nor_reset_for_a_while() -> None:
    assert told("77 .. 77") == ["opened 0-3 at 3: 0.7"]
    assert told("77 .? 7 .. 7") == ["opened 0-4 at 4: 0.7"], "each rest is forgiven by itself"
    assert told("77 ... 77") == []
    assert told("777 ..") == []


@pytest.mark.parametrize("missing", ["-", "p", "x", "w"])
def test_missing_sound_breaks_evidence_and_clears_at_once(missing: str) -> None:
    assert told(f"777{missing}777") == []
    assert told(f"7777{missing}") == ["opened 0-2 at 2: 0.7", "cleared 0-2 at 2.5: 0.7 gap"]


def test_points_that_never_came_are_missing_sound() -> None:
    both = [*scene("777"), *scene("777", start=5 * HOP)]
    assert run(monitor(), both) == []
    (opened,) = run(monitor(), [*scene("777"), *scene("7777", start=5 * HOP)])
    assert (opened.start, opened.end) == (5 * HOP, 9 * HOP)


def test_silence_does_not_clear_an_open_alert_nor_stretch_its_evidence() -> None:
    assert told("7777" + "." * 100) == ["opened 0-2 at 2: 0.7"]
    assert told("7777 .... 4 .... 4")[1:] == ["cleared 0-2 at 7: 0.7 below"]


def test_above_clear_at_the_count_towards_the_end_starts_anew() -> None:
    assert told("7777 4 5 4 5 4")[1:] == []


def test_the_next_alert_waits_for_the_cooldown_but_its_evidence_does_not() -> None:
    # Cleared at 3 s, so nothing opens before 6 s; angry again from 3 s on.
    assert told("7777 44 7777777") == ["opened 0-2 at 2: 0.7", "cleared 0-2 at 3: 0.7 below", "opened 3-6 at 6: 0.7"]


def test_updates_come_with_a_higher_peak_and_from_time_to_time() -> None:
    assert told("6666 7 8 8 9") == ["opened 0-2 at 2: 0.6", "updated 0-3 at 3: 0.8"], "0.9 is not 0.15 above 0.8"
    assert told("6666" + "6" * 20) == ["opened 0-2 at 2: 0.6", "updated 0-7 at 7: 0.6", "updated 0-12 at 12: 0.6"]
    assert told("6666" + "." * 20 + "5")[1:] == ["updated 0-12.5 at 12.5: 0.6"], "nothing is told without speech"


def test_a_slope_must_be_steep_enough_over_the_last_speech() -> None:
    steep = PLAIN.replace("above = 0.6", "above = 0.6, slope = 1")
    assert told("6666", monitor(steep)) == []
    assert told("7766", monitor(steep)) == []
    # Least squares of 0.6 0.6 0.7 0.8 over 0.5 s steps: 0.07 a step, 1.4 in ten seconds. Of 6 6 6 7: 0.6.
    assert told("6667", monitor(steep)) == []
    assert told("6678", monitor(steep)) == ["opened 0-2 at 2: 0.8"]
    assert told("99999999 6678", monitor(steep)) == ["opened 0-6 at 6: 0.9"], "only the last 2 s of speech are asked"
    assert told("66 .. 78", monitor(steep)) == ["opened 0-3 at 3: 0.8"], "silence takes no time"


def test_a_slope_of_a_rule_below_is_a_fall() -> None:
    calm = PLAIN.replace("above = 0.6, clear_at = 0.45", "below = 0.4, clear_at = 0.5, slope = 1")
    assert told("1234", monitor(calm)) == []
    assert told("4321", monitor(calm)) == ["opened 0-2 at 2: 0.1"], "the peak of a rule below is its least value"


def test_hops_longer_than_the_evidence_still_have_a_slope() -> None:
    steep = rules(PLAIN.replace("above = 0.6", "above = 0.6, slope = 1"), hold=16_000)
    watching = AlertMonitor(steep, LABELS, (), "customer", hop=32_000)
    assert watching.advance(point(32_000, "6")) == [], "one value has no slope"
    (opened,) = watching.advance(point(64_000, "9"))
    assert (opened.start, opened.end) == (0, 64_000)


def test_probabilities_of_several_labels_are_added() -> None:
    both = monitor(PLAIN.replace('"angry"', '["angry", "sad"]'))
    points = [point((at + 1) * HOP, "0", smoothed=(0.3, 0.3, 0.0, 0.4)) for at in range(4)]
    (opened,) = run(both, points)
    assert opened.value == pytest.approx(0.7)


def test_evidence_opens_as_soon_as_there_is_enough_and_goes_on_while_some_is_left() -> None:
    # 0.5 s of nine tenths: 1.65 nats; the second 3.3, which is enough. At most 6 are kept: 2.75 s of calm until none is left.
    assert told("1111 99", monitor(GATHERED)) == ["opened 2-3 at 3: 0.9"]
    assert told("9999" + "1" * 13, monitor(GATHERED)) == [
        "opened 0-1 at 1: 0.9",
        "cleared 0-7 at 8: 0.9 below",
    ]
    assert told("9999" + "1" * 10 + "99" + "1" * 5, monitor(GATHERED)) == ["opened 0-1 at 1: 0.9"]


def test_a_hop_that_says_otherwise_takes_evidence_but_does_not_start_it_anew() -> None:
    assert told("9 1 9", monitor(GATHERED)) == []
    assert told("9 1 99", monitor(GATHERED)) == ["opened 0-2 at 2: 0.9"]


def test_evidence_fades_in_silence_and_is_given_up_after_a_while_or_a_gap() -> None:
    assert told("9 .. 9", monitor(GATHERED)) == [], "1.65 nats have faded to 1.0"
    assert told("99 .", monitor(GATHERED.replace("= 3", "= 2"))) == ["opened 0-1 at 1: 0.9"]
    long = GATHERED.replace("= 3", "= 1.7")
    assert told("9 .. 9", monitor(long)) == ["opened 0-2 at 2: 0.9"]
    assert told("9 ... 9", monitor(long)) == []
    assert told("9 - 9", monitor(long)) == []


def test_evidence_rests_on_windows_and_the_peak_on_what_is_shown() -> None:
    quick = [replace(each, raw=(0.9, 0.0, 0.1, 0.0)) for each in scene("2345")]
    opened = run(monitor(GATHERED), quick)[0]
    assert (opened.kind, opened.value) == ("opened", 0.3)


def test_evidence_for_every_label_is_none() -> None:
    every = GATHERED.replace('"angry"', str(list(LABELS)))
    ((name, why),) = monitor(every).skipped
    assert name == "anger"
    assert "nothing to weigh them against" in why


def test_all_conditions_must_hold_at_once() -> None:
    def rated(*pairs: tuple[float, float]) -> list[Point]:
        return [point((at + 1) * HOP, "0", dimensions=pair) for at, pair in enumerate(pairs)]

    assert run(monitor(LOW), rated((0.5, 0.0), (0.5, -0.5), (0.0, -0.5), (0.5, 0.0))) == []
    opened, cleared = run(monitor(LOW, clear_after=HOP), rated((0.5, -0.25), (0.5, -0.5), (0.25, -0.5), (0.1, -0.9)))
    assert (opened.kind, opened.severity, opened.value) == ("opened", "critical", -0.5)
    assert (cleared.kind, cleared.reason, cleared.end) == ("cleared", "below", 3 * HOP)


def test_values_that_are_no_numbers_open_nothing_and_keep_nothing_open() -> None:
    bad = [
        point((at + 5) * HOP, "0", smoothed=(value, 0.0, 0.0, 0.0))
        for at, value in enumerate([float("nan"), float("inf")])
    ]
    watching = monitor()
    assert [event.kind for event in run(watching, scene("7777"))] == ["opened"]
    (cleared,) = run(watching, bad)
    assert (cleared.reason, cleared.value) == ("below", 0.7)
    assert run(monitor(LOW), scene("7777")) == [], "a point without dimensions"


def test_the_end_clears_what_is_open() -> None:
    watching = monitor()
    run(watching, scene("7777"))
    (cleared,) = watching.finish(40_000)
    assert (cleared.kind, cleared.reason, cleared.at, cleared.end) == ("cleared", "end", 40_000, 32_000)
    assert watching.finish(40_000) == []


def test_a_rule_that_the_model_cannot_serve_is_skipped_with_a_reason() -> None:
    watching = AlertMonitor([*read_rules(), *rules(PLAIN.replace("angry", "bored"))], LABELS, (), "customer", hop=HOP)
    assert watching.skipped == (
        ("customer tense", "the model has no dimension 'valence'; it has none"),
        ("anger", "the model has no label 'bored'; it has angry, happy, neutral, sad"),
    )
    assert AlertMonitor(read_rules(), LABELS, DIMENSIONS, "customer", hop=HOP).skipped == ()


@pytest.mark.parametrize(
    ("of", "applies_to"),
    [("customer", {"customer"}), ("agent", {"agent"}), ("any", {"customer", "agent", "unknown"})],
)
def test_rules_apply_to_their_role_alone(of: str, applies_to: set[str]) -> None:
    roles: tuple[Role, ...] = ("customer", "agent", "unknown")
    text = PLAIN + f'role = "{of}"'
    assert {role for role in roles if told("7777", monitor(text, role))} == applies_to


def test_an_agents_leg_needs_a_purpose() -> None:
    for purpose in (None, " "):
        with pytest.raises(ConfigError, match="no purpose for analysing agents"):
            AlertMonitor(rules(LOW), LABELS, DIMENSIONS, "agent", hop=HOP, agent_purpose=purpose)


def test_a_second_point_at_the_same_place_takes_no_time() -> None:
    assert run(monitor(hold=1, forgive=0), [*scene("w"), *scene("9")]) == []


def test_points_out_of_order_are_a_mistake() -> None:
    watching = monitor()
    run(watching, scene("77"))
    with pytest.raises(ValueError, match="ends at 8000 came after one that ends at 16000"):
        watching.advance(scene("7")[0])


def test_the_shipped_rules_hear_anger_rise() -> None:
    """Half-second hops: p(angry) rises over 4 s of speech; nine nats are there a little after."""
    watching = AlertMonitor(read_rules(), LABELS, (), "customer", hop=HOP)
    events = run(watching, scene("wwww 2345 66677889 9999 9999" + "9" * 32))
    assert [(event.kind, event.rule) for event in events if event.kind == "opened"] == [
        ("opened", "customer anger rising"),
        ("opened", "customer stays unhappy"),
    ]
    assert seconds(events[0].start) == 2.5, "where evidence began to gather"
    assert 6 < seconds(events[0].at) < 9


def test_positions_have_no_limit() -> None:
    far = 2**33
    watching = monitor()
    (opened,) = run(watching, scene("7777", start=far))
    assert (opened.start, opened.end, opened.alert) == (far, far + 4 * HOP, f"anger@{far + 4 * HOP}")


@given(st.text(LETTERS, max_size=120), st.sets(st.integers(0, 119)))
def test_whatever_comes_events_keep_their_promises(text: str, lost: set[int]) -> None:
    """Opens and clears alternate, evidence holds no missing sound, and the same points give the same events."""
    points = [each for at, each in enumerate(scene(text)) if at not in lost]
    text_rules = rules(PLAIN) + rules(PLAIN.replace('"anger"', '"rising"').replace("0.6,", "0.6, slope = 0.5,"))
    text_rules += rules(GATHERED.replace('"anger"', '"gathered"').replace("= 3", "= 3, clear_at = 1.5"))
    first, second = (AlertMonitor(text_rules, LABELS, (), "customer", hop=HOP) for _ in range(2))
    events = run(first, points) + first.finish(len(text) * HOP)
    assert events == run(second, points) + second.finish(len(text) * HOP)
    heard = {each.end for each in points if each.state in ("speech", "uncertain", "silence")}
    for rule in ("anger", "rising", "gathered"):
        open_alert, until = None, 0
        for event in (each for each in events if each.rule == rule):
            assert (event.kind == "opened") == (open_alert is None)
            assert event.alert == open_alert or event.kind == "opened"
            assert event.start < event.end <= event.at
            assert event.kind != "opened" or until <= event.start, "no evidence serves two alerts"
            assert all(end in heard for end in range(event.start + HOP, event.end + 1, HOP))
            assert (event.reason is not None) == (event.kind == "cleared")
            open_alert = None if event.kind == "cleared" else event.alert
            until = event.end
        assert open_alert is None


@given(st.text(".w-px?", max_size=200))
def test_nothing_is_ever_alerted_without_judged_speech(text: str) -> None:
    watching = monitor(hold=1, forgive=10**9)
    assert run(watching, scene(text)) + watching.finish(len(text) * HOP) == []


@given(st.text("3456789", max_size=200))
def test_updates_are_bounded(text: str) -> None:
    """Between opening and clearing no more than one a step of the peak and one an ``update_every_s``."""
    watching = monitor()
    events = run(watching, scene(text)) + watching.finish(len(text) * HOP)
    for opened in (event for event in events if event.kind == "opened"):
        mine = [event for event in events if event.alert == opened.alert]
        assert len(mine) <= 2 + 0.4 / 0.15 + (mine[-1].at - opened.at) / 80_000
