"""The command from a corpus on disk to figures and page, with a shipped model and the real pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from stream_ser_training.__main__ import main
from stream_ser_training.streaming.plan import read_plan

DEMO = Path(__file__).parents[3] / "demos" / "recording"
LABELS = ("angry", "happy", "neutral", "sad")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One speaker under a name that the model never trained on, with four clips of each label cut from the recording.

    The labels are made up: what is tested is how figures come about, not how good they are.
    """
    root = tmp_path_factory.mktemp("data")
    folder = root / "emodb"
    folder.mkdir()
    samples, rate = soundfile.read(DEMO / "conversation.flac", dtype="float32")
    told = json.loads((DEMO / "conversation.labels.json").read_text("utf-8"))["clips"]
    lines = ["file,speaker,emotion4,duration_s"]
    for place in range(16):
        clip = told[place % len(told)]
        start = round(clip["start_s"] * rate)
        length = rate + place * 100  # no two alike
        name = f"{place}.flac"
        soundfile.write(folder / name, samples[start : start + length], rate)
        lines.append(f"{name},15,{LABELS[place % 4]},{length / rate}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def test_figures_plans_and_page(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "streaming"
    call = ["stream-eval", "--model", "cnn-bilstm", "--side", "test", "--data", str(data), "--corpora", "emodb"]
    call += ["--runs", str(tmp_path / "runs"), "--out", str(out)]
    assert main(call) == 0
    path = out / "cnn-bilstm-test.json"
    assert capsys.readouterr().out.split() == [str(path), str(out.with_suffix(".md"))]
    told = json.loads(path.read_text("utf-8"))
    assert told["speakers"] == ["emodb/15"]
    shown = told["kinds"]["balanced"]["shown"]
    assert shown["EDER"] == pytest.approx(shown["false_alarm"] + shown["miss"] + shown["confusion"], abs=1e-3)
    plans = [read_plan(plan) for plan in sorted((out / "plans" / "test").iterdir())]
    assert sorted(plan.kind for plan in plans) == ["balanced", "neutral", "one", "one", "one", "one"]
    page = out.with_suffix(".md").read_text("utf-8")
    assert f"{100 * shown['EDER']:.1f}" in page
    first = path.read_bytes()
    assert main(call) == 0  # from what was kept: the same to the byte
    assert path.read_bytes() == first


def test_nobody_to_judge_on_is_said(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["stream-eval", "--model", "cnn-bilstm", "--side", "validation", "--data", str(data), "--out", str(tmp_path)]
    call += ["--corpora", "emodb"]
    assert main(call) == 2
    assert "no speaker of cnn-bilstm's side validation has clips of angry" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
