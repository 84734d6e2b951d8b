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

from models.card import CARD, ONNX, WEIGHTS, probe, read_card, verified
from models.checkpoint import load_network
from tests.training.conftest import LABELS, SMALL, changed
from training import fit
from training.__main__ import main
from training.corpora import read_manifest

Recipes = Callable[..., Path]
Capture = pytest.CaptureFixture[str]


def fit_and_export(recipe: Path, data: Path, tmp_path: Path) -> Path:
    common = ["--recipe", str(recipe), "--data", str(data), "--threads", "1"]
    assert main(["fit", *common, "--out", str(tmp_path / "run")]) == 0
    assert main(["export", *common, "--run", str(tmp_path / "run"), "--out", str(tmp_path / "made-up")]) == 0
    return tmp_path / "made-up"


def test_fit_export_and_evaluate(
    corpora: Path, write_recipe: Recipes, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "STATISTICS_BATCHES", 1)  # the whole network is slow, and need not be good here
    recipe = write_recipe(top='noise = "hum"', fit="short_epochs = 1", augment="noise_share = 1.0")
    folder = fit_and_export(recipe, corpora, tmp_path)

    run = tmp_path / "run"
    assert {path.name for path in run.iterdir()} == {"best.safetensors", "state.pt", "curve.jsonl"}
    curve = [json.loads(line) for line in (run / "curve.jsonl").read_text("utf-8").splitlines()]
    assert [line["epoch"] for line in curve] == [1, 2]
    assert all(0.0 < line["loss"] < 5.0 for line in curve)
    assert all(line["validation_UA"] == line["twovoices"] == line["pooled"] for line in curve)  # one corpus

    card = read_card(folder)
    assert card.name == "made-up"
    assert card.labels == list(LABELS)
    assert (card.sample_rate, card.window_samples) == (16_000, 32_000)
    assert (card.parameters, card.macs) == (93_573, 1_020_688_848)
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
        logits = load_network(folder, card)(torch.from_numpy(probe(32_000, 16_000))[None])[0][0]
    np.testing.assert_allclose(logits.numpy(), card.probe_logits, atol=1e-5)
    assert (folder / WEIGHTS).read_bytes() == (run / "best.safetensors").read_bytes()
    assert verified(folder, card, ONNX).stat().st_size + (folder / WEIGHTS).stat().st_size < 2 * 2**20

    common = ["--recipe", str(recipe), "--data", str(corpora)]
    capsys.readouterr()
    assert main(["evaluate", *common, "--model", str(folder)]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[-1] == "the card's figures, reproduced"
    assert f"{card.figures['test']['twovoices']['WA']:6.3f}" in told

    data = json.loads((folder / CARD).read_text("utf-8"))
    data["figures"]["test"]["pooled"]["WA"] += 0.0001
    (folder / CARD).write_text(json.dumps(data), "utf-8")
    assert main(["evaluate", *common, "--model", str(folder)]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "differs from the card's figures"


def test_real_speech(write_recipe: Recipes, tmp_path: Path, capsys: Capture) -> None:
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

    recipe = write_recipe(model=SMALL)
    folder = fit_and_export(recipe, tmp_path / "data", tmp_path)
    capsys.readouterr()
    assert main(["evaluate", "--recipe", str(recipe), "--data", str(tmp_path / "data"), "--model", str(folder)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "the card's figures, reproduced"


def told(capsys: Capture, *arguments: object) -> str:
    """The one line of a command that fails as expected."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("training: ")
    assert captured.out == ""
    return lines[0]


def test_no_data(capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STREAM_SER_DATA", raising=False)
    assert "give --data DIR or set STREAM_SER_DATA" in told(capsys, "fit")
    assert str(tmp_path / "none") in told(capsys, "fit", "--data", tmp_path / "none")
    monkeypatch.setenv("STREAM_SER_DATA", str(tmp_path / "gone"))
    assert str(tmp_path / "gone") in told(capsys, "evaluate", "--model", "any")


def test_an_unknown_recipe(capsys: Capture, corpora: Path) -> None:
    line = told(capsys, "fit", "--recipe", "nonesuch", "--data", corpora)
    assert "'nonesuch'" in line
    assert "tfcnn_attention" in line


def test_a_corpus_that_is_not_there(capsys: Capture, corpora: Path, write_recipe: Recipes) -> None:
    recipe = write_recipe(top='noise = "rain"')
    line = told(capsys, "fit", "--recipe", recipe, "--data", corpora, "--out", recipe.parent / "run")
    assert str(corpora / "rain" / "manifest.csv") in line
    assert "--data" in line


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('["C"]', '["E"]', "twovoices/E"),
        ('["B"]', '["C"]', "speaker twovoices/C"),
        ('["C"]', "[]", "no clip for test"),
        ('["angry", "happy", "neutral", "sad"]', '["angry", "happy", "neutral"]', "'sad'"),
        ("draws = 8", "draws = 2", "draws = 2"),
        ("epochs = 2", 'epochs = "two"', "epochs = 'two'"),
        ('head = "attention"', 'head = "mean"', "'mean'"),
    ],
)
def test_recipes_that_do_not_fit_the_corpus(
    capsys: Capture, corpora: Path, write_recipe: Recipes, old: str, new: str, words: str
) -> None:
    recipe = changed(write_recipe(), old, new)
    assert words in told(capsys, "fit", "--recipe", recipe, "--data", corpora, "--out", recipe.parent / "run")


def test_export_before_fit(capsys: Capture, corpora: Path, write_recipe: Recipes, tmp_path: Path) -> None:
    recipe = write_recipe()
    line = told(
        capsys, "export", "--recipe", recipe, "--data", corpora, "--run", tmp_path, "--out", tmp_path / "made-up"
    )
    assert str(tmp_path / "best.safetensors") in line
    assert f"python -m training fit --recipe {recipe}" in line
    assert not (tmp_path / "made-up").exists()


def test_evaluate_an_unknown_or_corrupt_model(
    capsys: Capture, corpora: Path, write_recipe: Recipes, tmp_path: Path
) -> None:
    recipe = write_recipe()
    line = told(capsys, "evaluate", "--recipe", recipe, "--data", corpora, "--model", "nonesuch")
    assert "'nonesuch'" in line
    (tmp_path / CARD).write_text("{", "utf-8")
    line = told(capsys, "evaluate", "--recipe", recipe, "--data", corpora, "--model", tmp_path)
    assert f"cannot read {tmp_path / CARD}" in line


def test_unreadable_sound(capsys: Capture, write_recipe: Recipes, tmp_path: Path) -> None:
    home = tmp_path / "data" / "twovoices"
    home.mkdir(parents=True)
    (home / "manifest.csv").write_text("file,speaker,emotion4\na.flac,A,sad\nb.flac,B,sad\nc.flac,C,sad\n", "utf-8")
    for name in ("b.flac", "c.flac"):
        soundfile.write(home / name, np.full(8_000, 0.01 * ord(name[0]) / 100, np.float32), 16_000)
    (home / "a.flac").write_bytes(b"no sound")
    line = told(capsys, "fit", "--recipe", write_recipe(), "--data", tmp_path / "data", "--out", tmp_path / "run")
    assert str(home / "a.flac") in line
