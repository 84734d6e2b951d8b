from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.mutants.operators import mutants

ODD = '''"""Words; 1 < 2."""
from x import y
SIZE = 64
KINDS = int | str
class Box:
    """More words."""
    width: int = 3
    def put(self, ä: int | None = 5, *, strict: bool = True) -> "1 < 2":
        """And more."""
        assert ä != 2
        text = f"{ä + 1} is too much"
        _log.info("put %d", ä - 1)
        raise ValueError("no")
'''


def changes(source: str) -> list[tuple[str, str]]:
    return [(each.before, each.after) for each in mutants("m.py", source)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a < b", ["(a <= b)"]),
        ("a is not b", ["(a is b)"]),
        ("a <= b < c", ["(a < b < c)", "(a <= b <= c)"]),
        ("not a", ["a"]),
        ("a and b", ["(a or b)"]),
        ("a - b", ["(a + b)"]),
        ("a // b", ["(a * b)"]),
        ("min(a, b)", ["(max(a, b))"]),
        ("7", ["8"]),
        ("True", ["False"]),
        ("[a for a in b if c]", ["True"]),
        ("a if b else c", ["True", "False"]),
    ],
)
def test_an_expression_is_broken_in_these_ways(line: str, expected: list[str]) -> None:
    found = [after for _, after in changes(f"def f():\n    yield {line}\n")]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("a.b = c", ["pass"]),
        ("a = c", []),
        ("a += c", ["pass", "a -= c"]),
        ("del a[b]", ["pass"]),
        ("await a()", ["pass"]),
        ("raise a", ["pass"]),
        ("return a", ["return None"]),
        ("return", []),
        ("while a: break", ["False", "continue"]),
        ("if a: b()", ["True", "False", "pass"]),
    ],
)
def test_a_statement_is_broken_in_these_ways(statement: str, expected: list[str]) -> None:
    found = [after for _, after in changes(f"async def f():\n    {statement}\n")]
    assert sorted(found) == sorted(expected)


def test_words_types_logs_and_what_is_for_tools_stay_as_they_are() -> None:
    assert changes(ODD) == [
        ("64", "128"),
        ("3", "6"),
        ("5", "10"),
        ("True", "False"),
        ("raise ValueError('no')", "pass"),
    ]


def test_each_is_one_change_of_the_text_and_has_a_name_of_its_own() -> None:
    """Over a real file, with letters of more than one byte: everything but the change is as it was."""
    path = Path("stream_ser/server/limits.py")
    source = (ROOT / path).read_text().replace("burst_s", "bürst_s")
    found = mutants(str(path), source)
    assert len(found) > 50
    assert len({each.name for each in found}) == len(found)
    assert len({each.applied(source) for each in found}) == len(found)
    tree = ast.dump(ast.parse(source))
    for each in found:
        broken = each.applied(source)
        assert broken.startswith(source[: each.start])
        assert broken.endswith(source[each.end :])
        assert ast.dump(ast.parse(broken)) != tree
        first, last = each.statement
        assert first <= each.line <= last
    assert {each.where for each in found} >= {"", "RateLimit.take", "call_length"} - {""}


def test_a_mutant_keeps_its_name_when_it_moves() -> None:
    source = "def f(a):\n    return a + 1, a + 1\n"
    names = [each.name for each in mutants("m.py", source)]
    assert names == [each.name for each in mutants("m.py", f"import x\n\n\n{source}")]
    assert "m.py f | return a + 1, a + 1 | a + 1 -> (a - 1) (2)" in names
