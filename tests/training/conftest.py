"""One torch thread, and a corpus of invented voices that is small enough to train on in a test."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import torch
from tqdm import tqdm

torch.set_num_threads(1)
tqdm.monitor_interval = 0  # no thread beside the progress bars

RATE = 16_000
LABELS = ("angry", "happy", "neutral", "sad")
PITCH = {"angry": 320.0, "happy": 240.0, "neutral": 160.0, "sad": 90.0}
SMALL = "first = 2\nwidths = [4, 4, 4, 4]"  # a network that costs a thirtieth
RECIPE = """
paper = "none"
architecture = "{architecture}"
{top}
[model]
{model}
[stage]
copies = 2
{stage}
[fit]
epochs = 2
draws = 8
batch = 4
{fit}
[augment]
{augment}
"""
PROTOCOL = """
corpora = ["twovoices"]
label = "invented"
labels = ["angry", "happy", "neutral", "sad"]
about = "one speaker a side"
{top}
[protocol]
kind = "holdout"
[protocol.validation]
twovoices = ["B"]
[protocol.test]
twovoices = ["C"]
"""

COLUMNS = ("file", "speaker", "sex", "emotion4", "sentence")


def voice(pitch: float, seconds: float, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A vowel-like tone: harmonics of a gliding pitch between two stretches of near silence."""
    t = np.arange(int(seconds * RATE)) / RATE
    phase = 2.0 * np.pi * pitch * (t + 0.02 * np.sin(2.0 * np.pi * 2.0 * t))
    tone = sum(np.sin(k * phase) / k for k in range(1, 8)) * np.sin(np.pi * t / t[-1])
    return (0.05 * tone + 0.001 * rng.standard_normal(len(t))).astype(np.float32)


def write_corpus(folder: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """Write sound files and manifest; a row's ``samples`` become its file."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, COLUMNS)
        writer.writeheader()
        for row in rows:
            soundfile.write(folder / row["file"], row["samples"], row.get("rate", RATE))
            writer.writerow({name: row.get(name, "") for name in COLUMNS})
    return folder


@pytest.fixture(scope="session")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpora ``twovoices``, whose A and D train while B validates and C tests, and ``hum``, background sound."""
    root, rng = tmp_path_factory.mktemp("corpora"), np.random.default_rng(0)
    rows = [
        {
            "file": f"{speaker}-{label}-{take}.flac",
            "speaker": speaker,
            "sex": "F",
            "emotion4": label,
            "samples": voice(PITCH[label] * scale, 1.2 + 0.6 * take, rng),
        }
        for speaker, scale in (("A", 1.0), ("D", 0.9), ("B", 1.1), ("C", 1.05))
        for label in LABELS
        for take in range(2)
    ]
    write_corpus(root / "twovoices", rows)
    hum = (0.1 * np.sin(2.0 * np.pi * 50.0 * np.arange(RATE) / RATE)).astype(np.float32)
    write_corpus(root / "hum", [{"file": "hum.flac", "sentence": "mains hum", "samples": hum}])
    return root


@pytest.fixture
def write_recipe(tmp_path: Path) -> Callable[..., Path]:
    """Write a tiny recipe with extra lines in its tables and return its path."""

    def write(name: str = "tiny", architecture: str = "tfcnn", **tables: str) -> Path:
        path = tmp_path / f"{name}.toml"
        empty = {"top": "", "model": SMALL, "stage": 'noise = "hum"', "fit": "", "augment": ""}
        path.write_text(RECIPE.format(architecture=architecture, **{**empty, **tables}), encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_protocol(tmp_path: Path) -> Callable[..., Path]:
    """Write the protocol of ``twovoices`` with extra lines and return its path."""

    def write(name: str = "voices", top: str = "") -> Path:
        path = tmp_path / f"{name}.toml"
        path.write_text(PROTOCOL.format(top=top), encoding="utf-8")
        return path

    return write


def changed(recipe: Path, old: str, new: str) -> Path:
    """Replace text in a recipe and return its path."""
    text = recipe.read_text("utf-8")
    assert old in text
    recipe.write_text(text.replace(old, new), "utf-8")
    return recipe
