"""Cards: what is written comes back, and whatever is wrong is said with the value seen and what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from stream_ser_models.card import (
    CARD,
    FORMAT,
    LATER,
    ONNX,
    SHIPPED,
    STEP,
    WEIGHTS,
    Card,
    CheckpointError,
    file_hash,
    find,
    probe,
    read_card,
    shipped,
    verified,
    write_card,
)
from stream_ser_models.checkpoint import load_network
from stream_ser_models.counting import parameters

LIMIT = 2 * 2**20  # bytes of any file of a shipped checkpoint


def a_card(files: dict[str, str]) -> Card:
    return Card(
        format=FORMAT,
        name="made-up",
        architecture="tfcnn",
        paper="none",
        labels=["angry", "happy", "neutral", "sad"],
        dimensions=[],
        inputs=["waveform"],
        sample_rate=16_000,
        window_samples=32_000,
        config={"head": "attention", "widths": [32, 48, 64, 80]},
        parameters=93_573,
        macs=1_020_688_848,
        temperature=1.25,
        abstain_below=0.375,
        target="intended emotion",
        licence="CC BY-SA 4.0",
        intended_use="tests – µ and × included",
        data=[{"corpus": "made-up", "train": {"clips": 1, "speakers": 1}}],
        split={"protocol": "none"},
        figures={"test": {"pooled": {"WA": 0.5}}},
        command="none",
        probe_logits=[0.1, -0.2, 0.3, 1e-9],
        files=files,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint folder whose weights are any bytes: the card does not look inside."""
    (tmp_path / WEIGHTS).write_bytes(b"weights")
    write_card(tmp_path, a_card({WEIGHTS: file_hash(tmp_path / WEIGHTS)}))
    return tmp_path


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads((folder / CARD).read_text("utf-8"))
    change(data)
    (folder / CARD).write_text(json.dumps(data), "utf-8")


def failure(action: Callable[[], object]) -> str:
    with pytest.raises(CheckpointError) as caught:
        action()
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_card_comes_back_as_it_was_written(folder: Path) -> None:
    card = read_card(folder)
    assert card == a_card({WEIGHTS: file_hash(folder / WEIGHTS)})
    assert verified(folder, card, WEIGHTS) == folder / WEIGHTS


def test_the_hash_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert file_hash(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_changed_weights_are_refused_with_both_hashes(folder: Path) -> None:
    card = read_card(folder)
    (folder / WEIGHTS).write_bytes(b"weightz")
    text = failure(lambda: verified(folder, card, WEIGHTS))
    assert file_hash(folder / WEIGHTS)[:12] in text
    assert card.files[WEIGHTS][:12] in text
    assert "get the checkpoint again" in text


def test_missing_weights_are_named(folder: Path) -> None:
    card = read_card(folder)
    (folder / WEIGHTS).unlink()
    text = failure(lambda: verified(folder, card, WEIGHTS))
    assert str(folder / WEIGHTS) in text
    assert "get the checkpoint again" in text


def test_a_file_that_the_card_does_not_name_is_not_trusted(folder: Path) -> None:
    (folder / ONNX).write_bytes(b"from elsewhere")
    text = failure(lambda: verified(folder, read_card(folder), ONNX))
    assert ONNX in text
    assert f"it has {WEIGHTS}" in text


@pytest.mark.parametrize("seen", [0, FORMAT + 1, "1", None])
def test_another_format_number_is_refused_with_the_number(folder: Path, seen: object) -> None:
    edit(folder, lambda data: data.update(format=seen))
    text = failure(lambda: read_card(folder))
    assert f"card format {seen!r}" in text
    assert "update stream-ser" in text


def test_a_card_that_is_no_object_is_refused(folder: Path) -> None:
    (folder / CARD).write_text("[1, 2]", "utf-8")
    assert "card format 'list'" in failure(lambda: read_card(folder))


def test_missing_and_surplus_fields_are_named(folder: Path) -> None:
    edit(folder, lambda data: (data.pop("temperature"), data.update(mood=1)))
    text = failure(lambda: read_card(folder))
    assert "mood, temperature" in text
    assert "get the checkpoint again" in text


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe\x00", b""])
def test_what_is_not_json_is_refused(folder: Path, content: bytes) -> None:
    (folder / CARD).write_bytes(content)
    text = failure(lambda: read_card(folder))
    assert f"cannot read {folder / CARD}" in text
    assert "get the checkpoint again" in text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 0),
        ("temperature", float("inf")),
        ("abstain_below", 1.5),
        ("labels", None),
        ("labels", ["angry"]),
        ("window_samples", "x"),
        ("window_samples", True),
        ("sample_rate", 8_000),
        ("probe_logits", [0.0]),
        ("figures", {}),
    ],
)
def test_values_that_nothing_can_be_done_with_are_refused(folder: Path, field: str, value: object) -> None:
    edit(folder, lambda data: data.update({field: value}))
    assert field.partition("_")[0] in failure(lambda: read_card(folder)) or field in ("sample_rate", "window_samples")


def test_a_folder_without_a_card_says_what_to_do(tmp_path: Path) -> None:
    text = failure(lambda: read_card(tmp_path))
    assert str(tmp_path) in text
    assert "stream-ser models" in text


def test_a_file_in_place_of_the_folder_is_refused(folder: Path) -> None:
    assert "cannot read" in failure(lambda: read_card(folder / WEIGHTS))


def test_unknown_names_are_refused_with_the_names_there_are() -> None:
    text = failure(lambda: find("no-such-model"))
    assert "'no-such-model'" in text
    assert all(name in text for name in shipped())
    assert "stream-ser models" in text


def test_a_checkpoint_is_found_by_its_path(folder: Path) -> None:
    assert find(str(folder)) == folder


def test_the_digest_follows_every_field_and_the_weights(folder: Path) -> None:
    card = read_card(folder)
    assert len(card.digest) == 16
    assert read_card(folder).digest == card.digest
    assert replace(card, files={WEIGHTS: "0" * 64}).digest != card.digest
    assert replace(card, temperature=1.26).digest != card.digest
    reordered = replace(card, config=dict(reversed(card.config.items())))
    assert reordered.digest == card.digest  # the same card, written in another order


def test_the_probe_is_the_same_everywhere() -> None:
    signal = probe(32_000, 16_000)
    assert signal.shape == (32_000,)
    assert signal.dtype == np.float32
    assert float(np.abs(signal).max()) == pytest.approx(0.08, abs=0.04)
    assert np.abs(signal[:1_000]).max() < 0.2 * np.abs(signal).max()
    assert float(np.square(signal.astype(np.float64)).sum()) == pytest.approx(26.64944, rel=1e-5)


def test_a_card_is_readable_without_torch(folder: Path) -> None:
    program = (
        "import sys, pathlib; sys.modules['torch'] = None; from stream_ser_models.card import find, read_card, shipped; "
        "print(read_card(find(sys.argv[1])).name, len(shipped()))"
    )
    told = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["made-up", str(len(shipped()))]


def shipped_folder(name: str) -> Path:
    if name not in shipped():
        pytest.skip(f"{name} is not in {SHIPPED.parent.name}/{SHIPPED.name} yet: fit and export it first")
    return find(name)


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_checkpoint_is_whole_and_small(name: str) -> None:
    folder = shipped_folder(name)
    card = read_card(folder)
    assert card.name == folder.name
    also = (["words.txt"] if "tokens" in card.inputs else []) + ([STEP] if card.config.get("padded") is False else [])
    assert set(card.files) == {WEIGHTS, ONNX, *also}
    for name in card.files:
        verified(folder, card, name)
    assert {path.name for path in folder.iterdir()} == {CARD, *card.files}
    assert max(path.stat().st_size for path in folder.iterdir()) <= LIMIT
    assert b".py" not in (folder / ONNX).read_bytes()
    assert len(card.labels) == len(card.probe_logits) == 4
    assert card.temperature > 0
    assert 0 <= card.abstain_below < 1
    assert {**dict.fromkeys(LATER), **json.loads((folder / CARD).read_text("utf-8"))} == asdict(card)


def test_the_shipped_weights_and_graph_both_give_the_cards_probe_logits() -> None:
    folder = shipped_folder("tfcnn-attention")
    card = read_card(folder)
    import torch

    waveform = probe(card.window_samples, card.sample_rate)[None]
    network = load_network(folder, card)
    with torch.inference_mode():
        by_torch = network(torch.from_numpy(waveform))[0].numpy()[0]
    session = onnxruntime.InferenceSession(str(verified(folder, card, ONNX)), providers=["CPUExecutionProvider"])
    by_graph = session.run(["logits"], {"waveform": waveform})[0][0]
    np.testing.assert_allclose(by_torch, card.probe_logits, atol=1e-4)
    np.testing.assert_allclose(by_graph, card.probe_logits, atol=1e-4)
    assert parameters(network) == card.parameters
