"""Every attack at a small size: what honest calls lose, whatever the machine does. ``make attack`` has absolute figures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.neighbours.attackers import ATTACKERS, STALLS
from tests.server.neighbours.trial import Arena, arena, trial

SIZE, CALLS, SECONDS, HISTORY = 0.2, 3, 4.0, 5_000
SLOWER = 4.0  # than beside nobody: in CI other tests take what cores there are
AGE_MS = 750.0
TURN_CPU_S = 0.1  # of a turn that may take 20 ms: CPU seconds grow too where cores are shared
LIMITS = ("--limits-connections", "60", "--limits-connections-of-tenant", "40")


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with arena(tmp_path_factory.mktemp("arena"), HISTORY, LIMITS) as made:
        yield made


@pytest.fixture(scope="module")
async def beside_nobody(together: Arena) -> float:
    """The age of points that nobody disturbs, in ms."""
    return (await trial(together, "nobody", SIZE, CALLS, SECONDS)).suffered.p99_ms


@pytest.mark.parametrize("attacker", [name for name in ATTACKERS if name != "nobody"])
async def test_an_attack_takes_nothing_from_its_neighbours(together: Arena, attacker: str) -> None:
    found = await trial(together, attacker, SIZE, CALLS, SECONDS)
    assert found.ended_wrongly == []
    assert len(found.suffered.points) == CALLS
    assert found.longest_turn_cpu_s < TURN_CPU_S, found.counted
    if attacker in STALLS:
        assert found.counted["loop_stalled_seconds"] > 5
        return
    assert (found.suffered.lost, found.suffered.missing_s) == (0, 0.0)
    assert found.suffered.p99_ms < AGE_MS * SLOWER
    assert found.suffered.health_s, "nobody asked how the server is"
    assert max(found.suffered.health_s) < 0.25 * 4 * SLOWER
