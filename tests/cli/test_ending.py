"""What is told when a stream is over, and what can be done next."""

from __future__ import annotations

import shlex
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from stream_ser.cli.ending import Ending, next_steps
from stream_ser.cli.main import parser
from tests.conftest import read_lines
from tests.tui import wire

Command = Callable[..., tuple[int, str, str]]


def told(*messages: object) -> Ending:
    ending = Ending()
    for message in messages:
        ending(message)  # type: ignore[arg-type]
    return ending


def over() -> Ending:
    return told(*wire.story(), wire.end())


def options(*words: str) -> Namespace:
    found: Namespace = parser().parse_args(list(words))
    return found


def test_the_whole_trajectory_then_emotions_and_milliseconds_only_when_asked() -> None:
    lines = over().lines()
    assert lines[0].startswith("finished: 40.1 s of sound, 160 points")
    assert [line.split()[0] for line in lines[2:6]] == wire.LABELS
    assert lines[-1] == (
        "expressed emotion where labelled: angry 45 %, happy 30 %, neutral 25 %; speech 24.5 s, silence 13.5 s"
    )
    assert not any(" ms" in line for line in lines)
    assert over().lines(verbose=True)[len(lines) :] == [
        "the model took 3.2 ms a window (p99 6.5)",
        "a point came 3.2 ms after its sound (p99 6.5)",
    ]


def test_a_recording_too_short_for_a_point_says_so(command: Command, write_sound: Callable[..., Path]) -> None:
    import numpy as np

    code, out, _ = command("analyze", write_sound("short.wav", 0.1 * np.sin(np.arange(1600) / 10)))
    assert code == 0
    assert out.splitlines()[-1] == "too short for a point: 0.10 s of sound, and a point comes every 0.25 s"


def test_nothing_is_told_before_the_end_and_the_next_stream_is_told_alone() -> None:
    assert told(*wire.story()).lines() == []
    assert told().lines() == []
    again = told(*wire.story(), wire.end(), *wire.story(20), wire.end(duration_s=5.0))
    assert again.lines()[1].split() == ["00:00.0", f"00:{20 * wire.HOP / 16_000:04.1f}"]


def test_a_recording_can_be_heard_again_from_a_place_and_saved(tmp_path: Path) -> None:
    file = tmp_path / "my talk.wav"
    given = options("replay", str(file), "--model", "cnn-bilstm", "--hop", "0.5", "--no-baseline")
    head, again, save = next_steps(given, file, over(), None)
    assert head == "next:"
    command = shlex.split(again[again.index("stream-ser") :])
    parsed = parser().parse_args(command[1:])
    assert (parsed.files, parsed.model, parsed.hop, parsed.baseline) == ([str(file)], "cnn-bilstm", 0.5, False)
    ending = over()
    assert ending.glance is not None
    assert ending.glance.longest is not None
    assert float(parsed.place) == pytest.approx(ending.glance.longest.start / 16_000, abs=0.005)
    assert ending.glance.longest.label in again
    saved = parser().parse_args(shlex.split(save[save.index("stream-ser") :])[1:])
    assert saved.out == Path("my talk.csv")
    assert (saved.speed, saved.headless) == ("max", True)


def test_what_was_written_can_be_seen_made_into_others_and_found(tmp_path: Path) -> None:
    out = tmp_path / "all.jsonl"
    steps = next_steps(options("live", "--out", str(out)), None, over(), out)
    commands = [step[step.index("  ", 3) :].strip() for step in steps[1:]]
    assert commands == [
        f"stream-ser watch {out}",
        f"stream-ser export {out} --to csv,textgrid,vtt",
        f"xdg-open {tmp_path}",
    ]


def test_nothing_is_offered_where_nothing_was_heard(tmp_path: Path) -> None:
    empty = told(wire.hello(), wire.end(points=0))
    assert next_steps(options("replay", "x.wav"), Path("x.wav"), empty, None) == []
    assert next_steps(options("live"), None, told(), None) == []
    assert next_steps(options("live"), None, over(), None) == []


def test_a_replay_begins_at_the_place_that_is_asked_for(command: Command, bundled: Path, tmp_path: Path) -> None:
    out = tmp_path / "part.jsonl"
    call = ("replay", bundled, "--from", "0:30", "--speed", "max", "--headless", "--feed", "off", "--out", out)
    assert command(*call)[0] == 0
    hello = read_lines(out)[0]
    assert hello["source"]["offset_s"] == 30.0
    assert read_lines(out)[-1]["duration_s"] == pytest.approx(8.3, abs=0.1)
    code, _, error = command("replay", bundled, "--from", "soon", "--feed", "off")
    assert code == 2
    assert error == "stream-ser: --from 'soon' is no place; give minutes and seconds, as 1:23, or seconds\n"
