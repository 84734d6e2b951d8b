"""The bench's figures as lines for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

EXCLUDED = (
    "GFLOP/s counts 2 × the network's multiply-accumulates; the front end is left out of the count, not of the time."
)
CARRIED = (
    "carried: fed in the same process on the same core; none dropped, p99 of age (complete to answered) below the hop"
)


def show(result: dict[str, Any]) -> str:
    """All figures."""
    window = f"window of {result['model']['window_s']:g} s"
    there = [cost for cost in result["engines"] if "unavailable" not in cost]
    lines = [*_machine(result["machine"]), _model(result["model"]), ""]
    lines += _table(
        ["engine", "READY s", "memory MB", "GPU MB", "batch", "p50 ms", "p99 ms", "windows/s", "GFLOP/s", "of ceiling"],
        [row for cost in there for row in _windows(cost)],
    )
    lines += [f"{cost['engine']}: not used: {cost['unavailable']}" for cost in result["engines"] if cost not in there]
    lines += [_front_end(cost, window) for cost in there if cost["front_end_share"] is not None]
    other = result["hop_by_hop"]
    if other is not None and "unavailable" not in other:
        there.append({**other, "backend": f"{other['backend']} ({other['model']})"})
    lines += _section(
        "hop by hop, beside the whole window of the same model",
        ["engine", "hop s", "batch", "p50 ms", "p99 ms", "whole ms", "cheaper"],
        [row for cost in there for row in _steps(cost)],
    )
    lines += [
        f"{cost['backend']}: a stream begins with a {window} in {_median(cost['start'])}"
        for cost in there
        if cost["start"] is not None
    ]
    lines += _section(
        "live streams on one worker",
        ["engine", "hop s", "computed", "carried", "failed at", "age p50", "age p99", "fed late p99, ms"],
        [row for cost in there for row in _streams(cost)],
    )
    lines += ["", f"one recording on {result['stream']['backend']}", *_stream(result)]
    if result["peers"] is not None:
        lines += ["", f"peers on the same {window}, one thread", *(_peer(cost) for cost in result["peers"])]
    return "\n".join([*lines, "", EXCLUDED, CARRIED, f"measured in {result['took_s']:.0f} s"])


def _machine(machine: dict[str, Any]) -> list[str]:
    pinned = "pinned to one core" if machine["pinned"] else "not pinned"
    device, ceiling = machine["cuda"], machine["ceiling_gflops"]
    packages = [f"{name} {version}" for name, version in machine["packages"].items()]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}; one thread, {pinned}",
        ", ".join([f"Python {machine['python']}", *packages]),
        f"ceiling: {ceiling['cpu']:.1f} GFLOP/s (float32 matrix product, one thread)",
    ]
    if device is not None:
        lines[1] += f"; {device['name']}, driver {device['driver']}"
    if ceiling["cuda"] is not None:
        lines[2] += f", {ceiling['cuda']:.0f} GFLOP/s (the same on the GPU, without TensorFloat-32)"
    return lines


def _model(model: dict[str, Any]) -> str:
    return (
        f"{model['name']}: {model['parameters']:,} parameters, {model['macs'] / 1e6:,.1f} million multiply-accumulates "
        f"a window of {model['window_s']:g} s"
    )


def _windows(cost: dict[str, Any]) -> list[list[str]]:
    rows: list[list[str]] = []
    for row in cost["windows"]:
        once = [cost["backend"], f"{cost['ready_s']:.2f}", f"{cost['memory_mb']:.0f}", _whole(cost["device_memory_mb"])]
        share = "–" if row["of_ceiling"] is None else f"{100 * row['of_ceiling']:.1f} %"
        speed = [f"{row['windows_s']:.1f}", f"{row['gflops']:.1f}", share]
        rows.append([*(["", "", "", ""] if rows else once), str(row["batch"]), *_times(row), *speed])
    return rows


def _front_end(cost: dict[str, Any], window: str) -> str:
    p50, share = cost["windows"][0]["p50_ms"], cost["front_end_share"]
    parts = f"front end {share * p50:.2f} + network {(1 - share) * p50:.2f}"
    return f"{cost['backend']}: {window} {p50:.2f} ms = {parts}"


def _steps(cost: dict[str, Any]) -> list[list[str]]:
    return [
        [
            cost["backend"],
            f"{row['hop_s']:g}",
            str(row["batch"]),
            *_times(row),
            f"{row['whole_p50_ms']:.2f}",
            f"{row['times_cheaper']:.1f} ×",
        ]
        for row in cost["steps"]
    ]


def _streams(cost: dict[str, Any]) -> list[list[str]]:
    rows = []
    for row in cost["streams"]:
        ages = [f"{row[key]:.1f}" if key in row else "–" for key in ("age_p50_ms", "age_p99_ms", "fed_late_p99_ms")]
        how = "in steps" if row["steps"] else "whole"
        rows.append([cost["backend"], f"{row['hop_s']:g}", how, str(row["carried"]), _whole(row["not_carried"]), *ages])
    return rows


def _stream(result: dict[str, Any]) -> list[str]:
    stream, live, words = result["stream"], result["live"], result["words"]
    steps = f"reading, voice activity, {'' if words is None else 'recogniser, '}schedule, trajectory, publishing"
    lines = [
        f"rest              {stream['rest_ms_a_point']:.2f} ms a point: {steps}",
        f"speed             {stream['times_real_time']:.1f} × real time at {stream['hop_s']} s hop on {stream['sound_s']} s of "
        f"sound with silences ({stream['times_real_time_if_nobody_paused']:.1f} × if nobody paused)",
        f"live              {100 * stream['cpu_share_live']:.1f} % of a core, {100 * live['room_noise_cpu_share']:.1f} % in a "
        f"quiet room; a device's callback takes {live['callback_p50_us']:.0f} µs (p99 {live['callback_p99_us']:.0f})",
        f"start to READY    {result['start_to_ready_s']:.2f} s",
        f"peak memory       {stream['peak_rss_mb']:.0f} MB",
    ]
    if words is not None:
        share = words["of_real_time_while_speaking"]
        lines.append(
            f"words             {'–' if share is None else f'{share:.2f}'} of real time while someone speaks, by "
            f"{words['recogniser']}; up to {words['longest_block_ms']:.0f} ms at once"
        )
    return lines


def _peer(cost: dict[str, Any]) -> str:
    name = f"{cost['peer']:<17} "
    if "unavailable" in cost:
        return name + str(cost["unavailable"])
    line = name + _median(cost)
    if "beside" in cost:
        hops = [f"{times:.1f} × a hop of {hop} s" for hop, times in cost["times_hop"].items()]
        line += ": " + ", ".join([f"{cost['times_window']:.1f} × a window of {cost['beside']}", *hops])
    return line


def _times(row: dict[str, Any]) -> list[str]:
    return [f"{row['p50_ms']:.2f}", f"{row['p99_ms']:.2f}"]


def _median(row: dict[str, Any]) -> str:
    return f"{row['p50_ms']:.2f} ms (p99 {row['p99_ms']:.2f})"


def _whole(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def _section(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["", title, *_table(header, rows)] if rows else []


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns two spaces apart: the first to the left, numbers to the right."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return [
        "  ".join(
            word.ljust(width) if place == 0 else word.rjust(width)
            for place, (word, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in (header, *rows)
    ]
