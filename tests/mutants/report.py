"""What the results of a sample say, as tables: the score by package, and the mutants that no test noticed, with a reason.

``survivors.toml`` has the reasons. An ``equivalent`` mutant behaves as the code does and counts for nothing; a ``harmless``
one could be noticed and is not worth a test, and counts against the tests.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutants.operators import Mutant

KINDS = ("equivalent", "harmless")
NOTICED = ("noticed", "timed out")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a mutant may survive."""

    kind: str
    why: str


def read_reasons(path: Path) -> dict[str, Reason]:
    """Reasons by the mutant's name. Raises ValueError for an entry that is not one."""
    reasons = {}
    for entry in tomllib.loads(path.read_text())["mutant"]:
        if entry["kind"] not in KINDS or not entry["why"].strip():
            raise ValueError(f"{path}: {entry['name']!r} needs a kind of {KINDS} and a reason")
        reasons[entry["name"]] = Reason(entry["kind"], entry["why"].strip())
    return reasons


class Results:
    """Results by the mutant's name, in a file that grows with each and outlives the run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.by_name: dict[str, dict[str, Any]] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            entry = json.loads(line)
            self.by_name[entry["name"]] = entry

    def outcome(self, mutant: Mutant) -> str:
        """What became of a mutant."""
        return str(self.by_name.get(mutant.name, {}).get("outcome", "not tried"))

    def add(self, mutant: Mutant, **what: Any) -> None:
        """Keep what became of a mutant."""
        entry = {"name": mutant.name, **what}
        self.by_name[mutant.name] = entry
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")


def report(sample: Sequence[Mutant], results: Results, reasons: dict[str, Reason]) -> Iterator[str]:
    """The lines of the report."""
    counts: dict[str, Counter[str]] = {}
    survivors = []
    for mutant in sample:
        package, outcome, reason = mutant.path.split("/")[1], results.outcome(mutant), reasons.get(mutant.name)
        if outcome not in (*NOTICED, "not tried"):
            survivors.append((mutant, outcome, reason))
            outcome = "equivalent" if reason is not None and reason.kind == "equivalent" else outcome
        counts.setdefault(package, Counter())[outcome] += 1
    columns = ("noticed", "timed out", "survived", "unreached", "equivalent", "not tried")
    yield f"{'package':12}" + "".join(f"{name:>12}" for name in columns) + f"{'score':>9}"
    for package, found in [*sorted(counts.items()), ("all", sum(counts.values(), Counter()))]:
        yield f"{package:12}" + "".join(f"{found[name]:12}" for name in columns) + f"{_score(found):>9}"
    for mutant, outcome, reason in survivors:
        why = "no reason is given" if reason is None else f"{reason.kind}: {reason.why}"
        yield f"\n{outcome}: {mutant.name}\n  line {mutant.line}; {why}"


def score(found: Counter[str]) -> float | None:
    """The share noticed of those that could be; None where there is none."""
    noticed = sum(found[name] for name in NOTICED)
    of = noticed + found["survived"] + found["unreached"]
    return noticed / of if of else None


def _score(found: Counter[str]) -> str:
    share = score(found)
    return "–" if share is None else f"{share:.1%}"
