"""Fit, export and evaluate from the command line, end to end, and what it says when something is wrong."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stream_ser_models.card import CARD, ONNX, WEIGHTS, probe, read_card, verified
from stream_ser_models.checkpoint import load_network
from stream_ser_training import fit
from stream_ser_training.__main__ import main
from stream_ser_training.clips import read_manifest
from stream_ser_training.recipe import RECIPES
from stream_ser_training.records import read_records
from tests.training.conftest import LABELS, SMALL, changed

Writer = Callable[..., Path]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def fewer_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "STATISTICS_BATCHES", 1)


def common(recipe: Path, protocol: Path, data: Path, runs: Path) -> list[str]:
    options = ["--recipe", recipe, "--protocol", protocol, "--data", data, "--runs", runs, "--threads", "1"]
    return [str(option) for option in options]


def fit_and_export(recipe: Path, protocol: Path, data: Path, tmp_path: Path) -> Path:
    options = common(recipe, protocol, data, tmp_path / "runs")
    assert main(["fit", *options, "--records", str(tmp_path / "records"), "--device", "cpu"]) == 0
    assert main(["export", *options, "--out", str(tmp_path / "made-up")]) == 0
    return tmp_path / "made-up"


def test_fit_export_and_evaluate(
    corpora: Path, write_recipe: Writer, write_protocol: Writer, tmp_path: Path, capsys: Capture
) -> None:
    recipe = write_recipe(fit="short_epochs = 1", augment="noise_share = 1.0")
    protocol = write_protocol()
    folder = fit_and_export(recipe, protocol, corpora, tmp_path)

    run = tmp_path / "runs" / "tiny__voices__holdout__s1"
    assert {path.name for path in run.iterdir()} == {"best.safetensors", "state.pt", "curve.jsonl", "tensorboard"}
    curve = [json.loads(line) for line in (run / "curve.jsonl").read_text("utf-8").splitlines()]
    assert [line["epoch"] for line in curve] == [1, 2]
    assert all(0.0 < line["loss"] < 5.0 for line in curve)
    assert all(line["validation_UA"] == line["twovoices"] == line["pooled"] for line in curve)  # one corpus

    (record,) = read_records(tmp_path / "records")
    assert (record.recipe, record.protocol, record.fold, record.seed) == ("tiny", "voices", "holdout", 1)
    assert len(record.utterances) == 8
    assert record.sides["test"] == {"clips": 8, "speakers": ["twovoices/C"]}
    assert str(tmp_path) not in (tmp_path / "records" / record.file_name).read_text("utf-8")

    card = read_card(folder)
    assert (card.name, card.labels, card.architecture) == ("made-up", list(LABELS), "tfcnn")
    assert (card.sample_rate, card.window_samples) == (16_000, 32_000)
    assert card.data == [
        {
            "corpus": "twovoices",
            "licence": "stated by its holder",
            "train": {"clips": 16, "speakers": 2},
            "validation": {"clips": 8, "speakers": 1},
            "test": {"clips": 8, "speakers": 1},
        },
        {"corpus": "hum", "licence": "stated by its holder", "use": "background sound while training"},
    ]
    assert card.split["test"] == {"twovoices": ["C"]}
    assert card.figures["test"]["pooled"]["clips"] == 8
    assert str(tmp_path) not in (folder / CARD).read_text("utf-8")  # no path of this machine
    with torch.inference_mode():
        logits = load_network(folder, card)(torch.from_numpy(probe(32_000, 16_000))[None]).logits[0]
    np.testing.assert_allclose(logits.numpy(), card.probe_logits, atol=1e-5)
    for name in (ONNX, WEIGHTS):
        verified(folder, card, name)

    again = ["--protocol", str(protocol), "--data", str(corpora), "--model", str(folder)]
    capsys.readouterr()
    assert main(["evaluate", *again]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[-1] == "the card's figures, reproduced"
    assert f"{card.figures['test']['twovoices']['WA']:6.3f}" in told

    data = json.loads((folder / CARD).read_text("utf-8"))
    data["figures"]["test"]["pooled"]["WA"] += 0.0001
    (folder / CARD).write_text(json.dumps(data), "utf-8")
    assert main(["evaluate", *again]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "differs from the card's figures"


def small_recipe(name: str, tmp_path: Path) -> Path:
    """A bundled recipe with two steps of training, from random weights."""
    lines = (RECIPES / f"{name}.toml").read_text("utf-8").splitlines()
    cut = {"epochs": "1", "draws": "8", "batch": "4", "copies": "1", "short_epochs": "0", "look_every": "1"}
    kept, table = [], ""
    for line in lines:
        table = line if line.startswith("[") else table
        key = line.partition("=")[0].strip()
        if table.startswith("[on.") or key == "start":
            continue
        kept.append(f"{key} = {cut.pop(key)}" if key in cut and table in ("[fit]", "[stage]") else line)
    kept.append("") if "[stage]" in kept else kept.append("[stage]")
    text = "\n".join(kept).replace("[stage]", '[stage]\nnoise = "hum"')
    for key, table in (("draws", "[fit]"), ("batch", "[fit]"), ("copies", "[stage]")):
        if key in cut:
            text = text.replace(table, f"{table}\n{key} = {cut[key]}")
    path = tmp_path / f"{name}.toml"
    path.write_text(text, "utf-8")
    return path


def test_who_has_records_alone_can_fit_the_model_anew(
    corpora: Path, write_recipe: Writer, write_protocol: Writer, tmp_path: Path
) -> None:
    recipe, protocol = write_recipe(), write_protocol()
    fit_and_export(recipe, protocol, corpora, tmp_path)
    shutil.rmtree(tmp_path / "runs")  # as in a fresh clone
    options = [*common(recipe, protocol, corpora, tmp_path / "runs"), "--records", str(tmp_path / "records")]
    assert main(["fit", *options, "--device", "cpu", "--missing"]) == 0
    assert not list(tmp_path.glob("runs/*/best.safetensors"))
    folder = fit_and_export(recipe, protocol, corpora, tmp_path)
    assert read_card(folder).name == "made-up"


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in RECIPES.glob("*.toml") if path.stem not in ("tfcnn_paper", "cpc_tuned"))
)
def test_every_bundled_recipe_trains_end_to_end(
    name: str, corpora: Path, write_protocol: Writer, tmp_path: Path
) -> None:
    recipe = small_recipe(name, tmp_path)
    options = common(recipe, write_protocol(), corpora, tmp_path / "runs")
    assert main(["fit", *options, "--records", str(tmp_path / "records"), "--device", "cpu"]) == 0
    (record,) = read_records(tmp_path / "records")
    assert len(record.utterances) == 8
    assert all(abs(sum(row[4]) - 1.0) < 1e-3 for row in record.utterances)
    assert record.macs > 0


def test_real_speech(write_recipe: Writer, write_protocol: Writer, tmp_path: Path, capsys: Capture) -> None:
    root = os.environ.get("STREAM_SER_DATA")
    if not root or not (Path(root) / "emodb" / "manifest.csv").is_file():
        pytest.skip("STREAM_SER_DATA names no folder that holds emodb")
    kept: dict[tuple[str, str], int] = {}
    lines = ["file,speaker,emotion4"]
    home = tmp_path / "data" / "twovoices"
    home.mkdir(parents=True)
    for clip in read_manifest(Path(root) / "emodb"):
        speaker = {"03": "A", "08": "D", "09": "B", "10": "C"}.get(clip.speaker.removeprefix("emodb/"))
        if speaker and kept.setdefault((speaker, clip.label), 0) < 2:
            kept[speaker, clip.label] += 1
            shutil.copyfile(clip.path, home / clip.path.name)
            lines.append(f"{clip.path.name},{speaker},{clip.label}")
    (home / "manifest.csv").write_text("\n".join(lines) + "\n", "utf-8")
    assert len(lines) == 1 + 4 * 4 * 2

    protocol = write_protocol()
    folder = fit_and_export(write_recipe(stage='noise = ""'), protocol, tmp_path / "data", tmp_path)
    capsys.readouterr()
    options = ["--protocol", str(protocol), "--data", str(tmp_path / "data"), "--model", str(folder)]
    assert main(["evaluate", *options]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "the card's figures, reproduced"


def told(capsys: Capture, *arguments: object) -> str:
    """The one line of a command that fails as expected."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("training: ")]
    assert len(lines) == 1, captured.err
    assert "Traceback" not in captured.err
    return lines[0]


def test_no_data(capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STREAM_SER_DATA", raising=False)
    fit_one = ("fit", "--recipe", "cnn_bilstm")
    assert "give --data DIR or set STREAM_SER_DATA" in told(capsys, *fit_one)
    assert str(tmp_path / "none") in told(capsys, *fit_one, "--data", tmp_path / "none")
    monkeypatch.setenv("STREAM_SER_DATA", str(tmp_path / "gone"))
    assert str(tmp_path / "gone") in told(capsys, "evaluate", "--model", "any")


def test_unknown_recipe_protocol_and_fold(
    capsys: Capture, corpora: Path, write_recipe: Writer, write_protocol: Writer
) -> None:
    line = told(capsys, "fit", "--recipe", "nonesuch", "--data", corpora)
    assert "'nonesuch'" in line
    assert "cnn_bilstm" in line
    assert "no protocol 'x'" in told(capsys, "fit", "--recipe", "cnn_bilstm", "--protocol", "x", "--data", corpora)
    options = common(write_recipe(), write_protocol(), corpora, corpora / "runs")
    assert "no fold 7; there are holdout" in told(capsys, "fit", *options, "--folds", "7")


def test_a_corpus_that_is_not_there(
    capsys: Capture, corpora: Path, write_recipe: Writer, write_protocol: Writer, tmp_path: Path
) -> None:
    recipe = write_recipe(stage='noise = "rain"')
    line = told(capsys, "fit", *common(recipe, write_protocol(), corpora, tmp_path / "runs"))
    assert str(corpora / "rain" / "manifest.csv") in line
    assert "--data" in line


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('["C"]', '["E"]', "twovoices/E"),
        ('["B"]', '["C"]', "speaker twovoices/C"),
        ('["C"]', "[]", "no clip for test"),
        ('["angry", "happy", "neutral", "sad"]', '["angry", "happy", "neutral"]', "'sad'"),
    ],
)
def test_protocols_that_do_not_fit_the_corpus(
    capsys: Capture,
    corpora: Path,
    write_recipe: Writer,
    write_protocol: Writer,
    tmp_path: Path,
    old: str,
    new: str,
    words: str,
) -> None:
    protocol = changed(write_protocol(), old, new)
    assert words in told(capsys, "fit", *common(write_recipe(), protocol, corpora, tmp_path / "runs"))


def test_a_start_that_is_not_there(
    capsys: Capture, corpora: Path, write_recipe: Writer, write_protocol: Writer, tmp_path: Path
) -> None:
    recipe = write_recipe(top='start = "other:voices"')
    line = told(capsys, "fit", *common(recipe, write_protocol(), corpora, tmp_path / "runs"))
    assert "make it with: python -m training fit --recipe other --protocol voices" in line


def test_a_learning_rate_that_blows_up_is_told(
    capsys: Capture, corpora: Path, write_recipe: Writer, write_protocol: Writer, tmp_path: Path
) -> None:
    recipe = write_recipe(model=SMALL, fit="learning_rate = 1e30")
    line = told(capsys, "fit", *common(recipe, write_protocol(), corpora, tmp_path / "runs"))
    assert line.startswith("training: loss ")
    assert line.endswith("lower learning_rate and fit into an empty folder (--runs)")


def test_export_before_fit(
    capsys: Capture, corpora: Path, write_recipe: Writer, write_protocol: Writer, tmp_path: Path
) -> None:
    recipe, protocol = write_recipe(), write_protocol()
    options = common(recipe, protocol, corpora, tmp_path / "runs")
    line = told(capsys, "export", *options, "--out", tmp_path / "made-up")
    assert "best.safetensors" in line
    assert f"python -m training fit --recipe {recipe} --protocol {protocol} --folds holdout" in line
    assert not (tmp_path / "made-up").exists()


def test_evaluate_an_unknown_or_corrupt_model(capsys: Capture, corpora: Path, tmp_path: Path) -> None:
    assert "'nonesuch'" in told(capsys, "evaluate", "--data", corpora, "--model", "nonesuch")
    (tmp_path / CARD).write_text("{", "utf-8")
    line = told(capsys, "evaluate", "--data", corpora, "--model", tmp_path)
    assert f"cannot read {tmp_path / CARD}" in line


def test_evaluate_on_another_split_is_refused(capsys: Capture, corpora: Path, write_protocol: Writer) -> None:
    line = told(capsys, "evaluate", "--protocol", write_protocol(), "--data", corpora, "--model", "tfcnn-attention")
    assert "tfcnn-attention was made on another split than voices's" in line


def test_unreadable_sound(capsys: Capture, write_recipe: Writer, write_protocol: Writer, tmp_path: Path) -> None:
    home = tmp_path / "data" / "twovoices"
    home.mkdir(parents=True)
    (home / "manifest.csv").write_text("file,speaker,emotion4\na.flac,A,sad\nb.flac,B,sad\nc.flac,C,sad\n", "utf-8")
    for name in ("b.flac", "c.flac"):
        soundfile.write(home / name, np.full(8_000, 0.01 * ord(name[0]) / 100, np.float32), 16_000)
    (home / "a.flac").write_bytes(b"no sound")
    recipe = write_recipe(stage='noise = ""')
    line = told(capsys, "fit", *common(recipe, write_protocol(), tmp_path / "data", tmp_path / "runs"))
    assert str(home / "a.flac") in line


def test_verify_and_report(capsys: Capture, corpora: Path, tmp_path: Path) -> None:
    assert main(["verify", "twovoices", "--data", str(corpora)]) in (0, 1)
    assert "twovoices" in capsys.readouterr().out
    assert "no record in" in told(capsys, "report", "--records", tmp_path, "--out", tmp_path / "out")


def test_the_baseline_is_recorded(corpora: Path, write_protocol: Writer, tmp_path: Path) -> None:
    options = ["--protocol", str(write_protocol()), "--data", str(corpora), "--records", str(tmp_path)]
    assert main(["baseline", *options]) == 0
    (record,) = read_records(tmp_path)
    assert (record.recipe, record.architecture, len(record.utterances)) == ("svm", "svm", 8)
