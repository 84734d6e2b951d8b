from __future__ import annotations

import json
from pathlib import Path

import coverage
import pytest

from tests.mutants.choosing import Choice, mirrors, sample
from tests.mutants.operators import Mutant, mutants
from tests.mutants.recorder import COVERAGE, DURATIONS

SOURCE = "LIMIT = 3\n\n\ndef f(a):\n    return (\n        a + 1\n    )\n\n\ndef g(a):\n    return a - 1\n"
PATH = "stream_ser/feed/hub.py"
QUICK, SLOW, OWN, GONE = (
    "tests/x.py::test_quick",
    "tests/x.py::test_slow[a::b]",
    "tests/feed/test_hub.py::test_own",
    "tests/x.py::gone",
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


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, Path]:
    """A recording of three tests, and the tree with them."""
    folder, root = tmp_path / "record", tmp_path / "tree"
    folder.mkdir()
    data = coverage.CoverageData(str(folder / COVERAGE))
    for context, lines in (("", [1, 4, 10]), (QUICK, [5, 6]), (SLOW, [6]), (OWN, [6, 11]), (GONE, [6])):
        data.set_context(context)
        data.add_lines({PATH: lines})
    data.write()
    (folder / DURATIONS).write_text(json.dumps({QUICK: 0.1, SLOW: 50.0, OWN: 2.0, GONE: 0.1}))
    for test in (QUICK, SLOW, OWN):
        path, _, name = test.partition("::")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        with (root / path).open("a") as file:
            file.write(f"def {name.partition('[')[0]}():\n    pass\n")
    return folder, root


def of_line(line: int) -> Mutant:
    return next(each for each in mutants(PATH, SOURCE) if each.line == line)


def test_tests_that_run_the_line_meet_it_the_own_ones_first_then_the_quick(recorded: tuple[Path, Path]) -> None:
    choice = Choice(*recorded)
    assert list(choice.tests(of_line(6), 100.0)) == [OWN, QUICK, SLOW]
    assert choice.tests(of_line(6), 10.0) == {OWN: 2.0, QUICK: 0.1}
    assert list(choice.tests(of_line(11), 100.0)) == [OWN]
    assert list(choice.tests(of_line(1), 100.0)) == [OWN, QUICK, SLOW], "it runs when the module is imported"


def test_where_no_test_comes_nothing_is_run(recorded: tuple[Path, Path]) -> None:
    folder, root = recorded
    unseen = next(each for each in mutants("stream_ser/feed/other.py", SOURCE) if each.line == 6)
    assert Choice(folder, root).tests(unseen, 100.0) == {}


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
