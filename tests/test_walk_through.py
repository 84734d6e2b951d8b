"""A new user gets from the README to a call on the wall."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_ser.cli.main import parser
from tests.walk_through import ROOT, StepError, Walk, main, shares


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


def commands(page: str) -> Iterator[str]:
    """The program's own commands in a page's blocks of shell."""
    for block in re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"\|(?!\|)|&&", re.sub(r"\s#.*", "", line)):
                if part.split()[:1] == ["stream-ser"]:
                    yield part.strip()


@pytest.mark.parametrize(
    "page", sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]), ids=lambda page: page.stem
)
def test_commands_of_the_documents_can_be_typed(page: Path) -> None:
    for command in commands(page.read_text("utf-8")):
        words = shlex.split(command.replace("…", "x"))[1:]
        if words[:1] != ["completion"]:  # whose grammar is the whole command line's
            parser().parse_args(words)


def test_a_command_that_does_not_exist_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = commands("text\n```sh\narecord | stream-ser replay - --modle x  # why\n```\n")
    assert found == "stream-ser replay - --modle x"
    with pytest.raises(SystemExit):
        parser().parse_args(shlex.split(found)[1:])
    assert "did you mean --model?" in capsys.readouterr().err
