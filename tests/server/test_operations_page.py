"""What docs/operations.md says of settings, commands and files is what there is."""

from __future__ import annotations

import argparse
import configparser
import re
import tomllib
from pathlib import Path

import pytest
import soundfile

from stream_ser.cli.main import parser
from stream_ser.feed.acknowledge import ACKNOWLEDGE_PATH
from stream_ser.load.server import server
from stream_ser.server.call_history import LISTED_FIELDS
from stream_ser.server.call_pages import CALLS
from stream_ser.server.config import ServeConfig
from stream_ser.server.routes import AUDIO, AUDIOHOOK, FEED, HEALTH, METRICS, READY, TWILIO
from stream_ser.server.settings import settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")


def test_every_setting_is_in_the_table_with_its_default_and_meaning() -> None:
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| (.*) \|$", PAGE, re.MULTILINE))
    for setting in settings():
        default, _, meaning = rows[setting.name].partition("|")
        assert meaning.strip() == " ".join(setting.doc.split()).replace("``", "`"), setting.name
        shown = default.strip().strip("`")
        if isinstance(setting.default, bool):
            assert shown == str(setting.default).lower()
        elif isinstance(setting.default, (int, float)):
            assert shown == f"{setting.default:g}"
        else:
            assert shown == str(setting.default or "")


def test_every_address_is_named() -> None:
    for path in (FEED, AUDIO, TWILIO, AUDIOHOOK, HEALTH, READY, METRICS):
        assert f"| `{path}` |" in PAGE
    for asked in (f"GET {CALLS}", f"POST {ACKNOWLEDGE_PATH}"):
        assert f"| `{asked}` |" in PAGE


def test_settings_in_examples_exist() -> None:
    names = {setting.name for setting in settings()}
    for example in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL):
        for key, value in tomllib.loads(example).items():
            keys = [f"{key}.{inner}" for inner in value] if isinstance(value, dict) else [key]
            assert set(keys) <= names


def test_commands_in_the_text_can_be_parsed() -> None:
    found = re.findall(r"`(stream-ser (?:calls|token) [^`]*)`", PAGE) + re.findall(
        r"^(stream-ser token .*)$", PAGE, re.M
    )
    assert len(found) >= 4
    for line in found:
        if line.split()[1] == "token" and len(line.split()) < 4:
            continue  # its name alone
        parser().parse_args(line.replace(" N", " 3").split()[1:])


def test_the_parameters_of_the_list_of_calls_are_named() -> None:
    part = PAGE.partition("## Asking for calls")[2].partition("\n## ")[0]
    named = set(
        re.findall(r"`([a-z]+)`", "\n".join(re.findall(r"^\| (`[a-z]+`(?:, `[a-z]+`)*) \|", part, re.MULTILINE)))
    )
    assert named == set(LISTED_FIELDS)


def test_the_service_gives_a_drain_its_time_and_starts_what_there_is() -> None:
    unit = configparser.RawConfigParser(strict=False, comment_prefixes=("#",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "deploy" / "stream-ser.service")
    service = unit["Service"]
    assert float(service["TimeoutStopSec"]) >= ServeConfig().drain_s + 10
    assert isinstance(parser().parse_args(service["ExecStart"].split()[1:]), argparse.Namespace)
    assert service["DynamicUser"] == "yes"


def test_the_container_copies_what_the_package_needs_and_runs_as_nobody() -> None:
    text = (ROOT / "deploy" / "Containerfile").read_text("utf-8")
    for folder in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
        for name in folder.split():
            assert (ROOT / name).exists(), name
    assert re.search(r"^USER 10001", text, re.MULTILINE)
    assert "HEALTHCHECK" in text


def test_the_example_of_a_plain_call_runs(talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE[PAGE.index("### Plain samples") :], re.DOTALL)
    samples, rate = soundfile.read(talk, frames=8_000, dtype="int16")
    soundfile.write(tmp_path / "talk.wav", samples, rate)
    with server(tmp_path) as running:
        made = (
            example.replace("wss://calls.example.org", running.url)
            .replace("sser_…", "sser_x")
            .replace('"talk.wav"', repr(str(tmp_path / "talk.wav")))
        )
        assert made != example
        exec(made, {})
        assert running.figures()["stream_ser_sound_seconds_total"] == 0.5
    assert '"type": "accepted", "call": "c-17"' in capsys.readouterr().out
