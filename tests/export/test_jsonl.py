from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stream_ser.errors import ConfigError, FeedError
from stream_ser.export.jsonl import JsonlWriter
from stream_ser.feed import messages
from stream_ser.feed.hub import Hub
from stream_ser.feed.message_types import Message
from tests.feed.test_hub import follow
from tests.feed.wire import end_message, make_info, point_message


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def publish_call(hub: Hub, points: int) -> None:
    hub.publish(messages.hello(make_info()))
    for k in range(points):
        hub.publish(point_message(k))
    hub.publish(end_message())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_every_message_is_a_line_and_the_same_as_a_subscriber_gets(tmp_path: Path) -> None:
    hub = Hub()
    subscription = hub.subscribe()
    writer = JsonlWriter(tmp_path / "call.jsonl", hub)
    publish_call(hub, 20)
    assert writer.close() == tmp_path / "call.jsonl"
    written = lines(tmp_path / "call.jsonl")
    assert written == subscription.drain()
    assert follow(written) == list(range(1, 22))
    assert [path.name for path in tmp_path.iterdir()] == ["call.jsonl"]


def test_nothing_is_lost_where_a_subscription_would_drop(tmp_path: Path) -> None:
    hub = Hub()
    subscription = hub.subscribe(limit=4)
    writer = JsonlWriter(tmp_path / "call.jsonl", hub)
    publish_call(hub, 1_000)
    writer.close()
    assert subscription.dropped > 0
    assert [m["seq"] for m in lines(tmp_path / "call.jsonl")] == list(range(1_002))


def test_lines_can_be_read_while_the_stream_runs_under_another_name(tmp_path: Path) -> None:
    hub = Hub()
    writer = JsonlWriter(tmp_path / "call.jsonl", hub)
    hub.publish(messages.hello(make_info()))
    hub.publish(point_message())
    assert [m["type"] for m in lines(writer.part)] == ["hello", "point"]
    assert not writer.path.exists()
    hub.publish(end_message())
    assert writer.close() == writer.close() == writer.path


def test_a_stream_that_has_no_end_leaves_the_part_and_an_older_file_alone(tmp_path: Path) -> None:
    older = tmp_path / "call.jsonl"
    older.write_text("older\n")
    hub = Hub()
    writer = JsonlWriter(older, hub)
    hub.publish(messages.hello(make_info()))
    hub.publish(point_message())
    assert writer.close() == writer.part
    assert older.read_text() == "older\n"
    assert len(lines(writer.part)) == 2


def test_equal_streams_make_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        hub = Hub()
        writer = JsonlWriter(tmp_path / name, hub)
        publish_call(hub, 10)
        writer.close()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_writer_that_begins_late_begins_with_the_hello(tmp_path: Path) -> None:
    hub = Hub()
    hub.publish(messages.hello(make_info()))
    hub.publish(point_message(0))
    writer = JsonlWriter(tmp_path / "call.jsonl", hub)
    hub.publish(point_message(1))
    hub.publish(end_message())
    written = lines(writer.close())
    assert [(m["type"], m["seq"]) for m in written] == [("hello", 1), ("point", 2), ("end", 3)]


def test_a_full_disk_ends_the_file_and_nothing_else(small_disk: Path, tmp_path: Path) -> None:
    hub = Hub()
    seen: list[Message] = []
    writer = JsonlWriter(small_disk / "call.jsonl", hub)
    other = JsonlWriter(tmp_path / "other.jsonl", hub)
    hub.attach(seen.append)
    publish_call(hub, 300)
    check_failed(writer, seen, hub)
    whole = lines(writer.part)
    assert len(whole) > 50
    assert whole == [m for m in seen if m["seq"] <= whole[-1]["seq"]]
    assert lines(other.close()) == seen


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_disk_without_any_room_ends_the_file_at_once(tmp_path: Path) -> None:
    hub = Hub()
    seen: list[Message] = []
    (tmp_path / "call.jsonl.part").symlink_to("/dev/full")
    writer = JsonlWriter(tmp_path / "call.jsonl", hub)
    hub.attach(seen.append)
    publish_call(hub, 3)
    check_failed(writer, seen, hub)


def check_failed(writer: JsonlWriter, seen: list[Message], hub: Hub) -> None:
    """The file has not got its name, its error says why, everyone was told once, and publishing went on."""
    for _ in range(2):
        with pytest.raises(FeedError, match="No space left on device") as failed:
            writer.close()
    assert str(writer.path) in failed.value.what
    assert str(writer.part) in failed.value.fix
    assert not writer.path.exists()
    notices = [m for m in seen if m["type"] == "notice"]
    assert [(m["level"], m["text"]) for m in notices] == [("error", str(writer.error))]
    assert seen[-1]["type"] == "end"
    assert hub.seq == seen[-1]["seq"]


@pytest.mark.parametrize("name", ["nowhere/call.jsonl", "folder", "call.jsonl/inside"])
def test_a_file_that_cannot_be_made_is_an_error_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "call.jsonl").touch()
    hub = Hub()
    with pytest.raises(ConfigError, match="cannot write") as failed:
        JsonlWriter(tmp_path / name, hub)
    assert str(tmp_path / name) in failed.value.what
    publish_call(hub, 1)
