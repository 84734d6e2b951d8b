"""A new user's first hour, as a script: from the README to a recording of one's own, to Python, to a call on the wall.

    python -m tests.walk_through [FOLDER]

Every command is typed as a person would, in an empty folder, and what it must say is written beside it; the Python is the
README's own. Exit code 1 and the last words where a step does not do what it should. About twenty seconds.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import soundfile

ROOT = Path(__file__).parent.parent
BUNDLED = ROOT / "demos" / "recording" / "conversation.flac"
PROGRAM = [sys.executable, "-m", "stream_ser.cli"]
PATIENCE_S = 60.0  # for one step, on a machine that has other things to do
NEAR = 3  # points between what the README shows and what another processor's rounding gives
OWN = (4.0, 10.0)  # s of the bundled recording that are "one's own": somebody speaks in them


class StepError(Exception):
    """A step did not do what a new user is told that it does."""


class Walk:
    """The steps, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {
            **os.environ,
            "XDG_CONFIG_HOME": str(folder / "config"),
            "COLUMNS": "100",
            "PYTHONPATH": self._paths(),
        }

    def run(self) -> None:
        """All of it."""
        self._look_around()
        self._hear_a_recording()
        self._use_python()
        self._take_a_call()

    def _look_around(self) -> None:
        told = self.step([], "stream-ser demo", "stream-ser replay FILE")
        for command in re.findall(r"^  (stream-ser \w+)", told, re.MULTILINE):
            if command not in _readme():
                raise StepError(f"{command} is offered first, and the README does not know it")
        self.step(["doctor"], "engine      ok")
        self.step(["models"], "* whisper-voice")
        told = self.step(["demo", "--speed", "max", "--headless", "--feed", "off"], "finished: 38.3 s of sound")
        shown, now = shares(_readme()), shares(told)
        if shown.keys() != now.keys() or any(abs(shown[label] - now[label]) > NEAR for label in now):
            raise StepError(f"the README shows {shown}, the demo says {now}: python demos/make_transcript.py")

    def _hear_a_recording(self) -> None:
        rate = soundfile.info(BUNDLED).samplerate
        begin, end = (round(at * rate) for at in OWN)
        sound, _ = soundfile.read(BUNDLED, start=begin, stop=end, dtype="int16")
        soundfile.write(self._folder / "call.wav", sound, rate)
        self.step(["reply", "call.wav"], "did you mean replay?", code=2)
        self.step(["config", "init"], "config.toml")
        config = self._folder / "config" / "stream-ser" / "config.toml"
        config.write_text('[replay]\nspeed = "max"\nheadless = true\nfeed = "off"\n', encoding="utf-8")
        self.step(["replay", "call.wav", "--out", "call.jsonl"], "finished: 6.0 s of sound, 24 points", "happy")
        self.step(["export", "call.jsonl", "--to", "csv,textgrid"], "call.csv", "call.TextGrid")
        self.step(["watch", "call.jsonl", "--headless", "--speed", "max"], "finished: 6.0 s of sound", "happy")

    def _use_python(self) -> None:
        (code,) = (block for block in re.findall(r"```python\n(.*?)```", _readme(), re.DOTALL) if "analyze(" in block)
        notebook = f"{code}\nprint(trajectory.summary['share'])\nassert '<svg' in trajectory._repr_html_()\n"
        self.call([sys.executable, "-c", notebook], "state", "'happy'")

    def _take_a_call(self) -> None:
        (self._folder / "serve.toml").write_text('store = "sqlite:///calls.db"\nport = 0\n', encoding="utf-8")
        serving = [*PROGRAM, "serve", "--config", "serve.toml"]
        with (
            (self._folder / "serve.log").open("wb") as log,
            subprocess.Popen(
                serving, cwd=self._folder, env=self._environment, stdout=subprocess.PIPE, stderr=log, text=True
            ) as server,
        ):
            try:
                assert server.stdout is not None
                url = server.stdout.readline().strip()
                page = server.stdout.readline().removeprefix("page: ").strip()
                if not url.startswith("ws://"):
                    raise StepError(f"serve said {url!r}: {(self._folder / 'serve.log').read_text()[-300:]}")
                with urllib.request.urlopen(page, timeout=PATIENCE_S) as answer:
                    if b"<html" not in answer.read():
                        raise StepError(f"there is no page at {page}")
                watching = subprocess.Popen(
                    [*PROGRAM, "watch", url, "--headless"],
                    cwd=self._folder,
                    env=self._environment,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                try:
                    self.call(
                        [sys.executable, str(ROOT / "demos" / "call.py"), url, "call.wav"], "happy", '"duration_s": 6.0'
                    )
                    assert watching.stdout is not None
                    while "finished: 6.0 s of sound" not in (line := watching.stdout.readline()):
                        if not line:
                            raise StepError("who watched the server did not see the call")
                finally:
                    watching.kill()
                    watching.wait()
                self._look_at_the_wall(page)
            finally:
                server.send_signal(signal.SIGTERM)
                if server.wait(PATIENCE_S):
                    raise StepError(f"serve ended with {server.returncode}")

    def _look_at_the_wall(self, page: str) -> None:
        """The page lists the call among those that are over, from the server's store."""
        end = time.monotonic() + PATIENCE_S
        while True:
            with urllib.request.urlopen(f"{page}v1/calls", timeout=PATIENCE_S) as answer:
                calls = json.load(answer)["calls"]
            if any(call["share"].get("happy") for call in calls if call["ended"]):
                break
            if time.monotonic() > end:
                raise StepError(f"the page does not list the call that is over: {calls}")
            time.sleep(0.1)
        print("       the call is on the wall", flush=True)

    def step(self, words: list[str], *expected: str, code: int = 0) -> str:
        """Type a command; what it printed. Raises StepError where that lacks something, or the exit code is another."""
        return self.call([*PROGRAM, *words], *expected, code=code)

    def call(self, command: list[str], *expected: str, code: int = 0) -> str:
        """Run a program as ``step`` runs the command."""
        began = time.perf_counter()
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        told, shown = done.stdout + done.stderr, " ".join(command[1:])[:60].replace("\n", " ")
        missing = [words for words in expected if words not in told]
        if done.returncode != code or missing:
            raise StepError(f"{shown}: code {done.returncode}, without {missing}:\n{told[-800:]}")
        print(f"{time.perf_counter() - began:5.1f} s  {shown}", flush=True)
        return told

    @staticmethod
    def _paths() -> str:
        return os.pathsep.join(str(ROOT / part) for part in ("", "models", "training"))


def shares(text: str) -> dict[str, int]:
    """How much of what was labelled is of which label, %, by the line at a stream's end."""
    line = re.search(r"^expressed emotion where labelled: (.*);", text, re.MULTILINE)
    return {} if line is None else {label: int(share) for label, share in re.findall(r"(\w+) (\d+) %", line[1])}


def _readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def main(folder: Path) -> int:
    """Walk; the exit code."""
    began = time.perf_counter()
    try:
        Walk(folder).run()
    except (StepError, subprocess.TimeoutExpired) as error:
        print(f"the first hour is broken: {error}", file=sys.stderr)
        return 1
    print(f"walked through in {time.perf_counter() - began:.0f} s")
    return 0


if __name__ == "__main__":
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    place = given or Path(tempfile.mkdtemp(prefix="stream-ser-walk-"))
    try:
        sys.exit(main(place))
    finally:
        if given is None:
            shutil.rmtree(place, ignore_errors=True)
