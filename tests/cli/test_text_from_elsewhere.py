"""Names and notes that somebody else chose reach no terminal as they are: in lines, on the screen, in logs, in listings."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stream_ser.cli.complaint import complain
from stream_ser.cli.console import LinePrinter
from stream_ser.cli.serve_one import JsonLines
from stream_ser.feed.message_types import Message
from stream_ser.store.records import OpenCall, Row
from stream_ser.store.store import Store
from tests.export import scene
from tests.test_printable import orders

Command = Callable[..., tuple[int, str, str]]
ODD = "\x1b[2J\x1b]0;t\x07\x9b31m\x7f\u202ex"  # clears the screen, sets its title, makes it red, turns it round
SHOWN = "␛[2J␛]0;t␇�31m␡�x"
FREE = ("text", "reason", "name", "engine", "rule")  # fields in which anything may stand


def spoilt(value: Any, field: str = "") -> Any:
    """The same message with odd characters wherever text is free."""
    if isinstance(value, dict):
        return {key: spoilt(item, key) for key, item in value.items()}
    return f"{value}{ODD}" if field in FREE and isinstance(value, str) else value


def test_a_recorded_session_is_shown_and_not_obeyed(command: Command, tmp_path: Path) -> None:
    told = [*scene.stream(f"a{ODD}"), *scene.stream("b")]
    path = scene.write(tmp_path / "odd.jsonl", [spoilt(message) for message in told])
    code, out, error = command("watch", path, "--speed", "max")
    assert code == 0
    assert orders(out + error, keep="\n") == []
    for words in ("clip.flac", "the sound clips", "says no --> & <b>", "finished", 'the device said "no"'):
        assert words + SHOWN in out


def test_a_line_of_one_stream_is_one_line() -> None:
    out = io.StringIO()
    printer = LinePrinter(out)
    printer.name = f"call\n{ODD}"
    notice: Message = {"type": "notice", "seq": 1, "stream": "a", "level": "info", "text": f"one\ntwo{ODD}"}  # type: ignore[typeddict-item]
    printer(notice)
    assert out.getvalue() == f"call␊{SHOWN}:          info: one␊two{SHOWN}\n"


def test_a_complaint_keeps_its_lines_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    complain(f"no file\n{ODD}")
    assert capsys.readouterr().err == f"stream-ser: no file\n{SHOWN}\n"


def test_a_file_with_an_odd_name_is_refused_readably(command: Command, tmp_path: Path) -> None:
    code, out, error = command("replay", f"{tmp_path}/none{ODD}.wav", "--headless", "--feed", "off")
    assert code == 2
    assert orders(out + error, keep="\n") == []


def test_a_log_is_one_line_of_json_that_says_the_same() -> None:
    record = logging.makeLogRecord({"name": "a", "levelno": 20, "msg": f"it {ODD}", "tenant": f"t{ODD}"})
    line = JsonLines().format(record)
    assert orders(line) == []
    assert (json.loads(line)["message"], json.loads(line)["tenant"]) == (f"it {ODD}", f"t{ODD}")


def test_what_is_stored_is_listed_readably_and_written_out_unchanged(command: Command, tmp_path: Path) -> None:
    store, url = None, f"sqlite:///{tmp_path / 'a.db'}"
    call, text = f"c{ODD}", json.dumps({"type": "notice", "text": ODD}, ensure_ascii=False)
    store = Store.open(url)
    store.write([OpenCall("local", call, datetime.now(UTC)), Row("local", 1, call, f"{call}/a", "notice", None, text)])
    store.close()
    code, out, error = command("calls", "list", "--store", url)
    assert (code, orders(out + error, keep="\n"), SHOWN in out) == (0, [], True)
    code, out, error = command("calls", "show", call, "--messages", "--store", url)
    assert (code, orders(out + error, keep="\n")) == (0, [])
    assert json.loads(out)["text"] == ODD
