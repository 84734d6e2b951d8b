"""Every attack at a small size: what honest calls lose, whatever the machine does. ``make attack`` has absolute figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.server.neighbours.attacking import ATTACKERS
from tests.server.neighbours.honest import Suffered
from tests.server.neighbours.table import page
from tests.server.neighbours.trial import Arena, Trial, arena, trial
from tests.server.neighbours.unguarded import GUARDS

SIZE, CALLS, SECONDS, HISTORY = 0.2, 3, 4.0, 5_000
SLOWER = 4.0  # than beside nobody: in CI other tests take what cores there are
AGE_MS = 750.0
TURN_CPU_S = 0.1  # of a turn that may take 20 ms: CPU seconds grow too where cores are shared
LIMITS = ("--limits-connections", "60", "--limits-connections-of-tenant", "40", "--limits-handshakes", "60")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Arena]]:
    """A server for each kind that attackers need, for all of them together."""
    made: dict[tuple[str, bool], Arena] = {}
    with ExitStack() as stack:

        def server(name: str) -> Arena:
            kind = ATTACKERS[name].program, ATTACKERS[name].tls
            if kind not in made:
                folder = tmp_path_factory.mktemp("arena")
                made[kind] = stack.enter_context(arena(folder, HISTORY, LIMITS, (kind[0],), kind[1]))
            return made[kind]

        yield server


@pytest.mark.parametrize("attacker", [name for name in ATTACKERS if name != "nobody"])
async def test_an_attack_takes_nothing_from_its_neighbours(servers: Callable[[str], Arena], attacker: str) -> None:
    found = await trial(servers(attacker), attacker, SIZE, CALLS, SECONDS)
    assert found.ended_wrongly == []
    assert len(found.suffered.points) == CALLS
    assert found.bit, found.counted
    assert found.longest_turn_cpu_s < TURN_CPU_S, found.counted
    if ATTACKERS[attacker].stalls:
        assert found.counted["loop_stalled_seconds"] > 5
        return
    assert (found.suffered.lost, found.suffered.missing_s) == (0, 0.0)
    assert found.suffered.p99_ms < AGE_MS * SLOWER
    assert found.suffered.health_s, "nobody asked how the server is"
    assert max(found.suffered.health_s) < 0.25 * 4 * SLOWER


def test_every_guard_that_can_be_taken_away_is_for_an_attacker() -> None:
    assert {name for names, _ in GUARDS.values() for name in names} <= set(ATTACKERS)


def test_a_table_has_a_row_of_each_trial_and_what_does_not_hold() -> None:
    good = Suffered(calls=1, expected=1, ages_ms=[500.0], health_s=[0.01])
    good.points["a"] = 1
    bad = Suffered(calls=1, expected=3, ages_ms=[900.0], health_s=[0.5])
    bad.points["a"] = 1
    trials = [
        Trial("nobody", good, (100.0, 101.0), 0.004, 0.003),
        Trial("pings", bad, (100.0, 300.0), 0.05, 0.03, {"refused too-many-pings": 7.0, "loop_turns_held": 2.0}),
    ]
    lines = page(trials, {"processor": "a chip", "cores": 2}, 1, 15.0).splitlines()
    assert max(len(line) for line in lines if not line.startswith("|")) <= 128
    assert lines[-2] == "| `nobody` | 500 | 0 | 10 | 4 (3) | 100, 101 |  | yes |"
    assert lines[-1] == (
        "| `pings` | 900 | 2 | 500 | 50 (30) | 100, 300 | refused too-many-pings 7, loop_turns_held 2 | memory grew by 200 MB; "
        "p99 of age 900 ms; 2 points lost; /healthz took 0.50 s; a turn of the loop took 30 ms of CPU |"
    )
    trials[1].counted.clear()
    assert "it was no attack: refused too-many-pings did not grow" in trials[1].failures()
