from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.mutants.operators import mutants
from tests.mutants.report import Reason, Results, read_reasons, report, score

FOUND = mutants("stream_ser/feed/hub.py", "def f(a):\n" + "".join(f"    a.b{n} = a\n" for n in range(6)))
OUTCOMES = ["noticed", "timed out", "survived", "survived", "unreached"]  # and one that was not tried


def test_the_table_counts_and_every_survivor_is_named_with_its_reason(tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    for mutant, outcome in zip(FOUND, OUTCOMES, strict=False):
        results.add(mutant, outcome="survived")
        results.add(mutant, outcome=outcome)
    again = Results(tmp_path / "results")
    assert [again.outcome(each) for each in FOUND] == [*OUTCOMES, "not tried"]
    text = "\n".join(report(FOUND, again, {FOUND[2].name: Reason("equivalent", "it is the same")}))
    assert "feed                   1           1           1           1           1           1    50.0%" in text
    assert f"survived: {FOUND[2].name}\n  line 4; equivalent: it is the same" in text
    assert f"survived: {FOUND[3].name}\n  line 5; no reason is given" in text
    assert f"unreached: {FOUND[4].name}\n" in text
    assert FOUND[0].name not in text


def test_the_score_is_of_what_could_be_noticed() -> None:
    assert score(Counter({"noticed": 8, "timed out": 1, "survived": 1, "equivalent": 5, "not tried": 5})) == 0.9
    assert score(Counter({"not tried": 5})) is None


@pytest.mark.parametrize("entry", ["kind = 'lazy'\nwhy = 'x'", "kind = 'harmless'\nwhy = ' '"])
def test_a_reason_must_be_one(tmp_path: Path, entry: str) -> None:
    path = tmp_path / "survivors.toml"
    path.write_text(f"[[mutant]]\nname = 'a'\n{entry}\n")
    with pytest.raises(ValueError, match="needs a kind"):
        read_reasons(path)


def test_every_reason_is_of_a_mutant_that_there_is() -> None:
    for name in read_reasons(Path(__file__).with_name("survivors.toml")):
        path = name.partition(" ")[0]
        assert name in {each.name for each in mutants(path, (ROOT / path).read_text())}, name
