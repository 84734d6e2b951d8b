"""One recording, one trajectory: live pace, ten times faster, unpaced, offline, and however the sound was cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from stream_ser.feed.hub import Hub
from stream_ser.pipeline.runtime import Options, Runtime
from stream_ser.types import Block, SourceInfo
from tests.conftest import read_lines, trajectory

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def offline(talk: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    from stream_ser.cli.main import main

    out = tmp_path_factory.mktemp("offline") / "offline.jsonl"
    assert main(["analyze", str(talk), "--out", str(out)]) == 0
    points = trajectory(read_lines(out))
    assert any('"state": "speech"' in point for point in points)
    assert any('"state": "silence"' in point for point in points)
    return points


@pytest.mark.parametrize("speed", ["max", "10", "37.5"])
def test_replay_at_any_speed_equals_analyze(
    command: Command, talk: Path, tmp_path: Path, offline: list[str], speed: str
) -> None:
    out = tmp_path / "replay.jsonl"
    code, _, error = command("replay", talk, "--speed", speed, "--headless", "--feed", "off", "--out", out)
    assert (code, error) == (0, "")
    assert trajectory(read_lines(out)) == offline


class Cut:
    """The samples of a file in blocks of one size: what a source yields, without its pacing."""

    def __init__(self, path: Path, size: int) -> None:
        self.samples, rate = soundfile.read(path, dtype="float32")
        self.size = size
        self.info = SourceInfo("recording", path.name, rate, 1, len(self.samples) / rate, live=False)

    def __iter__(self) -> Iterator[Block]:
        for start in range(0, len(self.samples), self.size):
            yield Block(start, np.ascontiguousarray(self.samples[start : start + self.size]))

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("size", [1, 160, 441, 16_000])
def test_block_size_changes_nothing(talk: Path, offline: list[str], size: int) -> None:
    received: list[dict[str, Any]] = []
    with Runtime(Options(feed="off")) as runtime:
        runtime.hub.attach(received.append)
        session = runtime.session(Cut(talk, size), talk.name)
        session.start()
        assert session.wait(60.0)
    assert trajectory(received) == offline


def test_a_second_stream_on_the_same_worker_changes_nothing(talk: Path, bundled: Path, offline: list[str]) -> None:
    received: list[dict[str, Any]] = []
    with Runtime(Options(feed="off")) as runtime:
        runtime.hub.attach(received.append)
        sessions = [runtime.session(Cut(talk, 320), talk.name), runtime.session(Cut(bundled, 320), "other")]
        for session in sessions:
            session.start()
        assert all(session.wait(60.0) for session in sessions)
    assert trajectory([message for message in received if message["stream"] == talk.name]) == offline


def test_the_hub_of_a_runtime_is_its_own() -> None:
    with Runtime(Options(feed="off")) as one, Runtime(Options(feed="off")) as other:
        assert isinstance(one.hub, Hub)
        assert one.hub is not other.hub
