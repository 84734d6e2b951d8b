"""How calm the screen's headline is: how often its word changes a minute while a recording plays.

    python -m stream_ser.bench.headline [FILE]

Beside it how often the newest point's own word does, label or state: what a headline would show that followed it. By the
recording's time, so the pace of the machine does not matter.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from contextlib import closing
from itertools import pairwise
from pathlib import Path

from stream_ser.audio.bundled import bundled_recording
from stream_ser.audio.recording import open_recording
from stream_ser.feed.message_types import Message
from stream_ser.pipeline.runtime import Options, Runtime, run_to_end
from stream_ser.tui.state.stream_state import ScreenState


def changes_a_minute(messages: Iterable[Message]) -> dict[str, float]:
    """Changes a minute of the newest point's word, and of the headline's, over one stream's messages.

    Raises ValueError where there are no points.
    """
    state, points, words = ScreenState(), [], []
    for message in messages:
        if message["type"] == "end":
            break
        state.consume(message, message["t"] if message["type"] == "point" else 0.0)
        if message["type"] == "point":
            points.append(message["label"] or message["state"])
            words.append(state.newest(message["t"]).shown or "")
    if not points:
        raise ValueError("there are no points")
    minutes = len(points) * state.hop_s / 60.0
    return {name: _changes(found) / minutes for name, found in (("points", points), ("headline", words))}


def _changes(words: list[str]) -> int:
    return sum(one != other for one, other in pairwise(words))


def main() -> None:
    """Measure, and print a line."""
    parser = argparse.ArgumentParser(
        prog="python -m stream_ser.bench.headline", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("file", nargs="?", type=Path, default=bundled_recording(), help="default: the bundled one")
    path = parser.parse_args().file
    messages: list[Message] = []
    with Runtime(Options(feed="off")) as runtime, closing(open_recording(path, speed=None)) as source:
        runtime.hub.attach(messages.append)
        run_to_end(runtime.session(source, path.name))
    found = changes_a_minute(messages)
    told = (
        f"{found['points']:.1f} changes a minute of the newest point's word, {found['headline']:.1f} of the headline's"
    )
    print(f"{path.name}: {told}")


if __name__ == "__main__":
    main()
