"""A recorded session, played on a clock that is turned by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_ser.controls.session_file import RecordedSession
from stream_ser.errors import ConfigError
from stream_ser.feed.message_types import Message
from tests.export import scene
from tests.tui import wire
from tests.tui.wire import Clock

TOGETHER = [m for pair in zip(scene.stream("a"), scene.stream("b"), strict=True) for m in pair]
AFTER = [*scene.stream("a"), *scene.stream("b")]


def play(tmp_path: Path, messages: list[Message], speed: float | None = 1.0) -> tuple[RecordedSession, Clock]:
    clock = Clock()
    return RecordedSession(scene.write(tmp_path / "session.jsonl", messages), speed, clock), clock


@pytest.fixture
def single(tmp_path: Path) -> Iterator[tuple[RecordedSession, Clock]]:
    session, clock = play(tmp_path, scene.stream("a"))
    yield session, clock
    session.close()


def ends(messages: list[Message]) -> list[int]:
    return [message["end"] // wire.HOP for message in messages if message["type"] == "point"]


def test_points_come_when_they_are_due(single: tuple[RecordedSession, Clock]) -> None:
    session, clock = single
    assert [message["type"] for message in session.drain()] == ["hello"]
    clock.now += 1.0
    assert ends(session.drain()) == [1, 2, 3, 4]
    assert session.drain() == []
    clock.now += 0.25
    assert ends(session.drain()) == [5]
    assert session.place_s == 1.25


def test_speed_pause_and_seek(single: tuple[RecordedSession, Clock]) -> None:
    session, clock = single
    session.set_speed(10.0)
    clock.now += 0.125
    assert ends(session.drain()) == [1, 2, 3, 4, 5]
    session.pause()
    clock.now += 100.0
    assert session.drain() == []
    session.resume()
    session.set_speed(0.5)
    clock.now += 0.5
    assert ends(session.drain()) == [6]
    session.skip(1.0)
    assert ends(session.drain()) == [7, 8, 9, 10]


def test_going_back_shows_what_there_was_then_and_nothing_else(single: tuple[RecordedSession, Clock]) -> None:
    session, clock = single
    clock.now += 5.0
    before = session.drain()
    clock.now += 5.0
    session.drain()
    session.seek(5.0)
    after = session.drain()
    assert after[0]["type"] == "rewind"
    assert after[1:] == before


def test_its_clock_stands_still_while_it_does(single: tuple[RecordedSession, Clock]) -> None:
    session, clock = single
    began = session.now()
    clock.now += 1.0
    session.pause()
    clock.now += 10.0
    session.seek(3.0)
    session.set_speed(2.0)
    session.pause()
    clock.now += 10.0
    assert session.now() - began == 1.0
    session.resume()
    session.resume()
    clock.now += 1.0
    assert session.now() - began == 2.0
    assert session.place_s == 5.0


def test_beyond_the_end_is_the_end_and_it_is_told_once(single: tuple[RecordedSession, Clock]) -> None:
    session, _ = single
    session.seek(1e9)
    assert session.place_s == session.length_s == scene.LENGTH / wire.RATE
    taken = session.drain()
    assert [message["type"] for message in taken[-2:]] == ["end", "notice"]
    assert taken[-1]["text"] == "the recorded session ends here"
    assert session.drain() == []
    session.seek(-3.0)
    assert session.place_s == 0.0
    assert [message["type"] for message in session.drain()] == ["rewind", "hello"]


def test_at_once_is_the_whole_trajectory(tmp_path: Path) -> None:
    session, _ = play(tmp_path, TOGETHER, None)
    taken: list[Message] = []
    while not taken or taken[-1].get("text") != "the recorded session ends here":
        taken += session.drain()
    session.close()
    assert [(m["type"], m["stream"]) for m in taken[:-1]] == [(m["type"], m["stream"]) for m in TOGETHER]
    assert session.streams == 2


@pytest.mark.parametrize(("messages", "length"), [(TOGETHER, 1), (AFTER, 2)])
def test_streams_play_as_they_ran(tmp_path: Path, messages: list[Message], length: int) -> None:
    session, clock = play(tmp_path, messages)
    assert session.length_s == pytest.approx(length * scene.LENGTH / wire.RATE)
    clock.now += 2.0
    assert {message["stream"] for message in session.drain()} == ({"a", "b"} if length == 1 else {"a"})
    session.close()


def test_a_stream_that_was_opened_again_is_another_one(tmp_path: Path) -> None:
    session, _ = play(tmp_path, [*scene.stream("a"), *scene.stream("a")], None)
    assert {message["stream"] for message in session.drain() if "stream" in message} >= {"a"}
    assert session.streams == 2
    session.close()


def test_what_was_recorded_in_the_middle_of_a_stream_begins_at_once(tmp_path: Path) -> None:
    middle = [wire.hello(), *(wire.point(slot) for slot in range(4000, 4008))]
    session, clock = play(tmp_path, middle)
    assert session.length_s == pytest.approx(2.0)
    clock.now += 0.25
    assert ends(session.drain()) == [4000]
    session.close()


def test_a_file_without_a_trajectory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text("minutes of the meeting\n")
    with pytest.raises(ConfigError, match=r"notes\.jsonl, line 1"):
        RecordedSession(path)
    with pytest.raises(ConfigError, match="cannot read"):
        RecordedSession(tmp_path / "none.jsonl")
