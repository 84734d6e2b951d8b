"""Networks come back from their checkpoint, and only from one that fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from stream_ser_models.card import WEIGHTS, Card, CheckpointError, file_hash
from stream_ser_models.checkpoint import build, load_network
from stream_ser_models.tfcnn import TFCNN, TFCNNConfig
from tests.models.test_card import a_card

Lively = Callable[..., TFCNN]


@pytest.fixture
def saved(tmp_path: Path, lively: Lively) -> tuple[TFCNN, Card]:
    network = lively("gap")
    save_file(network.state_dict(), tmp_path / WEIGHTS)
    return network, replace(a_card({WEIGHTS: file_hash(tmp_path / WEIGHTS)}), config=network.config.to_dict())


def test_a_network_comes_back_bit_for_bit(tmp_path: Path, saved: tuple[TFCNN, Card]) -> None:
    network, card = saved
    again = load_network(tmp_path, card)
    assert not again.training
    waveform = 0.1 * torch.randn(1, 32_000, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        assert torch.equal(again(waveform)[0], network(waveform)[0])


def test_weights_of_another_head_are_refused(tmp_path: Path, saved: tuple[TFCNN, Card]) -> None:
    card = replace(saved[1], config=TFCNNConfig(head="attention").to_dict())
    with pytest.raises(
        CheckpointError, match=r"weights of made-up do not fit tfcnn: .*head\.top_down\.weight"
    ) as caught:
        load_network(tmp_path, card)
    assert "\n" not in str(caught.value)


def test_weights_of_another_width_are_refused(tmp_path: Path, saved: tuple[TFCNN, Card]) -> None:
    card = replace(saved[1], config=TFCNNConfig(head="gap", widths=(32, 48, 64, 81)).to_dict())
    with pytest.raises(CheckpointError, match="do not fit tfcnn"):
        load_network(tmp_path, card)


def test_corrupt_weights_are_refused_before_they_are_read(tmp_path: Path, saved: tuple[TFCNN, Card]) -> None:
    content = bytearray((tmp_path / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (tmp_path / WEIGHTS).write_bytes(content)
    with pytest.raises(CheckpointError, match="is corrupt"):
        load_network(tmp_path, saved[1])


def test_weights_that_are_no_tensors_are_refused(tmp_path: Path, saved: tuple[TFCNN, Card]) -> None:
    (tmp_path / WEIGHTS).write_bytes(b"not tensors at all")
    card = replace(saved[1], files={WEIGHTS: file_hash(tmp_path / WEIGHTS)})  # the card agrees, and is wrong
    with pytest.raises(CheckpointError, match="do not fit tfcnn"):
        load_network(tmp_path, card)


def test_an_unknown_architecture_is_named() -> None:
    with pytest.raises(CheckpointError, match=r"'resnet' is unknown.*update stream-ser"):
        build("resnet", {})


@pytest.mark.parametrize("config", [{"depth": 9}, {"head": "mean"}, {"frontend": {"hop": 150}}, {"widths": [1, 2]}])
def test_a_config_that_does_not_fit_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match=r"does not fit tfcnn: .*get the checkpoint again"):
        build("tfcnn", config)
