"""One recording, one trajectory: live pace, ten times faster, unpaced, offline, and however the sound was cut.

What is published is rounded, so what the engine is given is compared too, bit by bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from stream_ser.audio.timeline import Conditioner
from stream_ser.engine.worker import Worker
from stream_ser.feed.hub import Hub
from stream_ser.pipeline.runtime import Options, Runtime
from stream_ser.types import Block, Gap, SourceInfo, Window
from tests.conftest import read_lines, trajectory

Command = Callable[..., tuple[int, str, str]]
Windows = dict[tuple[str, int], str]  # what the samples of each window come to, by its stream and end
PATIENCE_S = 600.0  # blocks of one sample take their time on a loaded machine


@contextmanager
def given_to_the_engine() -> Iterator[Windows]:
    """All windows that any worker is asked about meanwhile."""
    windows, submit = Windows(), Worker.submit

    def noting(worker: Worker, window: Window, *more: Any) -> bool:
        windows[window.stream, window.end] = hashlib.sha256(window.samples.tobytes()).hexdigest()
        return submit(worker, window, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Worker, "submit", noting)
        yield windows


@pytest.fixture(scope="module")
def offline(talk: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Windows]:
    from stream_ser.cli.main import main

    out = tmp_path_factory.mktemp("offline") / "offline.jsonl"
    with given_to_the_engine() as windows:
        assert main(["analyze", str(talk), "--out", str(out)]) == 0
    points = trajectory(read_lines(out))
    assert any('"state": "speech"' in point for point in points)
    assert any('"state": "silence"' in point for point in points)
    assert len(windows) > 10
    return points, windows


@pytest.mark.parametrize("speed", ["max", "10", "37.5"])
def test_replay_at_any_speed_equals_analyze(
    command: Command, talk: Path, tmp_path: Path, offline: tuple[list[str], Windows], speed: str
) -> None:
    out = tmp_path / "replay.jsonl"
    with given_to_the_engine() as windows:
        code, _, error = command("replay", talk, "--speed", speed, "--headless", "--feed", "off", "--out", out)
    assert (code, error) == (0, "")
    assert (trajectory(read_lines(out)), windows) == offline


class Cut:
    """The samples of a file in pieces of one size: what a source yields of them, without its pacing."""

    def __init__(self, path: Path, size: int) -> None:
        self.samples, rate = soundfile.read(path, dtype="float32")
        self.size = size
        self.info = SourceInfo("recording", path.name, rate, 1, len(self.samples) / rate, live=False)

    def __iter__(self) -> Iterator[Block | Gap]:
        conditioner = Conditioner(self.info.rate)
        for start in range(0, len(self.samples), self.size):
            yield from conditioner.push(self.samples[start : start + self.size, np.newaxis], arrived_ns=0)
        yield from conditioner.finish(arrived_ns=0)

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("size", [1, 160, 441, 16_000])
def test_block_size_changes_nothing(talk: Path, offline: tuple[list[str], Windows], size: int) -> None:
    received: list[dict[str, Any]] = []
    with given_to_the_engine() as windows, Runtime(Options(feed="off")) as runtime:
        runtime.hub.attach(received.append)
        session = runtime.session(Cut(talk, size), talk.name)
        session.start()
        assert session.wait(PATIENCE_S)
    assert (trajectory(received), windows) == offline


def test_a_second_stream_on_the_same_worker_changes_nothing(
    talk: Path, bundled: Path, offline: tuple[list[str], Windows]
) -> None:
    received: list[dict[str, Any]] = []
    with given_to_the_engine() as windows, Runtime(Options(feed="off")) as runtime:
        runtime.hub.attach(received.append)
        sessions = [runtime.session(Cut(talk, 320), talk.name), runtime.session(Cut(bundled, 320), "other")]
        for session in sessions:
            session.start()
        assert all(session.wait(PATIENCE_S) for session in sessions)
    of_talk = {place: windows[place] for place in windows if place[0] == talk.name}
    assert (trajectory([message for message in received if message["stream"] == talk.name]), of_talk) == offline


def test_the_hub_of_a_runtime_is_its_own() -> None:
    with Runtime(Options(feed="off")) as one, Runtime(Options(feed="off")) as other:
        assert isinstance(one.hub, Hub)
        assert one.hub is not other.hub
