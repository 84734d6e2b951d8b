"""``analyze FOLDER``: what is in the folder of results after a run, a broken run, and a run that was started again."""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import pytest

from tests.archive.runs import Run, contents, run, start
from tests.conftest import BUNDLED, read_lines, refused

Command = Callable[..., tuple[int, str, str]]
ONE = ("--jobs", "1")  # so that one knows which comes next; several are in tests/archive/test_processes.py
FORMATS, SUFFIXES = "jsonl,csv,textgrid", ("jsonl", "csv", "TextGrid")


@pytest.fixture(scope="module")
def archive(talk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six recordings in three folders, two that are bad, and what is no recording. Tests must not change it."""
    folder = tmp_path_factory.mktemp("archive")
    for name in ("a.wav", "b/a.wav", "b/c/d.WAV", "b/ü é.wav"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(talk.read_bytes())
    (folder / "b" / "long.flac").write_bytes(BUNDLED.read_bytes())
    (folder / "b" / "cut.wav").write_bytes(talk.read_bytes()[:200_000])
    (folder / "empty.mp3").touch()
    for name in ("notes.txt", ".hidden.wav", "b/call.m4p", ".git/x.wav"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("no recording")
    return folder


@pytest.fixture(scope="module")
def unbroken(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run from beginning to end, one recording after another."""
    out = tmp_path_factory.mktemp("results") / "out"
    return run(archive, out, "--to", FORMATS, *ONE)


def test_every_recording_has_its_results_and_bad_ones_are_listed(unbroken: Run) -> None:
    out, code, printed, error = unbroken
    assert code == 2
    whole = ["a.wav", "b/a.wav", "b/c/d.WAV", "b/cut.wav", "b/long.flac", "b/ü é.wav"]
    names = [f"{name}.{suffix}" for name in whole for suffix in SUFFIXES]
    assert sorted(contents(out)) == sorted([*names, "index.jsonl"])
    for name in whole:
        lines = read_lines(out / f"{name}.jsonl")
        assert [line["seq"] for line in lines] == list(range(len(lines)))
        assert lines[0]["stream"] == name
        read = pandas.read_csv(out / f"{name}.csv")
        assert read["end"].tolist() == [line["end"] for line in lines if line["type"] == "point"]
    assert printed.splitlines()[0].startswith("1/7 a.wav: 12.0 s, 48 points, happy ")
    assert printed.splitlines()[-1].startswith("7 recordings; 92.5 s of sound in ")
    told = error.splitlines()
    assert told[0] == "stream-ser: 1 .m4p left out: convert them first, as ffmpeg -i a.m4p a.wav"
    assert "b/cut.wav is cut off" in told[1]
    assert "empty.mp3 is empty" in told[2]
    assert told[3] == "stream-ser: 2 of 7 recordings could not be analysed to their end"
    assert len(told) == 4


def test_the_index_says_what_became_of_each(unbroken: Run) -> None:
    out = unbroken.out
    entries = read_lines(out / "index.jsonl")
    assert [entry["file"] for entry in entries] == [
        "a.wav", "b/a.wav", "b/c/d.WAV", "b/cut.wav", "b/long.flac", "b/ü é.wav", "empty.mp3",
    ]  # fmt: skip
    by_name = {entry["file"]: entry for entry in entries}
    end = read_lines(out / "b" / "long.flac.jsonl")[-1]
    long = by_name["b/long.flac"]
    assert (long["points"], long["duration_s"], long["share"]) == (
        153,
        end["duration_s"],
        {label: part for label, part in end["summary"]["share"].items() if part},
    )
    assert (long["error"], long["to"], long["hop_s"]) == (None, ["csv", "jsonl", "textgrid"], 0.25)
    assert by_name["b/cut.wav"]["points"] > 10
    assert "cut off" in by_name["b/cut.wav"]["error"]
    assert (by_name["empty.mp3"]["points"], by_name["empty.mp3"]["share"]) == (0, None)
    assert len({entry["settings"] for entry in entries}) == 1


def test_a_run_that_was_killed_and_started_again_ends_with_the_same_files(
    command: Command, archive: Path, unbroken: Run, tmp_path: Path
) -> None:
    """It is killed twice by SIGKILL: in the middle of a recording, and soon after another."""
    broken, expected = tmp_path / "broken", contents(unbroken.out)
    options = ("--to", FORMATS, *ONE)

    with start(archive, "--out", broken, *options) as process:
        part = broken / "b" / "long.flac.messages.part"
        while not (part.exists() and part.stat().st_size > 5_000):
            assert process.poll() is None, "the recording was over before it could be killed"
            time.sleep(0.001)
        process.kill()
    assert part.exists()
    check_whole(broken, expected, 4)

    with start(archive, "--out", broken, *options) as process:
        assert process.stdout is not None
        while "b/cut.wav" not in (line := process.stdout.readline()):
            assert line, "it ended before it could be killed"
        process.kill()
    check_whole(broken, expected, 4)

    code, printed, _ = command("analyze", archive, "--out", broken, *options)
    assert code == 2
    assert " of them done before" in printed
    assert "1/7 a.wav" not in printed
    assert contents(broken) == expected


def check_whole(folder: Path, expected: dict[str, Any], least: int) -> None:
    """What has its name is whole; the rest says by its name that it is not."""
    found = contents(folder)
    named = {name for name in found if not name.endswith((".part", "index.journal"))}
    assert len(expected) > len(named) >= 3 * (least - 1)
    assert {name: found[name] for name in named} == {name: expected[name] for name in named}


def test_what_is_done_is_not_done_again(command: Command, talk: Path, archive: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "folder", tmp_path / "out"
    folder.mkdir()
    for name in ("a.wav", "b.wav", "c.wav"):
        (folder / name).symlink_to(talk)
    (folder / "cut.wav").symlink_to(archive / "b" / "cut.wav")
    command("analyze", folder, "--out", out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.jsonl")}
    _, printed, _ = command("analyze", folder, "--out", out)
    assert "4 recordings, 3 of them done before" in printed
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*.jsonl")}
    assert {path.name for path in before if before[path] != after[path]} == {"cut.wav.jsonl", "index.jsonl"}

    (folder / "a.wav").unlink()
    (folder / "a.wav").write_bytes(talk.read_bytes())  # another recording under the same name
    (out / "b.wav.jsonl").unlink()
    _, printed, _ = command("analyze", folder, "--out", out)
    assert "4 recordings, 1 of them done before" in printed
    _, printed, _ = command("analyze", folder, "--out", out, "--hop", "0.5")
    assert "done before" not in printed


def test_formats_that_are_wanted_later_are_made_from_the_messages(
    command: Command, archive: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command("analyze", archive / "b" / "c", "--out", out)
    before = (out / "d.WAV.jsonl").stat().st_mtime_ns
    code, printed, _ = command("analyze", archive / "b" / "c", "--out", out, "--to", "csv,rttm")
    assert (code, "1 recordings, 1 of them done before; no new sound" in printed) == (0, True)
    assert sorted(path.name for path in out.iterdir()) == ["d.WAV.csv", "d.WAV.jsonl", "d.WAV.rttm", "index.jsonl"]
    assert (out / "d.WAV.jsonl").stat().st_mtime_ns == before
    command("analyze", archive / "b" / "c", "--out", out, "--to", "csv", "--hop", "0.5")
    _, printed, _ = command("analyze", archive / "b" / "c", "--out", out, "--to", "vtt", "--hop", "0.5")
    assert "done before" not in printed, "the messages that are there are of another hop"


def test_ctrl_c_leaves_whole_files_only(archive: Path, unbroken: Run, tmp_path: Path, command: Command) -> None:
    out = tmp_path / "out"
    with start(archive, "--out", out, "--to", FORMATS, *ONE) as process:
        part = out / "b" / "long.flac.messages.part"
        while not (part.exists() and part.stat().st_size > 5_000):
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=100)
    assert process.returncode == 130
    assert error == "stream-ser: interrupted; start it again to go on\n"
    assert not list(out.rglob("*.part"))
    command("analyze", archive, "--out", out, "--to", FORMATS)
    assert contents(out) == contents(unbroken.out)


def test_a_full_disk_ends_the_run_and_leaves_no_half_file(
    archive: Path, unbroken: Run, tmp_path: Path, command: Command
) -> None:
    """The system refuses to let any file grow beyond 60 KiB, which is less than the messages of the long recording."""
    out = tmp_path / "out"
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))  # noqa: E731
    with start(archive, "--out", out, "--to", FORMATS, *ONE, preexec_fn=limit) as process:
        _, error = process.communicate(timeout=300)
    assert process.returncode == 2
    assert "File too large" in error
    assert "start it again" in error
    assert len(error.splitlines()) == 1
    whole = [f"{name}.{suffix}" for name in ("a.wav", "b/a.wav", "b/c/d.WAV", "b/cut.wav") for suffix in SUFFIXES]
    assert sorted(contents(out)) == sorted([*whole, "index.journal"])
    command("analyze", archive, "--out", out, "--to", FORMATS)
    assert contents(out) == contents(unbroken.out)


def test_two_runs_at_once_are_refused(archive: Path, tmp_path: Path, command: Command) -> None:
    fcntl = pytest.importorskip("fcntl")
    out = tmp_path / "out"
    out.mkdir()
    with (out / "index.journal").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused(command("analyze", archive, "--out", out), "another run", "--out")


@pytest.mark.parametrize("torn", [b'{"file": "a.wav", "err', b"\xff\xfe", b"[]\n", b'{"file": 3, "error": null}\n'])
def test_a_journal_that_a_crash_cut_off(archive: Path, tmp_path: Path, command: Command, torn: bytes) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "index.journal").write_bytes(torn)
    assert command("analyze", archive / "b" / "c", "--out", out)[0] == 0
    assert [entry["file"] for entry in read_lines(out / "index.jsonl")] == ["d.WAV"]
    assert not (out / "index.journal").exists()


def test_names_that_are_no_text_and_names_that_are_too_long(talk: Path, tmp_path: Path, command: Command) -> None:
    folder, out = tmp_path / "odd", tmp_path / "out"
    folder.mkdir()
    odd = os.fsencode(folder) + b"/\xff\x1b[2J.wav"
    try:
        with open(odd, "wb") as file:
            file.write(talk.read_bytes())
    except OSError:
        pytest.skip("this file system takes text only")
    (folder / f"{'x' * 250}.wav").write_bytes(talk.read_bytes())
    (folder / "z.wav").write_bytes(talk.read_bytes())
    code, printed, error = command("analyze", folder, "--out", out, "--to", "jsonl,csv")
    assert code == 2
    assert "\x1b" not in printed + error
    assert "File name too long" in error
    assert "is not UTF-8; give it another name" in error
    assert "2 of 3" in error
    assert {path.name for path in out.glob("z.wav.*")} == {"z.wav.jsonl", "z.wav.csv"}
    _, printed, _ = command("analyze", folder, "--out", out, "--to", "jsonl,csv")
    assert "1 of them done before" in printed


def test_options_that_make_no_sense(archive: Path, tmp_path: Path, talk: Path, command: Command) -> None:
    out = tmp_path / "out"
    refused(command("analyze", archive), "is a folder", "--out FOLDER")
    refused(command("analyze", archive, talk, "--out", out), "alone")
    refused(command("analyze", archive, "--out", out, "--transcript", "said.csv"), "alone")
    refused(command("analyze", archive, "--out", out, "--to", "mp3"), "'mp3'", "csv")
    refused(command("analyze", archive, "--out", talk), "cannot write into")
    (tmp_path / "nothing").mkdir()
    refused(command("analyze", tmp_path / "nothing", "--out", out), "no recording", "nothing")
    assert not out.exists()


def test_the_journal_is_on_the_disk_before_the_next_recording(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with start(archive, "--out", out, *ONE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("1/7 a.wav")
        lines = (out / "index.journal").read_text().splitlines()
        assert json.loads(lines[0])["file"] == "a.wav"
        process.kill()
