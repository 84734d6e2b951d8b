from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_ser.errors import ConfigError
from stream_ser.trajectory.rules import MOST_BYTES, MOST_RULES, Condition, Rule, parse_rules, read_rules

LEAST = """
[[rule]]
name = "anger"
when = [{ label = "angry", above = 0.6 }]
for_s = 4
"""


def changed(old: str, new: str) -> str:
    assert old in LEAST
    return LEAST.replace(old, new)


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_rules(text, "my.toml")
    assert str(caught.value).startswith("my.toml")
    return str(caught.value)


def test_what_a_rule_does_not_say_has_a_default() -> None:
    (rule,) = parse_rules(LEAST, "my.toml")
    condition = Condition(("angry",), None, True, 0.6, 0.5, None)
    assert rule == Rule("anger", "warning", "customer", (condition,), 64_000, 48_000, 32_000, 480_000, 0.05, 160_000)


def test_every_key_is_read() -> None:
    (rule,) = parse_rules(
        """
        [[rule]]
        name = "low"
        severity = "critical"
        role = "any"
        when = [{ dimension = "valence", below = -0.5, clear_at = -0.25, slope = 0.5 }, { label = ["a", "b"], above = 0.5 }]
        for_s = 1.5
        forgive_s = 0
        clear_after_s = 0.5
        cooldown_s = 0
        update_step = 0.25
        update_every_s = 1
        """,
        "my.toml",
    )
    low = Condition((), "valence", False, -0.5, -0.25, 0.5)
    both = Condition(("a", "b"), None, True, 0.5, 0.4, None)
    assert rule == Rule("low", "critical", "any", (low, both), 24_000, 0, 8_000, 0, 0.25, 16_000)


@pytest.mark.parametrize(
    ("new", "clear_at"),
    [("above = 0.6", 0.5), ("above = 0.1", 0.05), ("below = 0.95", 0.975), ("below = 0.2", 0.3)],
)
def test_the_default_of_clear_at_leaves_room_to_clear(new: str, clear_at: float) -> None:
    (rule,) = parse_rules(changed("above = 0.6", new), "my.toml")
    assert rule.when[0].clear_at == pytest.approx(clear_at)


def test_the_threshold_opens_and_only_what_is_beyond_clear_at_goes_on() -> None:
    above, below = (Condition(("a",), None, up, 0.5, 0.5, None) for up in (True, False))
    for condition in (above, below):
        assert condition.holds(0.5)
        assert not condition.goes_on(0.5)
        assert not condition.holds(float("nan"))
        assert not condition.goes_on(float("nan"))
    assert (above.holds(0.6), above.goes_on(0.6), above.holds(0.4), above.goes_on(0.4)) == (True, True, False, False)
    assert (below.holds(0.6), below.goes_on(0.6), below.holds(0.4), below.goes_on(0.4)) == (False, False, True, True)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("above = 0.6", "above = 1.4", "rule 'anger': when: above = 1.4; give a number between 0 and 1"),
        ("above = 0.6", "above = 1", "above = 1; give a number between 0 and 1, neither included"),
        ("above = 0.6", "above = nan", "above = nan"),
        ("above = 0.6", "above = true", "above = True"),
        ("above = 0.6", 'above = "0.6"', "above = '0.6'"),
        ("above = 0.6", "above = 0.6, below = 0.2", "has both above and below"),
        (", above = 0.6", "", "has none of above, below, evidence"),
        ("above = 0.6", "above = 0.6, clear_at = 0.7", "clear_at = 0.7; it may not lie further above"),
        ("above = 0.6", "below = 0.6, clear_at = 0.5", "clear_at = 0.5; it may not lie further below"),
        ("above = 0.6", "above = 0.6, clear_at = 0", "clear_at = 0"),
        ("above = 0.6", "above = 0.6, slope = 0", "slope = 0"),
        ("above = 0.6", "above = 0.6, slop = 1", "slop = 1; there is no such key; known are above, below, clear_at"),
        ('label = "angry"', 'label = ""', "label = ''"),
        ('label = "angry"', "label = []", "label = []"),
        ('label = "angry"', "label = 3", "label = 3"),
        ('label = "angry"', 'label = ["a", "a"]', "label = ['a', 'a']; name each once"),
        ('label = "angry"', 'label = "angry", dimension = "valence"', "has both label and dimension"),
        ('label = "angry"', "dimension = 3", "dimension = 3"),
        ("for_s = 4", "", "rule 'anger': for_s is missing"),
        ("for_s = 4", "for_s = 0", "rule 'anger': for_s = 0; give a number from 0.1 to 600"),
        ("for_s = 4", "for_s = inf", "for_s = inf"),
        ("for_s = 4", "for_s = 4\nforgive_s = -1", "forgive_s = -1"),
        ("for_s = 4", "for_s = 4\nupdate_every_s = 0.5", "update_every_s = 0.5"),
        ("for_s = 4", "for_s = 4\nupdate_step = 0", "update_step = 0"),
        ("for_s = 4", 'for_s = 4\nseverity = "loud"', "severity = 'loud'; choose one of info, warning, critical"),
        ("for_s = 4", "for_s = 4\nseverity = []", "severity = []"),
        ("for_s = 4", 'for_s = 4\nrole = "manager"', "role = 'manager'"),
        ("for_s = 4", 'for_s = 4\nagent = "Smith"', "rule 'anger': agent = 'Smith'; there is no such key"),
        ('name = "anger"', "", "rule 1: name is missing"),
        ('name = "anger"', 'name = " "', "rule 1: name = ' '"),
        ('name = "anger"', 'name = "a\\nb"', "rule 1: name = 'a\\nb'"),
        ("when = [{", "when = 3\nthen = [{", "when = 3; a list of tables is meant"),
        ('[{ label = "angry", above = 0.6 }]', "[]", "0 times when; 1 to 4 are possible"),
        ("[[rule]]", "[rule]", "rule = {"),
        ("[[rule]]", "[[rules]]", "rule is missing"),
        ("[[rule]]", "top = 1\n[[rule]]", "top = 1; there is no such key; known are rule"),
        ("[[rule]]", "[[rule", "not TOML"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, says: str) -> None:
    assert says in refused(changed(old, new))


def test_evidence_has_a_threshold_and_lasts_by_itself() -> None:
    (rule,) = parse_rules(changed("above = 0.6", "evidence = 6").replace("for_s = 4", ""), "my.toml")
    assert (rule.when, rule.hold) == ((Condition(("angry",), None, True, 6.0, 0.0, None, gathers=True),), 1_600)
    (rule,) = parse_rules(changed("above = 0.6", "evidence = 6, clear_at = 2"), "my.toml")
    assert (rule.when[0].clear_at, rule.hold) == (2.0, 64_000)


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ("evidence = 0", "evidence = 0; give a number between 0 and 100"),
        ("evidence = 6, clear_at = 7", "clear_at = 7; give a number from 0 to 6"),
        ("evidence = 6, slope = 1", "slope = 1; there is no such key; known are"),
        ("evidence = 6, above = 0.6", "has both above and evidence"),
    ],
)
def test_evidence_that_means_nothing_is_refused(new: str, says: str) -> None:
    assert says in refused(changed("above = 0.6", new))


def test_a_dimension_gathers_no_evidence() -> None:
    text = changed('label = "angry", above = 0.6', 'dimension = "valence", evidence = 6')
    assert "has none of above, below" in refused(text)


def test_a_slope_needs_speech_to_be_seen_in() -> None:
    short = changed("for_s = 4", "for_s = 0.5").replace("above = 0.6", "above = 0.6, slope = 0.1")
    assert "for_s = 0.5; a rule with a slope needs at least 1 s" in refused(short)


def test_names_are_given_once_and_rules_are_counted() -> None:
    assert "two rules have the name 'anger'" in refused(LEAST + LEAST)
    assert f"{MOST_RULES + 1} times rule" in refused(LEAST * (MOST_RULES + 1))


def test_a_rule_for_agents_needs_a_purpose() -> None:
    text = changed("for_s = 4", 'for_s = 4\nrole = "agent"')
    for purpose in (None, "", " "):
        with pytest.raises(ConfigError, match="rule 'anger': role = 'agent', but no purpose"):
            parse_rules(text, "my.toml", agent_purpose=purpose)
    assert parse_rules(text, "my.toml", agent_purpose="safety: emergency line")[0].role == "agent"


def test_the_shipped_rules_are_for_customers() -> None:
    rules = read_rules()
    assert [rule.name for rule in rules] == ["customer anger rising", "customer stays unhappy", "customer tense"]
    assert {rule.role for rule in rules} == {"customer"}
    (rising,) = rules[0].when
    assert (rising.labels, rising.gathers) == (("angry",), True)


def test_files_that_cannot_be_read_are_told_of(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    with pytest.raises(ConfigError, match=r"rules\.toml cannot be read"):
        read_rules(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"rules\.toml cannot be read"):
        read_rules(path)
    path.write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(ConfigError, match="larger than"):
        read_rules(path)
    path.write_text(LEAST, "utf-8")
    assert read_rules(path) == parse_rules(LEAST, "anywhere")


@given(st.text(max_size=200) | st.text("[]{}=\"'\n.,- rulewhenlabe0123456789", max_size=200))
def test_any_text_is_rules_or_refused(text: str) -> None:
    with suppress(ConfigError):
        assert parse_rules(text, "my.toml")


VALUES = st.none() | st.sampled_from(
    [
        "0.5",
        "-0.5",
        "0",
        "1",
        "4",
        "1e9",
        "-1e999",
        "nan",
        "true",
        '"angry"',
        '["a", "b"]',
        "[1]",
        "{}",
        "1979-05-27",
        "[[]]",
    ]
)


@given(
    st.fixed_dictionaries(dict.fromkeys(("severity", "role", "for_s", "forgive_s", "update_step"), VALUES)),
    st.fixed_dictionaries(dict.fromkeys(("label", "dimension", "above", "below", "clear_at", "slope"), VALUES)),
)
def test_any_values_make_a_rule_or_are_refused(keys: dict[str, str | None], condition: dict[str, str | None]) -> None:
    when = ", ".join(f"{key} = {value}" for key, value in condition.items() if value is not None)
    lines = [f"{key} = {value}" for key, value in keys.items() if value is not None]
    text = "\n".join(["[[rule]]", 'name = "n"', *lines, f"when = [{{ {when} }}]"])
    with suppress(ConfigError):
        (rule,) = parse_rules(text, "my.toml", agent_purpose="safety")
        one = rule.when[0]
        assert rule.hold > 0
        assert 0.0 < abs(one.threshold) < 1.0
        assert one.clear_at <= one.threshold if one.above else one.clear_at >= one.threshold
