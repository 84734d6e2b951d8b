"""``python -m tests.mutants``: draw a sample, try what of it was not tried yet, and print the tables."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.mutants import PACKAGES
from tests.mutants.choosing import choose, sample
from tests.mutants.operators import Mutant, mutants
from tests.mutants.records import UNKNOWN_S, Records
from tests.mutants.report import NOTICED, Reason, Results, read_reasons, report
from tests.mutants.trial import Tree

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 5.0  # how many times as long as recorded a test may take, and --patience seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 where the whole sample was tried, 1 where time was up before."""
    wanted = _parser().parse_args(arguments)
    folder: Path = wanted.folder
    folder.mkdir(parents=True, exist_ok=True)
    found = [each for path in wanted.only or _files() for each in mutants(path, (ROOT / path).read_text())]
    drawn = sample(found, wanted.seed, wanted.sample)
    reasons, results = read_reasons(Path(__file__).with_name("survivors.toml")), Results(folder / "results.jsonl")
    if not wanted.list:
        tree = Tree(ROOT, folder / "tree")
        records, until = Records(folder / "records", tree, wanted.keep_record), time.monotonic() + wanted.minutes * 60
        for mutant in drawn:
            outcome = results.outcome(mutant)
            if outcome in NOTICED or (outcome != "not tried" and not wanted.again):
                continue
            if time.monotonic() > until:
                break
            print(f"{_try(tree, records, mutant, results, reasons, wanted):10} {mutant.name}", flush=True)
        _doubt(tree, records, drawn, results, wanted.patience)
    print("\n".join(report(drawn, results, reasons)))
    return int(any(results.outcome(mutant) == "not tried" for mutant in drawn))


def _try(
    tree: Tree,
    records: Records,
    mutant: Mutant,
    results: Results,
    reasons: Mapping[str, Reason],
    wanted: argparse.Namespace,
) -> str:
    """Run the module's own tests, and then groups of others, until one notices."""
    outcome, by, count, seconds = "unreached", "", 0, 0.0
    files = dict.fromkeys([*records.own(mutant.path), *(wanted.files or ())])
    whole = {file: UNKNOWN_S for file in files if tree.passes(file, wanted.patience)}
    if whole:
        result = tree.attempt(mutant, _limits(whole, wanted.patience))
        if result.outcome in NOTICED:
            results.add(mutant, outcome=result.outcome, by=result.by, tests=len(whole), seconds=result.seconds)
            return result.outcome
    if wanted.files is not None:
        if not whole or mutant.name not in reasons:
            return "not tried"  # by all that may notice it
        results.add(mutant, outcome="survived", by="", tests=len(whole), seconds=result.seconds)
        return "survived"
    for tests in choose(records, mutant, wanted.seconds):
        result = tree.attempt(mutant, _limits(tests, wanted.patience))
        outcome, by, count, seconds = result.outcome, result.by, count + len(tests), seconds + result.seconds
        if outcome in NOTICED:
            break
    results.add(mutant, outcome=outcome, by=by, tests=count, seconds=round(seconds, 1))
    return outcome


def _limits(seconds: dict[str, float], patience_s: float) -> dict[str, float]:
    return {test: patience_s + PATIENCE * took for test, took in seconds.items()}


def _doubt(tree: Tree, records: Records, drawn: Sequence[Mutant], results: Results, patience_s: float) -> None:
    """Run the tests that noticed mutants once without any; what one noticed that fails then is to be tried again."""
    noticed = {each.name: results.by_name[each.name].get("by", "") for each in drawn if each.name in results.by_name}
    took = {test: records.seconds(test) for test in noticed.values() if test}
    left = _limits({test: seconds for test, seconds in took.items() if seconds is not None}, patience_s)
    while left:
        result = tree.run(left)
        if result.by not in left:
            return
        del left[result.by]
        for mutant in drawn:
            if noticed.get(mutant.name) == result.by:
                print(f"{result.by} fails without a mutation too; tried again the next time: {mutant.name}")
                results.add(mutant, outcome="not tried")


def _files() -> list[str]:
    return [
        str(path.relative_to(ROOT)) for name in PACKAGES for path in sorted((ROOT / "stream_ser" / name).rglob("*.py"))
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=300, metavar="N", help="how many mutants (default 300)")
    parser.add_argument("--seed", type=int, default=1, help="draws them (default 1)")
    parser.add_argument(
        "--only", nargs="+", metavar="FILE", help="mutants of these files, such as stream_ser/feed/hub.py"
    )
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no further mutant after so long")
    parser.add_argument("--patience", type=float, default=20.0, metavar="S", help="that any test may take (default 20)")
    parser.add_argument(
        "--seconds", type=float, default=45.0, metavar="S", help="of tests, as recorded, that one meets (default 45)"
    )
    parser.add_argument(
        "--files",
        nargs="*",
        metavar="FILE",
        help="record nothing: mutants meet all tests of their module's own files and of these; what these do not notice"
        " counts as not tried, but for what has a reason",
    )
    parser.add_argument("--again", action="store_true", help="try again what was not noticed, with the tests of now")
    parser.add_argument("--keep-record", action="store_true", help="choose tests by old recordings of which run what")
    parser.add_argument("--list", action="store_true", help="try nothing, only print the tables")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / ".mutants", help="for the copy, the recordings and the results"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
