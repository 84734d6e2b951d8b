from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas
import pytest

from stream_ser.errors import ConfigError, FeedError
from stream_ser.export.atomic import write_whole
from stream_ser.export.convert import beside, convert
from stream_ser.export.formats import FORMATS, by_names
from stream_ser.export.reading import read
from tests.conftest import refused
from tests.export import scene
from tests.tui import wire

Command = Callable[..., tuple[int, str, str]]


def test_one_stream_gives_a_file_of_each_format_beside_it(command: Command, tmp_path: Path) -> None:
    source = scene.write(tmp_path / "call.jsonl", scene.stream())
    code, out, error = command("export", source, "--to", ",".join(name for name in FORMATS if name != "jsonl"))
    assert (code, error) == (0, "")
    names = ["csv", "excel.csv", "rttm", "TextGrid", "vtt", "audformat.csv", "labels.txt", "png", "svg"]
    assert out.splitlines() == [str(tmp_path / f"call.{name}") for name in names]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["call.jsonl", *(f"call.{n}" for n in names)])
    assert pandas.read_csv(tmp_path / "call.csv")["end"].tolist() == [p["end"] for p in scene.points(scene.stream())]


def test_several_streams_give_files_that_say_which(command: Command, tmp_path: Path) -> None:
    names = ["c-1/customer", "c-1/agent", "C-1/Agent", "c-1/agent", "../../etc/passwd", "..", "客户", "x" * 300]
    streams = [scene.of(name, scene.stream()) for name in names]
    source = scene.write(tmp_path / "all.jsonl", *streams)
    code, out, _ = command("export", source, "--to", "csv,audacity", "--out", tmp_path / "new" / "folder")
    assert code == 0
    files = [Path(line) for line in out.splitlines()]
    assert len({str(file).casefold() for file in files}) == 2 * len(names)
    assert {file.parent for file in files} == {tmp_path / "new" / "folder"}
    told = ["c-1_customer", "c-1_agent", "C-1_Agent-2", "c-1_agent_2", "etc_passwd", "stream", "客户", "x" * 80]
    assert [file.name for file in files[: len(names)]] == [f"all.{name}.csv" for name in told]
    assert [pandas.read_csv(file)["stream"][0] for file in files[: len(names)]] == names
    assert files[-1].name == f"all.{'x' * 80}.labels.txt"


def test_streams_that_run_at_once_are_told_apart(tmp_path: Path) -> None:
    both = [m for pair in zip(scene.stream("a"), scene.stream("b"), strict=True) for m in pair]
    source = scene.write(tmp_path / "both.jsonl", both)
    for stream, name in zip(read(source), "ab", strict=True):
        assert [{**m, "seq": 0} for m in stream] == [{**m, "seq": 0} for m in scene.stream(name)]
        assert stream.end is not None


def test_a_feed_that_was_joined_again_repeats_hellos_and_has_other_messages(tmp_path: Path) -> None:
    messages = scene.stream()
    alive = {"type": "heartbeat", "seq": 1, "epoch": None, "time": "now"}
    lost = {"type": "dropped", "seq": 9, "epoch": None, "first": 3, "last": 9, "count": 7}
    source = scene.write(tmp_path / "a.jsonl", [*messages[:20], alive, lost, messages[0], *messages[20:]])
    (stream,) = read(source)
    assert [m["type"] for m in stream] == [m["type"] for m in messages]


def test_a_stream_whose_end_is_missing_and_a_line_that_was_cut_off(tmp_path: Path) -> None:
    source = scene.write(tmp_path / "a.jsonl.part", scene.stream())
    source.write_bytes(source.read_bytes()[:-700])
    (written,) = convert(source, beside(source, by_names("csv"), None))
    assert written.name == "a.csv"
    assert len(pandas.read_csv(written)) in (95, 96)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("{", "line 2.*not JSON"),
        ("[1]", "no object with a type"),
        ('{"type": "point", "stream": "call 1"}', "a point without start, end"),
        ('{"type": "notice", "stream": "other", "level": "info", "text": "x"}', "'other', of which there was no hello"),
        (
            '{"type": "hello", "stream": "x", "labels": [], "dimensions": [], "hop": 1, "model": {}, "schema": 99}',
            "schema 99",
        ),
    ],
)
def test_what_is_no_message_is_told_with_its_line(tmp_path: Path, line: str, word: str) -> None:
    source = scene.write(tmp_path / "a.jsonl", scene.stream()[:1])
    source.write_text(source.read_text() + line + "\n")
    with pytest.raises(ConfigError, match=word):
        read(source)


def test_messages_that_contradict_each_other(tmp_path: Path) -> None:
    for wrong in ({**wire.point(97), "raw": 3}, wire.point(1)):
        source = scene.write(tmp_path / "a.jsonl", scene.stream()[:-1], scene.of("call 1", [wrong]))
        with pytest.raises(ConfigError, match="are no trajectory"):
            convert(source, beside(source, by_names("csv,vtt"), None))
        assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("content", [None, "", "\n", "speech happy 0.5\n"])
def test_a_file_without_streams(command: Command, tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "a.jsonl").write_text(content)
    refused(command("export", tmp_path / "a.jsonl", "--to", "csv"), "a.jsonl")


def test_a_file_is_not_written_over_itself(command: Command, tmp_path: Path) -> None:
    source = scene.write(tmp_path / "a.jsonl", scene.stream())
    before = source.read_bytes()
    refused(command("export", source, "--to", "jsonl"), "a.jsonl", "--out")
    assert source.read_bytes() == before


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    """The system refuses to let any file grow beyond 4 KiB."""
    source = scene.write(tmp_path / "a.jsonl", scene.stream())
    (tmp_path / "a.csv").write_text("results of yesterday")
    run = [sys.executable, "-m", "stream_ser.cli", "export", str(source), "--to", "rttm,csv"]
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096))  # noqa: E731
    done = subprocess.run(run, preexec_fn=limit, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith(f"stream-ser: cannot write {tmp_path / 'a.csv'}: File too large; make room")
    assert (tmp_path / "a.csv").read_text() == "results of yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.jsonl", "a.rttm"]


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def breaks() -> list[bytes]:
        yield b"a" * 100_000
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a", breaks())
    with pytest.raises(FeedError, match=r"cannot write .*nowhere"):
        write_whole(tmp_path / "nowhere" / "a", [b""])
    assert not list(tmp_path.iterdir())
    write_whole(tmp_path / "a", [b"x", b"y"])
    assert (tmp_path / "a").read_bytes() == b"xy"
