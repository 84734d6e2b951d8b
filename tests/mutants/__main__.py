"""``python -m tests.mutants``: draw a sample, try what of it was not tried yet, and print the tables."""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mutants import PACKAGES
from tests.mutants.choosing import Choice, sample
from tests.mutants.operators import Mutant, mutants
from tests.mutants.report import NOTICED, Results, read_reasons, report
from tests.mutants.trial import Tree, TrialError

ROOT = Path(__file__).parent.parent.parent
RECORDED = tuple(f"tests/{name}" for name in (*PACKAGES, "pipeline"))
MOST_S = 45.0  # recorded seconds of the tests that one mutant meets
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
        if not (wanted.keep_record and (folder / "coverage").exists()):
            _record(tree, folder)
        choice, until = Choice(folder, tree.folder), time.monotonic() + wanted.minutes * 60
        for mutant in drawn:
            outcome = results.outcome(mutant)
            if outcome in NOTICED or (outcome != "not tried" and not wanted.again):
                continue
            if time.monotonic() > until:
                break
            print(f"{_try(tree, choice, mutant, results, wanted.patience):10} {mutant.name}", flush=True)
        _doubt(tree, choice, drawn, results, wanted.patience)
    print("\n".join(report(drawn, results, reasons)))
    return int(any(results.outcome(mutant) == "not tried" for mutant in drawn))


def _try(tree: Tree, choice: Choice, mutant: Mutant, results: Results, patience_s: float) -> str:
    tests = _limits(choice.tests(mutant, MOST_S), patience_s)
    if not tests:
        results.add(mutant, outcome="unreached")
        return "unreached"
    result = tree.attempt(mutant, tests)
    results.add(mutant, outcome=result.outcome, by=result.by, tests=len(tests), seconds=result.seconds)
    return result.outcome


def _limits(seconds: dict[str, float], patience_s: float) -> dict[str, float]:
    return {test: patience_s + PATIENCE * took for test, took in seconds.items()}


def _doubt(tree: Tree, choice: Choice, drawn: Sequence[Mutant], results: Results, patience_s: float) -> None:
    """Run the tests that noticed mutants once without any; what one noticed that fails then is to be tried again."""
    noticed = {each.name: results.by_name[each.name].get("by", "") for each in drawn if each.name in results.by_name}
    there = [test for test in noticed.values() if test in choice.seconds and choice.exists(test)]
    left = _limits({test: choice.seconds[test] for test in there}, patience_s)
    while left:
        result = tree.run(left)
        if result.by not in left:
            return
        del left[result.by]
        for mutant in drawn:
            if noticed.get(mutant.name) == result.by:
                print(f"{result.by} fails without a mutation too; tried again the next time: {mutant.name}")
                results.add(mutant, outcome="not tried")


def _record(tree: Tree, folder: Path) -> None:
    """Record which tests run which lines, unless it is known of just these files."""
    digest = hashlib.sha256()
    for part in ("stream_ser", "models", "tests"):
        for path in sorted((tree.folder / part).rglob("*.py")):
            digest.update(path.read_bytes())
    stamp = folder / "recorded"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    print("recording which tests run which lines; this takes as long as they do", flush=True)
    (folder / "coverage").unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_asyncio.plugin", "-p", "no:cacheprovider"]
    environ = tree.environ(folder) | {"MUTANTS_RECORD": str(folder.resolve())}
    paths = [path for path in RECORDED if (tree.folder / path).exists()]
    subprocess.run([*command, "-p", "tests.mutants.recorder", *paths], cwd=tree.folder, env=environ, check=False)
    if not (folder / "coverage").exists():
        raise TrialError("the recording wrote nothing; see what pytest says above")
    stamp.write_text(digest.hexdigest())


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
    parser.add_argument("--again", action="store_true", help="try again what was not noticed, with the tests of now")
    parser.add_argument("--keep-record", action="store_true", help="choose tests by an old recording of which run what")
    parser.add_argument("--list", action="store_true", help="try nothing, only print the tables")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / ".mutants", help="for the copy, the recording and the results"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
