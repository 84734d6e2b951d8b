"""Each target for a moment, from its corpus on, and the tool itself on a reader that is broken."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from stream_ser.calls.events import Opened, Sound
from stream_ser.feed import filters
from stream_ser.server import settings, token_file
from stream_ser.trajectory.rules import parse_rules
from tests.conftest import ROOT
from tests.fuzz.__main__ import HERE, LARGEST, names
from tests.fuzz.targets import PROTOCOLS, TARGETS, hear, session, written

needs_atheris = pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is built for Linux on x86-64 only")
RUNS, CORPUS_BYTES = 1500, 50_000
BROKEN = """
import sys
import atheris

def read(data):
    if len(data) > 2 and data[0] == 66 and data[1] == 33 and data[2] == 7:
        raise KeyError("not a word of it")

atheris.instrument_func(read)
atheris.Setup([sys.argv[0], "-runs=200000", "-seed=1", "-artifact_prefix=" + sys.argv[1]], atheris.instrument_func(read))
atheris.Fuzz()
"""


@needs_atheris
@pytest.mark.parametrize("name", names())
def test_a_reader_gives_what_it_read_or_refuses(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", name, "--runs", str(RUNS), "--seed", "1", "--found", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert f"number_of_executed_units: {RUNS}" in done.stderr


@needs_atheris
def test_what_is_broken_is_found(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    done = subprocess.run([sys.executable, "broken.py", f"{tmp_path}/"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode
    assert "not a word of it" in done.stdout + done.stderr
    assert [path.read_bytes()[:3] for path in tmp_path.glob("crash-*")] == [b"B!\x07"]


def test_every_target_has_a_small_corpus_and_every_corpus_a_target() -> None:
    assert names() == sorted(TARGETS)
    sizes = [path.stat().st_size for path in (HERE / "corpus").rglob("*") if path.is_file()]
    assert max(sizes) <= LARGEST
    assert sum(sizes) <= CORPUS_BYTES


def test_a_session_is_read_as_it_was_written() -> None:
    messages = ['{"type": "hello"}', b"\x00\xff\n", "", b"", "ä"]
    assert session(written(messages)) == messages
    assert session(b"") == [""]


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_a_session_of_the_corpus_is_heard(name: str) -> None:
    """What is refused at its first word leads nowhere."""
    for path in (HERE / "corpus" / name).iterdir():
        kinds = [type(event) for event in hear(name, path.read_bytes())]
        assert kinds[0] is Opened
        assert Sound in kinds or path.name == "hello"


def test_the_rest_of_the_corpus_is_read() -> None:
    corpus = HERE / "corpus"
    assert settings.load(corpus / "settings" / "all", {}, {}).limits.burst_s == 2.5
    assert parse_rules((corpus / "rules" / "loud").read_text(), "loud")[0].name == "someone speaks"
    assert filters.parse((corpus / "feed-query" / "all").read_text()).last_seq == 12
    assert token_file.read(corpus / "tokens" / "one")[0].tenant == "acme"


def test_a_name_that_is_no_target_is_refused() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.fuzz", "guess"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no target is named guess" in done.stderr
