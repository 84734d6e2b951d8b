"""The real command on a terminal: when it is there, and what is said where it does not come."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("pty", reason="needs a POSIX terminal")

from stream_ser.bench.start import PATIENCE_S, main, start, with_byte_code
from stream_ser.errors import StreamSerError


def test_the_screen_comes_after_its_first_words() -> None:
    found = start("demo", with_byte_code(os.environ))
    assert 0.0 < found.first_s < found.there_s < PATIENCE_S
    assert 0.05 < found.cpu_s < PATIENCE_S


def test_the_server_is_there_and_gone_again(tmp_path: Path) -> None:
    found = start("serve", with_byte_code(os.environ), tmp_path)
    assert 0.0 < found.there_s < PATIENCE_S
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_does_not_come_is_told_of_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "stream_ser.py").write_text("raise SystemExit('no such luck')\n")  # stands before the real one
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with pytest.raises(
        StreamSerError, match=r"demo did not come, and said last: .*no such luck; start stream-ser demo"
    ):
        start("demo", environment, tmp_path)


def test_orders_to_the_terminal_are_no_words(tmp_path: Path) -> None:
    package = tmp_path / "stream_ser"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "cli.py").write_text("print('\\x1b[?1049lno\\x1b[1;1H\\x1b[2Jsound')\n")
    with pytest.raises(StreamSerError, match="said last: no sound; start"):
        start("live", {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"}, tmp_path)


def test_the_command_prints_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--runs", "1"]) == 0
    heading, line = capsys.readouterr().out.splitlines()
    assert "medians of 1" in heading
    assert line.startswith("serve: READY ")
    assert line.endswith(" of work")


@pytest.mark.parametrize("arguments", [["dance"], ["--runs", "0"]])
def test_what_cannot_be_measured_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert arguments[-1] in capsys.readouterr().err
