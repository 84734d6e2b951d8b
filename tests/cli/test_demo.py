"""``stream-ser demo`` is ``replay`` of the bundled recording, and takes what replay takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import read_lines, refused, trajectory

Command = Callable[..., tuple[int, str, str]]


def test_it_gives_the_trajectory_of_the_bundled_recording(command: Command, bundled: Path, tmp_path: Path) -> None:
    shown, analysed = tmp_path / "demo.jsonl", tmp_path / "analyze.jsonl"
    code, out, error = command("demo", "--speed", "max", "--headless", "--feed", "off", "--hop", 0.5, "--out", shown)
    assert (code, error) == (0, "")
    assert "recording conversation.flac (16000 Hz, 1 ch, 38.3 s)" in out
    assert "finished: 38.3 s of sound" in out
    assert command("analyze", bundled, "--hop", 0.5, "--out", analysed)[0] == 0
    assert trajectory(read_lines(shown)) == trajectory(read_lines(analysed))


def test_it_refuses_what_replay_refuses(command: Command) -> None:
    refused(command("demo", "--speed", "fast", "--feed", "off"), "'fast' is not a speed")
