"""Alert rules as data: what a TOML file may say, read into frozen dataclasses or refused with the rule, the key and the value.

Every key and its default is in ``docs/alerts.md``. A rule speaks of one leg of one call: there is no key that names a
person, and none that counts over calls, so no rule can rank or sum up agents.

Inferring emotions of people at their work is prohibited in the European Union, medical and safety reasons aside (AI Act,
Article 5(1)(f)). So a rule for the agent's leg is refused unless the caller states the purpose that allows it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

from stream_ser.errors import ConfigError
from stream_ser.types import SAMPLE_RATE

Severity = Literal["info", "warning", "critical"]
RuleRole = Literal["customer", "agent", "any"]

MOST_BYTES = 64 * 1024  # of a file
MOST_RULES = 64
MOST_CONDITIONS = 4  # of a rule
MARGIN = 0.1  # between a threshold and its clear_at, where the rule does not say
MOST_EVIDENCE = 100.0  # nats


@dataclass(frozen=True, slots=True)
class Condition:
    """One value of a point, or evidence, against a threshold. Either ``labels`` or ``dimension`` says of what."""

    labels: tuple[str, ...]  # the sum of their smoothed probabilities; empty for a dimension
    dimension: str | None
    above: bool  # the value must be at or above the threshold; False: at or below
    threshold: float
    clear_at: float  # the value must be beyond it for an open alert to go on
    slope: float | None = None  # change away from the threshold in 10 s of speech, at least; None: any
    gathers: bool = False  # the value is evidence that gathers over windows (``evidence``), in nats

    def holds(self, value: float) -> bool:
        """Whether the value is enough to open an alert. False for NaN."""
        return value >= self.threshold if self.above else value <= self.threshold

    def goes_on(self, value: float) -> bool:
        """Whether the value is enough to keep an alert open. False for NaN."""
        return value > self.clear_at if self.above else value < self.clear_at


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Durations are samples at 16 kHz; all conditions must hold at once."""

    name: str
    severity: Severity
    role: RuleRole
    when: tuple[Condition, ...]  # the first is the one whose value is told
    hold: int  # speech for which the conditions must hold
    forgive: int  # time without judged speech after which evidence is given up
    clear_after: int  # speech for which an open alert may be below clear_at
    cooldown: int  # time after an alert's end before the next may open
    update_step: float  # growth of the peak that is told
    update_every: int  # time after which an alert that goes on is told again


def read_rules(path: Path | None = None, *, agent_purpose: str | None = None) -> tuple[Rule, ...]:
    """Read a file of rules; the shipped ones where ``path`` is None.

    ``agent_purpose`` is the stated, lawful reason to analyse agents' voices, without which rules for agents are refused.
    Raises ConfigError, naming file, rule, key and value.
    """
    if path is None:
        text = resources.files("stream_ser.trajectory").joinpath("rules.toml").read_text("utf-8")
        return parse_rules(text, "the shipped rules", agent_purpose=agent_purpose)
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ConfigError(f"{path} is larger than {MOST_BYTES} bytes", fix="give a file of alert rules")
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the rules in {path} cannot be read: {error}", fix="give a TOML file in UTF-8") from error
    return parse_rules(text, str(path), agent_purpose=agent_purpose)


def parse_rules(text: str, where: str, *, agent_purpose: str | None = None) -> tuple[Rule, ...]:
    """Read rules from TOML. ``where`` names the text in errors; otherwise as ``read_rules``."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(
            f"{where}: not TOML: {error}", fix="correct the file; docs/alerts.md has an example"
        ) from error
    top = _Table(data, where)
    tables = top.tables("rule", MOST_RULES)
    top.done()
    rules: list[Rule] = []
    for number, table in enumerate(tables, 1):
        rule = _rule(table, where, number)
        if rule.name in (other.name for other in rules):
            raise ConfigError(f"{where}: two rules have the name {rule.name!r}", fix="give each a name of its own")
        if rule.role == "agent" and not (agent_purpose or "").strip():
            raise ConfigError(
                f"{where}: rule {rule.name!r}: role = 'agent', but no purpose for analysing agents is stated",
                fix="remove the rule, or state the medical or safety purpose that allows it: docs/responsible-use.md",
            )
        rules.append(rule)
    return tuple(rules)


def _rule(data: dict[str, Any], where: str, number: int) -> Rule:
    table = _Table(data, f"{where}: rule {number}")
    name = table.name("name")
    table.where = f"{where}: rule {name!r}"
    when = tuple(_condition(item, f"{table.where}: when") for item in table.tables("when", MOST_CONDITIONS))
    rule = Rule(
        name=name,
        severity=table.choice("severity", get_args(Severity), "warning"),
        role=table.choice("role", get_args(RuleRole), "customer"),
        when=when,
        # evidence that has gathered has lasted already
        hold=table.seconds("for_s", 0.1, 600.0, 0.1 if all(own.gathers for own in when) else None),
        forgive=table.seconds("forgive_s", 0.0, 60.0, 3.0),
        clear_after=table.seconds("clear_after_s", 0.0, 600.0, 2.0),
        cooldown=table.seconds("cooldown_s", 0.0, 3600.0, 30.0),
        update_step=table.number("update_step", 0.01, 2.0, 0.05),
        update_every=table.seconds("update_every_s", 1.0, 3600.0, 10.0),
    )
    table.done()
    if rule.hold < SAMPLE_RATE and any(condition.slope is not None for condition in rule.when):
        raise table.error(
            "for_s", rule.hold / SAMPLE_RATE, "a rule with a slope needs at least 1 s of speech to see it"
        )
    return rule


def _condition(data: dict[str, Any], where: str) -> Condition:
    table = _Table(data, where)
    key = table.one_of("label", "dimension")
    labels = table.names("label") if key == "label" else ()
    dimension = table.name("dimension") if key == "dimension" else None
    least = 0.0 if labels else -1.0
    sides = ("above", "below", "evidence") if labels else ("above", "below")
    side = table.one_of(*sides)
    if side == "evidence":
        enough = table.number("evidence", 0.0, MOST_EVIDENCE, None, open_ends=True)
        clear_at = table.number("clear_at", 0.0, enough, 0.0)
        table.done()
        return Condition(labels, None, True, enough, clear_at, gathers=True)
    above = side == "above"
    threshold = table.number("above" if above else "below", least, 1.0, None, open_ends=True)
    room = threshold - least if above else 1.0 - threshold
    margin = min(MARGIN, room / 2)
    clear_at = table.number("clear_at", least, 1.0, threshold - margin if above else threshold + margin, open_ends=True)
    if (clear_at > threshold) if above else (clear_at < threshold):
        side = "above" if above else "below"
        raise table.error("clear_at", clear_at, f"it may not lie further {side} than the threshold {threshold:g}")
    slope = table.number("slope", 0.0, 10.0, None, open_ends=True) if "slope" in data else None
    table.done()
    return Condition(labels, dimension, above, threshold, clear_at, slope)


class _Table:
    """One TOML table, read key by key; every refusal names where it is, the key and the value seen."""

    def __init__(self, data: dict[str, Any], where: str) -> None:
        self._data, self._known, self.where = data, set[str](), where

    def error(self, key: str, value: object, fix: str) -> ConfigError:
        seen = repr(value)
        return ConfigError(f"{self.where}: {key} = {seen if len(seen) <= 80 else seen[:77] + '...'}", fix=fix)

    def done(self) -> None:
        """Refuse keys that nobody asked for: a slip of the pen must not silence a rule."""
        unknown = sorted(set(self._data) - self._known)
        if unknown:
            known = ", ".join(sorted(self._known))
            raise self.error(unknown[0], self._data[unknown[0]], f"there is no such key; known are {known}")

    def one_of(self, *keys: str) -> str:
        """The one key of these that is there."""
        self._known.update(keys)
        there = [key for key in keys if key in self._data]
        if len(there) != 1:
            has = f"has both {' and '.join(there)}" if there else f"has none of {', '.join(keys)}"
            raise ConfigError(f"{self.where}: {has}", fix="give exactly one of them")
        return there[0]

    def _get(self, key: str) -> Any:
        self._known.add(key)
        if key not in self._data:
            raise ConfigError(f"{self.where}: {key} is missing", fix=f"give {key}; docs/alerts.md says what it means")
        return self._data[key]

    def tables(self, key: str, most: int) -> list[dict[str, Any]]:
        value = self._get(key)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(key, value, "a list of tables is meant; docs/alerts.md has an example")
        if not 1 <= len(value) <= most:
            raise ConfigError(f"{self.where}: {len(value)} times {key}", fix=f"1 to {most} are possible")
        return value

    def name(self, key: str) -> str:
        value = self._get(key)
        if not _is_name(value):
            raise self.error(key, value, "give 1 to 80 printable characters")
        return str(value)

    def names(self, key: str) -> tuple[str, ...]:
        value = self._get(key)
        several = [value] if isinstance(value, str) else value
        if not isinstance(several, list) or not several or not all(map(_is_name, several)):
            raise self.error(key, value, "give one name, or a list of names whose probabilities are added")
        if len(set(several)) < len(several):
            raise self.error(key, value, "name each once")
        return tuple(several)

    def choice(self, key: str, known: tuple[Any, ...], default: str) -> Any:
        value = self._get(key) if key in self._data else default
        self._known.add(key)
        if value not in known:
            raise self.error(key, value, f"choose one of {', '.join(known)}")
        return value

    def number(self, key: str, least: float, most: float, default: float | None, *, open_ends: bool = False) -> float:
        """A number; one without a default must be there. ``open_ends`` leaves out ``least`` and ``most`` themselves."""
        self._known.add(key)
        value = default if default is not None and key not in self._data else self._get(key)
        fits = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
        if not fits or (open_ends and value in (least, most)):
            between = (
                f"between {least:g} and {most:g}, neither included" if open_ends else f"from {least:g} to {most:g}"
            )
            raise self.error(key, value, f"give a number {between}")
        return float(value)

    def seconds(self, key: str, least: float, most: float, default: float | None) -> int:
        """A duration in seconds, as samples."""
        return round(self.number(key, least, most, default) * SAMPLE_RATE)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 80 and value.isprintable() and value == value.strip()
