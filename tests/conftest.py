"""What many tests share: the bundled recording, short recordings cut from it, and the command line."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, settings

from stream_ser.cli.main import main
from tests.cluster.nats_server import NatsServer

ROOT = Path(__file__).parent.parent
BUNDLED = ROOT / "demos" / "recording" / "conversation.flac"

# Nobody's own defaults may change what is tested.
os.environ["XDG_CONFIG_HOME"] = str(Path(tempfile.gettempdir()) / f"stream-ser-tests-{os.getpid()}")

# How long a case takes says something of the machine, and nothing of the code. Cases are the same in every run, so that a
# failure is the change's; ``--hypothesis-profile=others`` looks for other ones.
settings.register_profile("others", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("any machine", settings.get_profile("others"), derandomize=True)
settings.load_profile("any machine")

# A script that starts the tests with & has them, and all that they start, ignore Ctrl-C, which some of them press.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    """What a test draws without a generator of its own depends on no test that ran before it in the same process."""
    random.seed(0)
    if (torch := sys.modules.get("torch")) is not None:  # which most tests do without
        torch.manual_seed(0)


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A real one of this test alone; tests that take it are marked ``needs_nats``."""
    server = NatsServer(tmp_path / "nats")
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def bundled() -> Path:
    return BUNDLED


@pytest.fixture(scope="session")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds of the bundled recording: silence, happy speech, silence."""
    samples, rate = soundfile.read(BUNDLED, frames=12 * 16_000, dtype="int16")
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return path


@pytest.fixture
def write_sound(tmp_path: Path) -> Callable[..., Path]:
    """Write a sound file of the given samples and return its path."""

    def write(name: str, samples: np.ndarray[Any, Any], rate: int = 16_000, **options: str) -> Path:
        path = tmp_path / name
        soundfile.write(path, samples, rate, **options)
        return path

    return write


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process; gives exit code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stopped:  # argparse
            code = int(stopped.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Every thread has an owner that ends it."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before]
    ours = [thread for thread in left if not thread.name.startswith(("asyncio_", "Thread-"))]
    for thread in ours:
        thread.join(10.0)
    for thread in set(left).difference(ours):  # of libraries, that may keep them: so no test waits for them for long
        thread.join(0.2)
    assert not [thread.name for thread in ours if thread.is_alive()]


def refused(result: tuple[int, str, str], *words: str) -> None:
    """One line on stderr that says what happened and what to do; exit code 2; no traceback."""
    code, _, error = result
    assert code == 2
    lines = error.strip().splitlines()
    assert len(lines) == 1, error
    assert lines[0].startswith("stream-ser: ")
    for word in words:
        assert word in lines[0]


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def trajectory(messages: list[dict[str, Any]]) -> list[str]:
    """Points and gaps as text, without what differs between equal runs: numbering and timings."""
    kept = [message for message in messages if message["type"] in ("point", "gap")]
    return [json.dumps({key: value for key, value in m.items() if key not in ("seq", "ledger")}) for m in kept]
