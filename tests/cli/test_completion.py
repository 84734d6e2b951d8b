"""What Tab offers, asked of a real shell."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from stream_ser_models.card import shipped
from tests.conftest import refused

Command = Callable[..., tuple[int, str, str]]
ASK = (
    'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shtab_stream_ser; printf "%s\\n" "${COMPREPLY[@]}"'
)


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import contextlib
    import io

    from stream_ser.cli.main import main

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["completion", "bash"]) == 0
    path = tmp_path_factory.mktemp("completion") / "stream-ser"
    path.write_text(printed.getvalue())
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["re"], {"replay"}),
        (["replay", "--model", "cp"], {"cpc"}),
        (["analyze", "--engine", "cuda"], {"cuda", "cuda-graph"}),
        (["replay", "--format", ""], {"s16le", "f32le"}),
        (["serve", "--limits-burst"], {"--limits-burst-s"}),
        (["models", "whisper"], {name for name in shipped() if name.startswith("whisper")}),
        (["calls", "l"], {"list"}),
        (["config", "i"], {"init"}),
    ],
)
def test_a_tab_offers_what_can_stand_there(script: Path, words: list[str], offered: set[str]) -> None:
    call = ["bash", "-c", ASK, "ask", str(script), "stream-ser", *words]
    done = subprocess.run(call, capture_output=True, text=True, check=True, timeout=30)
    assert {line.strip() for line in done.stdout.splitlines() if line.strip()} == offered, done.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_a_tab_offers_files(script: Path, tmp_path: Path) -> None:
    (tmp_path / "talk.wav").touch()
    call = ["bash", "-c", ASK, "ask", str(script), "stream-ser", "replay", "ta"]
    done = subprocess.run(call, capture_output=True, text=True, check=True, timeout=30, cwd=tmp_path)
    assert done.stdout.split() == ["talk.wav"]


@pytest.mark.parametrize("shell", ["zsh", "fish", "tcsh"])
def test_other_shells_have_theirs(command: Command, shell: str) -> None:
    code, out, error = command("completion", shell)
    assert (code, error) == (0, "")
    assert "whisper-voice" in out
    assert "replay" in out


def test_a_shell_that_nobody_knows(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(command("completion", "sh"), "'sh' is unknown", "bash, zsh, fish, tcsh")
    monkeypatch.setenv("SHELL", "")
    refused(command("completion"), "SHELL", "name one of")
