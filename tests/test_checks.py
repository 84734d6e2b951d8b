"""What CI and the hooks hold documentation and commit messages to."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import ROOT

LONG = " ".join(["word"] * 40)


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


documentation, subject = load("documentation"), load("subject")


def found(text: str) -> list[int]:
    return [number for block in documentation.blocks(text) for number in documentation.too_long(block)]


def test_long_lines_of_prose_are_found_where_they_stand() -> None:
    assert found(f"# Title\n\nshort\n{LONG}\n\n- item\n  {LONG}\n") == [4, 7]


@pytest.mark.parametrize(
    "text",
    [
        f"| {LONG} |\n",
        f"# {LONG}\n",
        f"```\n{LONG}\n\n- {LONG}\n```\n",
        f"![{LONG}](picture.png)\n",
        f"<https://example.org/{'a' * 200}>\n",
        f"see\n`{LONG}`\n",
    ],
)
def test_what_cannot_be_wrapped_may_be_long(text: str) -> None:
    assert found(text) == []
    assert documentation.wrapped(text) == text


@pytest.mark.parametrize("begin", ["", "- ", "10. ", "  * "])
def test_wrapping_changes_lines_and_no_word(begin: str) -> None:
    text = f"Before.\n\n{begin}{LONG} `code with spaces` 12 500 - {LONG}\n{LONG}\n\nAfter.\n"
    wrapped = documentation.wrapped(text)
    assert wrapped.split() == text.split()
    assert max(len(line) for line in wrapped.splitlines()) <= 128
    middle = wrapped.splitlines()[2:-2]
    assert len(middle) > 4
    assert all(line.startswith(" " * len(begin) + "w") for line in middle[1:])
    assert "`code with spaces` 12 500 - word" in wrapped
    assert documentation.wrapped(wrapped) == wrapped


def test_paragraphs_that_keep_the_rule_are_left_as_they_are() -> None:
    text = f"One\nline\na word.\n\n{LONG}\n\n- an\n  item\n"
    assert documentation.wrapped(text).startswith("One\nline\na word.\n\n")
    assert documentation.wrapped(text).endswith("\n\n- an\n  item\n")


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Add a thing\n", ""),
        ("Add a thing\n\nbecause " + "x" * 100 + "\n# a comment of git's\n", ""),
        ("x" * 72, ""),
        ("x" * 73, "73 characters"),
        ("", "empty"),
        ("# only comments\n", "empty"),
        ("Add a thing\nand another\n", "goes on with 'and another'"),
    ],
)
def test_a_commit_has_a_short_subject(message: str, told: str, tmp_path: Path) -> None:
    assert told in subject.trouble(message)
    (tmp_path / "message").write_text(message, encoding="utf-8")
    assert subject.main(tmp_path / "message") == (1 if told else 0)
