from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import coverage
import pytest

from tests.mutants.choosing import choose, sample
from tests.mutants.operators import Mutant, mutants
from tests.mutants.recorder import COVERAGE, DURATIONS
from tests.mutants.records import Records, mirrors
from tests.mutants.trial import Tree

SOURCE = "LIMIT = 3\n\n\ndef f(a):\n    return (\n        a + 1\n    )\n\n\ndef g(a):\n    return a - 1\n"
PATH = "stream_ser/feed/hub.py"
QUICK, SLOW, OWN, FAR, FAILS = (
    "tests/feed/test_x.py::test_quick",
    "tests/feed/test_x.py::test_slow[a::b]",
    "tests/feed/test_hub.py::test_own",
    "tests/cli/test_far.py::test_far",
    "tests/feed/test_x.py::test_fails",
)


def test_a_larger_sample_contains_a_smaller_one_and_no_line_comes_twice() -> None:
    source = "def f(a):\n" + "".join(f"    a.b{n} = a + {n} - {n}\n" for n in range(50))
    found = mutants("m.py", source)
    small, large = sample(found, 1, 10), sample(found, 1, 40)
    assert large[:10] == small
    assert len({each.line for each in large}) == 40
    assert len(sample(found, 1, 1000)) == 50
    assert sample(found, 2, 10) != small
    assert sample(reversed(found), 1, 10) == small, "the order in which files are read is nothing"
    fewer = sample([each for each in found if each.line != small[0].line], 1, 9)
    assert fewer == small[1:], "a changed line changes itself alone"


class RecordedTree:
    """A tree whose test files are recorded by writing down what they would do."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.recorded = folder, list[str]()
        for test in (QUICK, SLOW, OWN, FAR):
            self.add(test)

    def add(self, test: str) -> None:
        path, _, name = test.partition("::")
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        with (self.folder / path).open("a") as file:
            file.write(f"def {name.partition('[')[0]}():\n    pass\n")

    def record(self, file: str, folder: Path) -> None:
        self.recorded.append(file)
        data = coverage.CoverageData(str(folder / COVERAGE))
        took = {}
        for context, lines in (("", [1, 4, 10]), (QUICK, [5, 6]), (SLOW, [6]), (OWN, [6, 11]), (FAILS, [6])):
            if context.startswith(file) or not context:
                data.set_context(context)
                data.add_lines({PATH: lines})
                took |= {QUICK: {QUICK: 0.1}, SLOW: {SLOW: 50.0}, OWN: {OWN: 2.0}}.get(context, {})
        data.write()
        (folder / DURATIONS).write_text(json.dumps(took))


@pytest.fixture
def tree(tmp_path: Path) -> RecordedTree:
    return RecordedTree(tmp_path / "tree")


def recorded(tree: RecordedTree, old: bool = False) -> Records:
    return Records(tree.folder.parent / "records", cast(Tree, tree), old)


def of_line(line: int) -> Mutant:
    return next(each for each in mutants(PATH, SOURCE) if each.line == line)


def test_tests_that_run_the_line_meet_it_the_own_ones_first_then_the_quick(tree: RecordedTree) -> None:
    records = recorded(tree)
    assert [list(group) for group in choose(records, of_line(6), 100.0)] == [[OWN], [QUICK, SLOW]]
    assert list(choose(records, of_line(6), 10.0)) == [{OWN: 2.0}, {QUICK: 0.1}]
    assert [list(group) for group in choose(records, of_line(11), 100.0)] == [[OWN]]
    met = [list(group) for group in choose(records, of_line(1), 100.0)]
    assert met == [[OWN], [QUICK, SLOW]], "it runs when the module is imported"
    assert sorted(tree.recorded) == ["tests/feed/test_hub.py", "tests/feed/test_x.py"], "no other package's, and once"


def test_where_no_test_comes_nothing_is_run(tree: RecordedTree) -> None:
    unseen = next(each for each in mutants("stream_ser/feed/other.py", SOURCE) if each.line == 6)
    assert list(choose(recorded(tree), unseen, 100.0)) == []


def test_a_file_that_names_the_module_comes_before_those_beside_and_counts_in_other_packages(
    tree: RecordedTree,
) -> None:
    (tree.folder / "tests/calls").mkdir()
    (tree.folder / "tests/calls/test_far.py").write_text("from stream_ser.feed import (\n    envelope,\n    hub,\n)\n")
    (tree.folder / "tests/calls/test_hubs.py").write_text("from stream_ser.feed.hubs import x\n")
    found = list(recorded(tree).files(PATH))
    assert found == ["tests/feed/test_hub.py", "tests/calls/test_far.py", "tests/feed/test_x.py"]


def test_only_what_changed_is_recorded_again(tree: RecordedTree) -> None:
    def look(old: bool = False) -> list[str]:
        tree.recorded.clear()
        list(choose(recorded(tree, old), of_line(6), 100.0))
        return tree.recorded

    both = ["tests/feed/test_hub.py", "tests/feed/test_x.py"]
    assert look() == both
    assert look() == []
    tree.add("tests/feed/test_x.py::test_more")
    assert look(old=True) == []
    assert look() == ["tests/feed/test_x.py"]
    (tree.folder / "tests" / "fakes.py").write_text("shared = True\n")
    assert look() == both


@pytest.mark.parametrize(
    ("test", "path", "expected"),
    [
        ("tests/feed/test_hub.py::test_a", "stream_ser/feed/hub.py", True),
        ("tests/feed/test_hub_sinks.py::test_a", "stream_ser/feed/hub.py", True),
        ("tests/audio/files/test_mpeg.py::T::test_a[x]", "stream_ser/audio/files/mpeg.py", True),
        ("tests/feed/test_hubs.py::test_a", "stream_ser/feed/hub.py", False),
        ("tests/server/test_hub.py::test_a", "stream_ser/feed/hub.py", False),
    ],
)
def test_a_file_mirrors_its_module(test: str, path: str, expected: bool) -> None:
    assert mirrors(test, path) is expected
