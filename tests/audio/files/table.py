"""The table of containers and defects in docs/recordings.md: ``python -m tests.audio.files.table`` prints it anew."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stream_ser.audio.recording import open_recording
from stream_ser.audio.source import Notice
from stream_ser.errors import SourceError
from stream_ser.types import Block

from .defects import CONTAINERS, made, noise, open_ended, rate_of, with_length

DEFECTS: dict[str, Callable[[str, bytes], bytes]] = {
    "none": lambda _, data: data,
    "cut off": lambda _, data: data[: int(len(data) * 0.97)],
    "joined": lambda _, data: data + data,
    "length 0": lambda name, data: with_length(name, data, lambda _: 0),
    "to the end": open_ended,
    "half": lambda name, data: with_length(name, data, lambda length: length // 4 * 2),
    "44 over": lambda name, data: with_length(name, data, lambda length: length + 44),
    "double": lambda name, data: with_length(name, data, lambda length: 2 * length),
    "odd": lambda name, _: made(name, noise(rate=rate_of(name))[:-1]),
}


def hear(data: bytes) -> tuple[np.ndarray, list[Notice], SourceError | None]:
    """What is heard of a file, what is said of it, and why it ended too early."""
    blocks, notices, failure = [np.zeros(0, dtype=np.float32)], [], None
    try:
        for item in open_recording("file", speed=None, content=data):
            if isinstance(item, Notice):
                notices.append(item)
            elif isinstance(item, Block):
                blocks.append(item.samples)
    except SourceError as error:
        failure = error
    return np.concatenate(blocks), notices, failure


def outcome(name: str, defect: str) -> str:
    """What becomes of a container with a defect, as a word of the table."""
    try:
        data = DEFECTS[defect](name, made(name))
    except KeyError:
        return "–"
    heard, notices, failure = hear(data)
    whole = hear(made(name))[0]
    told = any(notice.level == "warning" for notice in notices)
    expected = 2 * len(whole) if defect == "joined" else len(whole) - (defect == "odd") * 16_000 // rate_of(name)
    if failure is not None:
        assert "\n" not in str(failure)
        assert failure.fix
        named = "cut off" if "is cut off" in failure.what else "refused"
        return f"{named}, told" if len(heard) <= expected else "wrong"
    if len(heard) != expected:
        return ("more, " if len(heard) > expected else "less, ") + ("told" if told else "untold")
    near = len(whole) - 200  # the resampler looks ahead
    same = np.array_equal(heard[:near], whole[:near]) or defect == "odd" or "Ogg" in name or name == "MP3"
    again = defect != "joined" or np.allclose(heard[len(whole) + 400 :], whole[400:], atol=1e-4)
    return "wrong" if not same or not again else "whole, told" if told else "whole"


def rows() -> list[str]:
    """The table's lines."""
    lines = ["| container | " + " | ".join(DEFECTS) + " |", "|---" * (len(DEFECTS) + 1) + "|"]
    for name in CONTAINERS:
        lines.append(f"| {name} | " + " | ".join(outcome(name, defect) for defect in DEFECTS) + " |")
    return lines


if __name__ == "__main__":
    print("\n".join(rows()))
