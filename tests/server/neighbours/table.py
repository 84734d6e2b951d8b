"""The table of trials: for the terminal as they come, and as a page that documentation can cite."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stream_ser import __version__
from tests.server.neighbours.trial import AGE_S, HEALTH_S, HOP_S, MEMORY_MB, TURN_S, Trial

NAMES = ("p99 ms", "lost", "health ms", "turn ms", "its CPU", "MB before, after")
HEAD = "attacker                       {:>7} {:>5} {:>9} {:>8} {:>8} {:>17}  counted".format(*NAMES)
WIDTH = 128  # of a line of the page that is no table
LABELLED = 2  # counts of a kind with labels that are shown


def counted(found: Trial) -> str:
    """What ``/metrics`` counted, the most of each kind."""
    shown: dict[str, int] = {}
    told = []
    for name, count in found.counted.items():
        kind, _, label = name.partition(" ")
        shown[kind] = shown.get(kind, 0) + 1
        if not label or shown[kind] <= LABELLED:
            told.append(f"{name} {count:g}")
    return ", ".join(told)


def row(found: Trial) -> str:
    """One line for the terminal."""
    seen, (before, after) = found.suffered, found.memory_mb
    return (
        f"{found.attacker:<30} {seen.p99_ms:>7.0f} {seen.lost:>5} {1e3 * seen.slowest_health_s:>9.0f} "
        f"{1e3 * found.longest_turn_s:>8.0f} {1e3 * found.longest_turn_cpu_s:>8.0f} {before:>9.1f} {after:>7.1f}  "
        f"{counted(found)}"
    )


def page(trials: Sequence[Trial], about: dict[str, Any], calls: int, seconds: float) -> str:
    """A page in Markdown."""
    about_it = (
        f"stream-ser {__version__}, {about['processor']}, {about['cores']} cores, shared by server, callers and attacker. "
        f"Beside each attack {calls} honest calls of another tenant for {seconds:g} s, half of them telephony's, a subscriber, "
        f"and a probe of `/healthz` every 0.1 s. What is to hold: p99 of age within {1e3 * (HOP_S + AGE_S):.0f} ms (hop + "
        f"{1e3 * AGE_S:.0f} ms), no point lost, `/healthz` within {1e3 * HEALTH_S:.0f} ms, no turn of the event loop beyond "
        f"{1e3 * TURN_S:.0f} ms of CPU, memory within {MEMORY_MB:.0f} MB more, and that the server counted the attack. After "
        "`stopped-process` results are old, and nobody is to be ended."
    )
    lines = [
        "# Bad neighbours",
        "",
        "This page is made by `make attack`; change the attackers, not the page.",
        "",
        *textwrap.wrap(about_it, WIDTH, break_long_words=False, break_on_hyphens=False),
        "",
        "| attacker | p99 of age, ms | points lost | longest `/healthz`, ms | longest turn, ms (CPU) | MB before, after "
        "| counted | holds |",
        "|---|---:|---:|---:|---:|---:|---|---|",
    ]
    for found in trials:
        seen, (before, after) = found.suffered, found.memory_mb
        turn = f"{1e3 * found.longest_turn_s:.0f} ({1e3 * found.longest_turn_cpu_s:.0f})"
        lines.append(
            f"| `{found.attacker}` | {seen.p99_ms:.0f} | {seen.lost} | {1e3 * seen.slowest_health_s:.0f} | {turn} | "
            f"{before:.0f}, {after:.0f} | {counted(found)} | {'; '.join(found.failures()) or 'yes'} |"
        )
    return "\n".join(lines) + "\n"


def write(path: Path, trials: Sequence[Trial], about: dict[str, Any], calls: int, seconds: float) -> None:
    """Write the page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(trials, about, calls, seconds))
