"""Try a built wheel as a stranger would: install it outside the clone, in a folder with a models.py of one's own.

``make wheel`` builds it first. Run: python tests/packaging/try_wheel.py dist/*.whl [--offline]

``--offline`` borrows the dependencies from the environment that runs this, so nothing is fetched; without it pip installs
the wheel with [cpu] into an empty environment, which also finds a dependency that nobody declared.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from pathlib import Path

OURS = {"stream_ser", "stream_ser_models", "stream_ser_training"}
MOST_MB = 30.0
TOLD_LINES = 12
HELD = (
    "stream_ser/py.typed",
    "stream_ser/audio/bundled_recording/conversation.flac",
    "stream_ser/audio/bundled_recording/README.md",
    "stream_ser_models/silero/LICENSE",
    "/licenses/LICENSE",
    "/licenses/LICENSE-WEIGHTS.md",
    "/licenses/models/stream_ser_models/silero/LICENSE",
)
IMPORTED = """
import sys, stream_ser
from stream_ser.cli.main import parser
parser()
assert stream_ser.__file__.startswith(sys.prefix), stream_ser.__file__
heavy = {"torch", "stream_ser_training", "models", "training"} & set(sys.modules)
assert not heavy, heavy
print(stream_ser.__version__)
"""
WRITTEN = """
import soundfile
from stream_ser.audio.bundled import bundled_recording
soundfile.write("x.wav", *soundfile.read(bundled_recording(), dtype="int16"))
"""
ANALYSED = """
import stream_ser
print(len(stream_ser.analyze("x.wav").points), "points")
"""


class WheelError(Exception):
    """The wheel is not what we want to hand out."""


def inspect(wheel: Path) -> None:
    """Raise WheelError where the wheel installs a foreign name, lacks a file, or is too large."""
    size_mb = wheel.stat().st_size / 1e6
    if size_mb > MOST_MB:
        raise WheelError(f"{wheel.name} has {size_mb:.1f} MB, more than {MOST_MB:g}")
    names = zipfile.ZipFile(wheel).namelist()
    foreign = {top for name in names if not (top := name.split("/")[0]).endswith(".dist-info")} - OURS
    if foreign:
        raise WheelError(f"{wheel.name} installs {', '.join(sorted(foreign))}, which is not ours to name")
    within = {name.partition(".dist-info")[2] or name for name in names}
    missing = [held for held in HELD if held not in within]
    if missing:
        raise WheelError(f"{wheel.name} lacks {', '.join(missing)}")
    print(f"{wheel.name}: {size_mb:.1f} MB, {len(names)} files, installs {', '.join(sorted(OURS))}")


def install(wheel: Path, folder: Path, offline: bool) -> Path:
    """Make an environment with the wheel in ``folder``; gives its folder of programs."""
    venv.create(folder, symlinks=True)
    programs = folder / "bin"
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "-q"]
    if offline:
        (packages,) = folder.glob("lib/python*/site-packages")
        borrowed = [
            path for path in sys.path if path.endswith("-packages")
        ]  # their .pth files, and so the clone, stay out
        (packages / "borrowed.pth").write_text("\n".join(borrowed) + "\n", encoding="utf-8")
        ours = [*pip, "--no-deps", "--no-index", "--ignore-installed", str(wheel)]
    else:
        ours = [*pip, "--disable-pip-version-check", f"{wheel}[cpu]"]
    subprocess.run(ours, check=True)
    return programs


def run(command: list[str], folder: Path, *expected: str) -> None:
    """Run a command in ``folder``; raise WheelError where it fails or does not say what is expected."""
    began = time.perf_counter()
    outside = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, cwd=folder, env=outside, capture_output=True, text=True, check=False)
    told = f"{Path(command[0]).name} {' '.join(command[1:]) if '-c' not in command else '-c …'}"
    absent = [words for words in expected if words not in done.stdout]
    if done.returncode or absent:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-TOLD_LINES:])
        raise WheelError(f"{told} ended with code {done.returncode}, without {absent}:\n{last}")
    print(f"{time.perf_counter() - began:5.1f} s  {told}: {(done.stdout.strip().splitlines() or ['nothing said'])[-1]}")


def try_out(programs: Path, folder: Path) -> None:
    """Use what is installed, in a folder whose own modules have the names of our folders."""
    for name in ("models", "training"):
        (folder / f"{name}.py").write_text(
            f'raise RuntimeError("this is the user\'s own {name}.py")\n', encoding="utf-8"
        )
    python, program = str(programs / "python"), str(programs / "stream-ser")
    run([python, "-c", IMPORTED], folder)
    run([program, "demo", "--speed", "max", "--headless", "--feed", "off"], folder, "finished: 38.3 s of sound")
    run([python, "-m", "stream_ser.cli", "demo", "--speed", "max", "--headless", "--feed", "off"], folder, "finished")
    run([program, "models"], folder, "whisper-voice", "CC BY-NC-SA 4.0")
    run([program, "completion", "bash"], folder, "_shtab_stream_ser")
    run([python, "-c", WRITTEN], folder)
    run([program, "analyze", "x.wav", "--out", "x.jsonl"], folder, "finished: 38.3 s of sound")
    run([python, "-c", ANALYSED], folder, "153 points")
    run([program, "bench", "--quick", "--engine", "onnx"], folder, "whisper-voice: ")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--offline", action="store_true", help="borrow dependencies instead of installing them")
    options = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="stream-ser-wheel-") as text:
        folder = Path(text)
        (folder / "empty").mkdir()
        try:
            inspect(options.wheel)
            try_out(install(options.wheel.resolve(), folder / "environment", options.offline), folder / "empty")
        except (WheelError, subprocess.CalledProcessError) as error:
            raise SystemExit(f"the wheel does not work: {error}") from error
    print(f"the wheel works; tried in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
