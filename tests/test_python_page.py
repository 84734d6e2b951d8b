"""docs/python.md: every example on it runs, as it stands, in a folder with the recordings call.wav and two-parties.wav."""

from __future__ import annotations

import ast
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import stream_ser
from stream_ser.audio import microphone
from tests.audio.fakes import Say, ScriptedBackend, VirtualClock
from tests.audio.fakes import microphone as device

ROOT = Path(__file__).parents[1]
FEED = "ws://127.0.0.1:8765/v1/feed"
Runner = Callable[[str], None]


def examples(page: str) -> list[str]:
    text = (ROOT / page).read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, flags=re.M | re.S)


EXAMPLES = examples("docs/python.md")


def name_of(example: str) -> str:
    return next((line for line in example.splitlines() if "stream_ser." in line), "").strip()[:50]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, talk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(talk, tmp_path / "call.wav")
    left, rate = soundfile.read(talk, dtype="float32")
    soundfile.write(tmp_path / "two-parties.wav", np.stack([left, np.roll(left, len(left) // 2)], axis=1), rate)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def feed(talk: Path) -> Iterator[str]:
    """A feed of the recording, which begins when somebody subscribes and is told again and again."""
    over = threading.Event()
    with stream_ser.Monitor(feed="127.0.0.1:0") as monitor:

        def speak() -> None:
            while not over.is_set():
                if monitor._runtime.subscribers:
                    monitor.analyze(talk)
                over.wait(0.01)

        speaker = threading.Thread(target=speak)
        speaker.start()
        assert monitor.feed_url is not None
        yield monitor.feed_url
        over.set()
        speaker.join()


@pytest.fixture
def hardware(talk: Path, monkeypatch: pytest.MonkeyPatch) -> ScriptedBackend:
    """A microphone that hears the recording."""
    samples, _ = soundfile.read(talk, dtype="float32")
    said = [Say((at + 320) / 16_000, samples[at : at + 320, None]) for at in range(0, 8 * 16_000, 320)]
    clock = VirtualClock()
    backend = ScriptedBackend(clock, [said], [device("USB mic")])
    opened = microphone.open_microphone
    monkeypatch.setattr(
        microphone,
        "open_microphone",
        lambda wanted: opened(wanted, backend=backend, clock=clock),  # type: ignore[arg-type]
    )
    return backend


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_every_example_runs(
    example: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    if FEED in example:
        example = example.replace(FEED, request.getfixturevalue("feed"))
    if "stream_ser.listen(" in example:
        request.getfixturevalue("hardware")
    run(example)
    shown = capsys.readouterr().out
    last = ast.parse(example).body[-1]
    assert shown or isinstance(last, ast.Expr), "an example shows something"
    if "to_textgrid(" in example:
        assert (folder / "call.TextGrid").read_text("utf-8").startswith('File type = "ooTextFile"')
        assert (folder / "call.csv").read_text("utf-8").startswith("stream,start,end,t,state,label")


def run(example: str) -> dict[str, object]:
    names: dict[str, object] = {"__name__": "__main__"}
    exec(compile(example, "docs/python.md", "exec"), names)
    return names


def test_the_page_has_an_example_of_everything() -> None:
    page = "\n".join(EXAMPLES)
    for word in ("analyze(", "Monitor(", ".push(", ".flush()", ".stream(", "listen(", "subscribe(", "to_dataframe()"):
        assert word in page
    assert len(EXAMPLES) >= 10


def test_the_cell_of_a_notebook_shows_a_picture() -> None:
    (cell,) = [example for example in EXAMPLES if example.rstrip().endswith("\ntrajectory")]
    shown = run(cell)["trajectory"]._repr_html_()  # type: ignore[attr-defined]  # what a notebook asks of the last line
    assert "<svg" in shown
    assert "expressed emotion" in shown


def test_the_readme_has_the_python_api() -> None:
    (example,) = [example for example in examples("README.md") if "stream_ser.analyze(" in example]
    run(example)
    assert np.all([len(line) < 80 for line in example.splitlines()])
