"""Live sound that is over: its trajectory can be saved then, and is gone otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_ser.cli.save_as import Kept, ask
from stream_ser.errors import ConfigError
from stream_ser.export.reading import read
from stream_ser.feed import messages
from stream_ser.feed.hub import Hub
from tests.feed.wire import end_message, make_info, point_message


@pytest.fixture
def kept() -> Iterator[Kept]:
    hub = Hub()
    with Kept(hub, "call-1") as found:
        play(hub)
        yield found
    hub.close()


def play(hub: Hub) -> None:
    for message in (
        messages.hello(make_info("page")),
        point_message(0, "page"),
        messages.hello(make_info()),
        *(point_message(number) for number in range(5)),
        end_message(),
    ):
        hub.publish(message)
    hub.publish(end_message("page"))


def test_it_is_saved_in_the_format_that_the_name_asks_for(kept: Kept, tmp_path: Path) -> None:
    assert kept.save(tmp_path / "all.jsonl") == [tmp_path / "all.jsonl"]
    (stream,) = read(tmp_path / "all.jsonl")
    assert [message["type"] for message in stream] == ["hello", *["point"] * 5, "end"]
    kept.save(tmp_path / "all.csv")
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.csv", "all.jsonl"]


def test_nothing_is_left_where_nobody_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    hub = Hub()
    with Kept(hub, "call-1") as kept:
        play(hub)
        assert ask(kept, lambda _: "") is None
        assert list(tmp_path.iterdir()) == []  # not even while it is kept
    seen: list[str] = []
    hub.attach(lambda message: seen.append(message["type"]))
    play(hub)
    assert "notice" not in seen, "nobody writes any more, and so nothing fails"
    hub.close()


def test_a_name_that_does_not_do_is_asked_for_again(
    kept: Kept, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old.csv").write_text("of yesterday")
    names = iter(["a.docx", tmp_path / "old.csv", tmp_path / "no" / "such.csv", tmp_path / "new.csv"])
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return str(next(names))

    assert ask(kept, answer) == tmp_path / "new.csv"
    assert ".jsonl" in asked[0]
    printed = capsys.readouterr()
    assert printed.out == f"saved {tmp_path / 'new.csv'}\n"
    assert [
        word in line
        for word, line in zip((".docx", "there already", "such.csv"), printed.err.splitlines(), strict=True)
    ]
    assert (tmp_path / "old.csv").read_text() == "of yesterday"


def test_leaving_the_question_lets_it_go(kept: Kept) -> None:
    def leave(_: str) -> str:
        raise KeyboardInterrupt

    assert ask(kept, leave) is None


def test_what_is_kept_is_bounded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hub = Hub()
    with Kept(hub, "call-1", most_bytes=3000) as kept:
        play(hub)
        assert kept.full
        assert os.fstat(kept._file.fileno()).st_size <= 3000
        assert ask(kept, lambda _: str(tmp_path / "part.jsonl")) == tmp_path / "part.jsonl"
    assert "the rest was too long" in capsys.readouterr().out
    assert len((tmp_path / "part.jsonl").read_text().splitlines()) >= 2
    hub.close()


def test_a_place_that_cannot_be_written_is_an_error_for_people(kept: Kept) -> None:
    with pytest.raises(ConfigError, match="cannot write"):
        kept.save(Path("/proc/none/x.csv"))
