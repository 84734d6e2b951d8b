"""What a digest of an archive's settings is told of how its recordings are heard."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_ser.calls.hearing import Hearing
from stream_ser.calls.recorded import CallOptions
from stream_ser.errors import ConfigError

RULES = """
[[rule]]
name = "loud"
severity = "info"
when = [{ label = "angry", above = 0.6 }]
for_s = 3
"""


def told(rules: Path | None) -> dict[str, object]:
    return Hearing(call=CallOptions(rules=rules)).told()


def test_rules_are_told_by_what_they_say(tmp_path: Path) -> None:
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text(RULES)
    other.write_text("# the same\n" + RULES)
    before = told(one)
    assert before == told(other) != told(None)
    one.write_text(RULES.replace("0.6", "0.7"))
    assert told(one) != before
    assert str(tmp_path) not in repr(before)


def test_rules_that_are_not_there_are_refused_before_anything_is_heard(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        told(tmp_path / "none.toml")
