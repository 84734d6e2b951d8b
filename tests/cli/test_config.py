"""The file with a person's own defaults."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from stream_ser.cli.config import File, apply, check, config_path, settings
from stream_ser.cli.main import parser
from tests.conftest import read_lines, refused

Command = Callable[..., tuple[int, str, str]]
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def written(text: str) -> Path:
        path = tmp_path / "stream-ser" / "config.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return written


def parsed(*words: str) -> dict[str, object]:
    top = parser()
    for command in top.commands.values():
        command.before = partial(apply, top=top)
    return vars(top.parse_args(list(words)))


def test_the_place_follows_the_xdg_base_directories(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    for named in ("", "relative/is/ignored"):
        monkeypatch.setenv("XDG_CONFIG_HOME", named)
        assert config_path() == Path("/home/ann/.config/stream-ser/config.toml")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/etc/xdg")
    assert config_path() == Path("/etc/xdg/stream-ser/config.toml")


def test_a_command_alone_wins_over_all_and_the_command_line_over_both(write: Write) -> None:
    write('model = "cnn-bilstm"\nhop = 1\nheadless = true\nbaseline = false\n[replay]\nhop = 0.5\nspeed = 10\n')
    replay = parsed("replay", "x.wav")
    assert {name: replay[name] for name in ("model", "hop", "headless", "baseline", "speed")} == {
        "model": "cnn-bilstm",
        "hop": 0.5,
        "headless": True,
        "baseline": False,
        "speed": "10",
    }
    assert (parsed("live")["hop"], parsed("bench")["model"]) == (1.0, "cnn-bilstm")
    assert parsed("replay", "x.wav", "--hop", "2", "--model", "cpc")["hop"] == 2.0
    assert parsed("watch", "x:1")["speed"] == "1", "what is said for replay is not said for others"


def test_a_feed_for_people_is_none_for_work_that_nobody_watches(write: Write) -> None:
    write('feed = "127.0.0.1:9000"\n')
    assert parsed("live")["feed"] == "127.0.0.1:9000"
    assert parsed("analyze", "x.wav")["feed"] == "off"
    write('[analyze]\nfeed = "127.0.0.1:9001"\n')
    assert parsed("analyze", "x.wav")["feed"] == "127.0.0.1:9001"


def test_it_holds_for_the_real_command(write: Write, command: Command, talk: Path, tmp_path: Path) -> None:
    write('feed = "off"\nmodel = "cnn-bilstm"\n[replay]\nspeed = "max"\n')
    out = tmp_path / "out.jsonl"
    assert command("replay", talk, "--headless", "--out", out)[0] == 0
    assert read_lines(out)[0]["model"]["name"] == "cnn-bilstm"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('hop = 1\n\nmodle = "x"\n', ("line 3", "no setting 'modle'", "did you mean model?")),
        ('[replay]\n# speed = "fast"\nspead = 1\n', ("line 3", "no setting 'spead' of replay", "did you mean speed?")),
        ("[repaly]\nhop = 1\n", ("line 1", "no command 'repaly'", "did you mean replay?")),
        ("zzz = 1", ("line 1", "'zzz'", "stream-ser config lists")),
        ("[serve]\nport = 1\n", ("line 2", "'port' of serve", "--config FILE.toml")),
        ("[live]\nspeed = 1\n", ("line 2", "no setting 'speed' of live")),
        ('out = "x.jsonl"\n', ("line 1", "no setting 'out'")),
        ('hop = "often"\n', ("line 1", 'hop = "often"', "give a number")),
        ("[replay]\nchannels = 1.5\n", ("line 2", "channels = 1.5", "whole number")),
        ("headless = 1\n", ("line 1", "true or false")),
        ("model = true\n", ("line 1", "in quotes")),
        ('[replay]\nformat = "mp3"\n', ("line 2", "s16le, f32le")),
        ("hop = \n", ("is not TOML", "line 1")),
    ],
)
def test_what_cannot_be_is_told_with_its_place(
    write: Write, command: Command, text: str, words: tuple[str, ...]
) -> None:
    path = write(text)
    refused(command("config"), str(path), *words)


def test_a_wrong_key_stops_the_commands_that_would_have_gone_without_it(
    write: Write, command: Command, talk: Path
) -> None:
    write('modle = "cpc"\n')
    refused(command("replay", talk, "--headless", "--feed", "off"), "line 1", "did you mean model?")
    code, out, _ = command("--help")
    assert (code, "examples:" in out) == (0, True)


def test_what_is_shown_is_a_file_that_says_the_same(write: Write, command: Command, tmp_path: Path) -> None:
    write('model = "cpc"\nshow_text = true\n[live]\ndevice = "USB"\nhop = 0.5\n')
    code, out, _ = command("config")
    assert code == 0
    assert tomllib.loads(out) == {
        "model": "cpc",
        "show-text": True,
        "live": {"device": "USB", "hop": 0.5},
        **{name: {} for name in tomllib.loads(out) if name not in ("model", "show-text", "live")},
    }


def test_a_file_is_begun_once_and_each_line_of_it_can_be_used(write: Write, command: Command, tmp_path: Path) -> None:
    code, out, _ = command("config", "init")
    path = Path(out.strip())
    assert (code, path) == (0, tmp_path / "stream-ser" / "config.toml")
    assert command("config", "path")[1] == out
    text = path.read_text("utf-8")
    assert "Take away the #" in text
    assert "none yet" not in text
    assert not any(tomllib.loads(text).values())
    used = "\n".join(
        line.removeprefix("#") if line.startswith("#") and " = " in line else line for line in text.splitlines()
    )
    top = parser()
    check(File(path, used, tomllib.loads(used)), top)
    named = {
        key
        for table in (
            tomllib.loads(used),
            *(tomllib.loads(used)[name] for name in top.commands if name in tomllib.loads(used)),
        )
        for key in table
    }
    assert {key for one in top.commands.values() for key in settings(one)} <= named
    refused(command("config", "init"), str(path), "there already")
