"""Which mutants are tried, and which tests meet one: those that were recorded to run its line, its module's own first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from tests.mutants.operators import Mutant
from tests.mutants.records import Records, mirrors

FILES_AT_ONCE = 6  # test files that are looked at for further tests, after the module's own


def sample(mutants: Iterable[Mutant], seed: int, count: int) -> list[Mutant]:
    """``count`` mutants drawn by ``seed``, at most one of a line, so that no table of numbers fills the sample.

    A larger sample of the same seed contains a smaller one, and a change of the code replaces few of them.
    """
    drawn = sorted(mutants, key=lambda each: hashlib.sha256(f"{seed} {each.name}".encode()).digest())
    one_a_line = {(each.path, each.line): each for each in reversed(drawn)}
    return [each for each in drawn if one_a_line[each.path, each.line] is each][:count]


def choose(records: Records, mutant: Mutant, most_s: float) -> Iterator[dict[str, float]]:
    """Groups of tests, the next of which meets the mutant where the last one did not notice: with what each test took.

    First are those in the module's own file, then some files at a time of those that name it, or lie beside its own. Each
    group has the quick ones first. All together are of at most ``most_s`` recorded seconds; no group is empty.
    """
    left, files = most_s, list(records.files(mutant.path))
    own = [file for file in files if mirrors(file, mutant.path)]
    others = files[len(own) :]
    groups = [own, *(others[at : at + FILES_AT_ONCE] for at in range(0, len(others), FILES_AT_ONCE))]
    for group in groups:
        found: dict[str, float] = {}
        for file in group:
            record = records.of(file)
            found |= {test: record.seconds[test] for test in record.tests(mutant.path, *mutant.statement)}
        chosen: dict[str, float] = {}
        for test in sorted(found, key=lambda each: (found[each], each)):
            if found[test] <= left:
                chosen[test] = found[test]
                left -= found[test]
        if chosen:
            yield chosen
