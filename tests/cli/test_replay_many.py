"""Many recordings at once through one engine."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE

import pytest

from stream_ser.cli.replay_many import Totals, stream_names
from tests.conftest import refused
from tests.feed.wire import end_message, point_message
from tests.tui import wire

Command = Callable[..., tuple[int, str, str]]


def test_streams_have_different_names() -> None:
    assert stream_names(["a/x.wav", "b/x.wav", "y.wav", "a/x.wav"]) == ["x.wav", "x.wav (2)", "y.wav", "x.wav (3)"]


def named(stream: str, **changes: object) -> dict[str, object]:
    return {**end_message(stream), **changes}


def test_the_table_has_emotions_first_and_a_line_a_recording() -> None:
    totals = Totals()
    long = "a/very/long/" + "way/" * 20 + "x.wav"
    for message in (wire.hello(), point_message(), named("a.wav"), named(long, reason="stopped")):
        totals(message)
    head, first, second = totals.table()
    share = end_message()["summary"]["share"]
    assert head.split() == [*wire.LABELS, "speech", "sound"]
    assert first.split()[0] == "a.wav"
    assert (
        first.split()[1:5]
        == [
            part
            for label in wire.LABELS
            for part in ([f"{100 * share[label]:.0f}", "%"] if share.get(label) else ["–"])
        ][:4]
    )
    assert second.startswith("…")
    assert second.split("  ")[0].endswith("way/x.wav")
    assert second.endswith("stopped")
    assert len(first) + len("  stopped") == len(second)


def test_totals_say_whether_the_machine_kept_up_and_the_rest_when_asked() -> None:
    totals = Totals()
    for message in (wire.hello(), point_message(), point_message(), end_message()):
        totals(message)
    lines = list(totals.lines(0.25, 20.0, paced=True))
    assert lines[-2] == "1 recordings, 40.1 s of sound, 0 windows dropped"
    assert lines[-1] == "kept up with real time"
    assert not [line for line in lines if "_ms" in line or " ms" in line]
    told = list(totals.lines(0.25, 20.0, paced=True, verbose=True))
    assert told[-1].startswith("kept up with real time: 99 % of all points are at most 7")
    assert any("compute" in line for line in told)
    assert list(totals.lines(0.005, 20.0, paced=True))[-1].startswith("did not keep up with real time: 99 %")
    assert list(totals.lines(0.25, 20.0, paced=False))[-1] == "in 20.0 s: 2.0 × real time, all together"


def test_recordings_play_at_once_and_a_bad_one_stops_no_other(command: Command, talk: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no sound at all")
    code, out, error = command("replay", talk, bad, talk, talk, "--speed", "max", "--feed", "off")
    assert code == 2
    assert "bad.wav" in error
    assert [line[:12].strip() for line in out.splitlines()[1:4]] == ["talk.wav", "talk.wav (2)", "talk.wav (3)"]
    assert "3 recordings, 36.0 s of sound, 0 windows dropped" in out
    assert "× real time, all together" in out


@pytest.mark.parametrize("verb", ["replay", "analyze"])
def test_ctrl_c_on_several_recordings_prints_what_was_found_so_far(bundled: Path, tmp_path: Path, verb: str) -> None:
    files = [tmp_path / f"{number}.flac" for number in range(30 if verb == "analyze" else 3)]
    for file in files:
        file.symlink_to(bundled)
    paced = ["--feed", "off", "--speed", "4", "--out", tmp_path / "all.jsonl"]
    run = [sys.executable, "-m", "stream_ser.cli", verb, *files, *(paced if verb == "replay" else ())]
    with subprocess.Popen(list(map(str, run)), stdout=PIPE, stderr=PIPE, text=True) as process:
        assert process.stdout is not None
        if verb == "analyze":  # two are over, and the third is heard
            while process.stdout.readline().count("recording 2.flac") == 0:
                assert process.poll() is None
        else:
            part = tmp_path / "all.jsonl.part"
            while not part.exists() or part.read_text().count('"label":"happy"') < 3:
                assert process.poll() is None
                time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        output, error = process.communicate(timeout=20)
    assert (process.returncode, error) == (130, "")
    head = next(n for n, line in enumerate(output.splitlines()) if line.split()[-2:] == ["speech", "sound"])
    rows = output.splitlines()[head + 1 : head + 4]
    assert [row.split()[0] for row in rows[:2]] == ["0.flac", "1.flac"]
    assert all("%" in row for row in rows[:2])
    if verb == "replay":
        assert all(row.endswith("stopped") for row in rows)


@pytest.mark.parametrize(
    ("more", "words"),
    [(["-"], "standard input"), (["--transcript", "said.csv"], "transcript"), (["--from", "1:00"], "--from")],
)
def test_what_belongs_to_one_recording(command: Command, talk: Path, more: list[str], words: str) -> None:
    refused(command("replay", talk, talk, *more, "--feed", "off"), words, "play it alone")
