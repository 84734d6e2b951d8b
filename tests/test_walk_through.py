"""A new user gets from the README to a call on the wall."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.walk_through import StepError, Walk, main, shares


def test_the_first_hour(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(tmp_path)
    told = capsys.readouterr()
    assert code == 0, told.err
    assert "walked through in " in told.out


def test_a_step_that_does_something_else_is_told(tmp_path: Path) -> None:
    walk = Walk(tmp_path)
    with pytest.raises(StepError, match="without \\['a spaceship'\\]"):
        walk.step(["--version"], "stream-ser", "a spaceship")
    with pytest.raises(StepError, match="code 2"):
        walk.step(["replay", "none.wav"])


def test_shares_are_read_where_a_stream_ends() -> None:
    told = "happy 7 %\nexpressed emotion where labelled: happy 58 %, angry 11 %; speech 16.8 s, silence 19.8 s\n"
    assert shares(told) == {"happy": 58, "angry": 11}
    assert shares("finished: nothing") == {}
