"""The command line's own words: what it says of commands and options that it does not have."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stream_ser.cli.grammar import meant
from stream_ser.cli.main import parser
from tests.conftest import refused

Command = Callable[..., tuple[int, str, str]]


def test_without_a_command_the_first_steps_are_told(command: Command) -> None:
    code, out, error = command()
    assert (code, error) == (0, "")
    assert len(out.splitlines()) < 15
    known = parser().commands
    named = {line.split()[1] for line in out.splitlines() if line.startswith("  stream-ser ")}
    assert {"demo", "live", "replay"} < named <= set(known)


@pytest.mark.parametrize("name", sorted({*parser().commands} - {"calls"}))
def test_the_help_of_a_command_says_what_it_does_and_its_examples_can_be_typed(name: str) -> None:
    usage, _, does, *rest = parser().commands[name].format_help().splitlines()
    assert usage.startswith(f"usage: stream-ser {name}")
    assert len(usage) < 80
    assert does.strip()
    examples = [line for line in rest if re.match(r"  (arecord .*\| )?stream-ser ", line)]
    assert bool(examples) == (name not in ("demo", "devices", "doctor", "bench", "models", "config", "serve", "token"))
    for line in examples:
        words = re.split(r" {2,}| > ", line[line.index("stream-ser") :])[0]
        parser().parse_args(shlex.split(words)[1:])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["repaly", "x.wav"], ("'repaly'", "did you mean replay?")),
        (["Live"], ("'Live'", "did you mean live?")),
        (["calls", "lst"], ("'lst'", "did you mean list?")),
        (["zzz"], ("'zzz'", "see stream-ser --help")),
        (["replay", "x.wav", "--heedless"], ("stream-ser replay has no option --heedless", "did you mean --headless?")),
        (["replay", "x.wav", "--show_text"], ("--show_text", "did you mean --show-text?")),
        (["analyze", "x.wav", "--hopp=1"], ("--hopp;", "did you mean --hop?")),
        (["serve", "--limit-burst-s", "3"], ("did you mean --limits-burst-s?",)),
        (["calls", "list", "--tenent", "a"], ("stream-ser calls list has no option", "did you mean --tenant?")),
        (["devices", "--xyzzy"], ("--xyzzy", "see stream-ser devices --help")),
        (["doctor", "now"], ("no argument 'now'", "stream-ser doctor --help")),
        (["replay", "-", "--format", "s16"], ("'s16' is none of s16le, f32le", "did you mean s16le?")),
        (["export", "x.jsonl"], ("required: --to", "see stream-ser export --help")),
        (["analyze", "x.wav", "--hop", "often"], ("--hop", "'often'", "see stream-ser analyze --help")),
        (["ws://127.0.0.1:8765"], ("stream-ser watch ws://127.0.0.1:8765",)),
        (["talk.flac"], ("stream-ser replay talk.flac",)),
        (["."], ("stream-ser analyze .",)),
    ],
)
def test_what_may_have_been_meant(command: Command, given: list[str], words: tuple[str, ...]) -> None:
    refused(command(*given), *words)


def test_a_file_that_is_there_is_known_whatever_its_name(command: Command, tmp_path: Path) -> None:
    session = tmp_path / "all.jsonl"
    session.touch()
    refused(command(session), f"stream-ser watch {session}")


def test_only_what_is_like_it_is_offered() -> None:
    assert meant("--spead", ["--speed", "--spread-out", "--hop"]) == "did you mean --speed?"
    assert meant("--frobnicate", ["--rate", "--format"]) == ""


def test_options_that_take_time_to_gather_are_gathered_when_they_are_needed() -> None:
    heavy = "['numpy', 'stream_ser.server.config', 'stream_ser.server.settings', 'textual', 'websockets']"
    code = (
        "import sys; from stream_ser.cli.main import parser; top = parser(); top.format_help();"
        f"print([name for name in {heavy} if name in sys.modules]);"
        "print('--limits-burst-s' in top.commands['serve'].format_help())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == ["[]", "True"]
