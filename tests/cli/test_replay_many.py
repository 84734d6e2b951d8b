"""Many recordings at once through one engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stream_ser.cli.replay_many import Totals, stream_names
from tests.conftest import refused
from tests.feed.wire import end_message, point_message

Command = Callable[..., tuple[int, str, str]]


def test_streams_have_different_names() -> None:
    assert stream_names(["a/x.wav", "b/x.wav", "y.wav", "a/x.wav"]) == ["x.wav", "x.wav (2)", "y.wav", "x.wav (3)"]


def test_totals_say_whether_the_machine_kept_up() -> None:
    totals = Totals()
    for message in (point_message(), point_message(), end_message()):
        totals(message)
    lines = list(totals.lines(0.25, 20.0, paced=True))
    assert lines[0] == "1 streams, 40.1 s of sound, 0 windows dropped; points: speech 2"
    assert lines[-1].startswith("kept up with real time: 99 % of all points are at most 7")
    assert "did not keep up" in list(totals.lines(0.005, 20.0, paced=True))[-1]
    assert list(totals.lines(0.25, 20.0, paced=False))[-1] == "in 20.0 s: 2.0 × real time, all streams together"


def test_recordings_play_at_once_and_a_bad_one_stops_no_other(command: Command, talk: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no sound at all")
    code, out, error = command("replay", talk, bad, talk, talk, "--speed", "max", "--feed", "off")
    assert code == 2
    assert "bad.wav" in error
    assert "3 streams" in out
    assert " 0 windows dropped" in out
    assert "× real time, all streams together" in out


@pytest.mark.parametrize(("more", "words"), [(["-"], "standard input"), (["--transcript", "said.csv"], "transcript")])
def test_what_belongs_to_one_recording(command: Command, talk: Path, more: list[str], words: str) -> None:
    refused(command("replay", talk, talk, *more, "--feed", "off"), words, "play it alone")
