"""``--out``: the format by the file's name, written when all is over."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pandas
import pytest
from praatio import textgrid as praat

from stream_ser.errors import ConfigError, FeedError
from stream_ser.export.out import ConvertingWriter, make_writer
from stream_ser.feed import messages
from stream_ser.feed.hub import Hub
from tests.conftest import read_lines, refused
from tests.export.test_jsonl import publish_call
from tests.feed.wire import end_message, make_info, point_message

Command = Callable[..., tuple[int, str, str]]


def test_replay_and_analyze_write_what_the_name_says(command: Command, talk: Path, tmp_path: Path) -> None:
    lines, table, grid = (tmp_path / f"talk.{suffix}" for suffix in ("jsonl", "csv", "TextGrid"))
    for out in (lines, table):
        assert command("replay", talk, "--speed", "max", "--headless", "--feed", "off", "--out", out)[0] == 0
    assert command("analyze", talk, "--out", grid)[0] == 0
    points = [message for message in read_lines(lines) if message["type"] == "point"]
    read = pandas.read_csv(table)
    assert read["end"].tolist() == [point["end"] for point in points]
    heard = [point for point in points if point["state"] != "warming"]
    assert read["smoothed_happy"].dropna().tolist() == [point["smoothed"]["happy"] for point in heard]
    assert len(heard) < len(points)
    assert praat.openTextgrid(str(grid), includeEmptyIntervals=False).maxTimestamp == 12.0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["talk.TextGrid", "talk.csv", "talk.jsonl"]


def test_several_recordings_give_one_file_each(command: Command, talk: Path, bundled: Path, tmp_path: Path) -> None:
    assert command("analyze", talk, bundled, "--out", tmp_path / "all.vtt")[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.conversation.flac.vtt", "all.talk.wav.vtt"]


def test_a_format_that_there_is_not(command: Command, talk: Path, tmp_path: Path) -> None:
    refused(
        command("replay", talk, "--headless", "--feed", "off", "--out", tmp_path / "a.mov"), ".mov", ".csv", "--out"
    )
    refused(command("analyze", talk, "--to", "csv"), "--to csv", "--out")


def test_nothing_is_seen_until_all_streams_are_over(tmp_path: Path) -> None:
    hub = Hub()
    writer = make_writer(tmp_path / "call.csv", hub)
    publish_call(hub, 20)
    assert [path.name for path in tmp_path.iterdir()] == ["call.csv.messages.part"]
    writer.close()
    writer.close()
    assert [path.name for path in tmp_path.iterdir()] == ["call.csv"]
    assert len(pandas.read_csv(tmp_path / "call.csv")) == 20


def test_where_nothing_was_heard_an_older_file_stays(tmp_path: Path) -> None:
    (tmp_path / "call.csv").write_text("older")
    make_writer(tmp_path / "call.csv", Hub()).close()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("call.csv", "older")]


def test_a_stream_without_its_end_leaves_its_messages(tmp_path: Path) -> None:
    hub = Hub()
    writer = make_writer(tmp_path / "call.csv", hub)
    hub.publish(messages.hello(make_info()))
    hub.publish(point_message())
    assert writer.close() == writer.part
    assert len(read_lines(writer.part)) == 2
    hub.publish(end_message())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_disk_that_is_full_at_the_end_leaves_the_messages(command: Command, tmp_path: Path) -> None:
    (tmp_path / "call.csv").write_text("older")
    (tmp_path / "call.csv.part").symlink_to("/dev/full")
    hub = Hub()
    writer = make_writer(tmp_path / "call.csv", hub)
    publish_call(hub, 20)
    for _ in range(2):
        with pytest.raises(FeedError, match="No space left on device") as failed:
            writer.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["call.csv", "call.csv.messages.part"]
    assert (tmp_path / "call.csv").read_text() == "older"
    told = failed.value.fix.split("stream-ser ")[1].split()
    assert command(*told[:-1], tmp_path / "saved")[0] == 0
    assert len(pandas.read_csv(tmp_path / "saved" / "call.csv")) == 20


def test_what_is_discarded_leaves_nothing(tmp_path: Path) -> None:
    hub = Hub()
    writer = ConvertingWriter(tmp_path / "call", hub, [])
    publish_call(hub, 3)
    writer.discard()
    writer.discard()
    assert not list(tmp_path.iterdir())


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(ConfigError, match="cannot write"):
        make_writer(tmp_path / "a.csv", Hub())
