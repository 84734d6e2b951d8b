"""The command from a corpus on disk to figures and page, with a shipped model and the real pipeline."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from stream_ser.cli.listing import describe
from stream_ser_models.card import SHIPPED, read_card
from stream_ser_training.__main__ import main
from stream_ser_training.streaming.benchmark import hearing
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


def test_figures_are_told_in_the_card(data: Path, tmp_path: Path) -> None:
    """From the measurement to what ``stream-ser models`` prints; a model of that name is copied, for its card is written."""
    model, out = tmp_path / "cnn-bilstm", tmp_path / "streaming"
    shutil.copytree(SHIPPED / "cnn-bilstm", model)
    before = read_card(model)
    untold = describe(before)
    call = ["stream-eval", "--model", str(model), "--side", "test", "--data", str(data), "--corpora", "emodb"]
    call += ["--runs", str(tmp_path / "runs"), "--out", str(out)]
    assert main(call) == 0
    assert main([*call, "--tell"]) == 0
    card = read_card(model)
    assert replace(card, figures=before.figures) == before
    shown = json.loads((out / "cnn-bilstm-test.json").read_text("utf-8"))["kinds"]["balanced"]["shown"]
    lines = describe(card)
    assert [line for line in lines if line not in untold][1:]  # the first is the name with its digest
    assert any(line.split()[:2] == ["test", "speakers"] and f"ECE {shown['ECE']:.3f}" in line for line in lines)
    assert hearing(card) == hearing(before), "what is told changes nothing of what is heard"
    assert hearing(replace(card, temperature=2.0)) != hearing(card)


def test_nothing_measured_is_nothing_to_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["stream-eval", "--model", "cnn-bilstm", "--data", str(tmp_path), "--out", str(tmp_path), "--tell"]
    assert main(call) == 2
    assert "no figures of cnn-bilstm" in capsys.readouterr().err


def test_nobody_to_judge_on_is_said(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["stream-eval", "--model", "cnn-bilstm", "--side", "validation", "--data", str(data), "--out", str(tmp_path)]
    call += ["--corpora", "emodb"]
    assert main(call) == 2
    assert "no speaker of cnn-bilstm's side validation has clips of angry" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
