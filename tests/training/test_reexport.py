"""A checkpoint's ONNX file is written anew from its own weights, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnxruntime
import pytest
import torch
from safetensors.torch import save_file

from stream_ser_models.card import ONNX, WEIGHTS, file_hash, find, read_card, verified, write_card
from stream_ser_models.export import ExportError
from stream_ser_models.tfcnn import FirstLayer
from stream_ser_training.export import probe_of
from stream_ser_training.reexport import write_again


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small checkpoint whose ONNX file is of no use."""
    torch.manual_seed(0)
    network = FirstLayer().eval()
    save_file(network.state_dict(), tmp_path / WEIGHTS)
    (tmp_path / ONNX).write_bytes(b"broken")
    with torch.inference_mode():
        logits = network(*probe_of(network, 32_000, 16_000)).logits[0].tolist()
    files = {name: file_hash(tmp_path / name) for name in (WEIGHTS, ONNX)}
    card = read_card(find("tfcnn-attention"))
    write_card(
        tmp_path,
        replace(
            card,
            architecture=network.architecture,
            config=network.config.to_dict(),
            probe_logits=logits,
            files=files,
        ),
    )
    return tmp_path


def test_the_file_is_written_anew_and_the_card_follows(folder: Path) -> None:
    before = read_card(folder)
    card = write_again(folder)
    assert card == read_card(folder)
    assert replace(card, files=before.files, figures=before.figures) == before
    assert card.files[WEIGHTS] == before.files[WEIGHTS]
    session = onnxruntime.InferenceSession(str(verified(folder, card, ONNX)))
    assert [output.name for output in session.get_outputs()] == ["logits"]


def test_weights_that_do_not_compute_the_card_s_probe_are_refused(folder: Path) -> None:
    card = read_card(folder)
    write_card(folder, replace(card, probe_logits=[card.probe_logits[0] + 0.01, *card.probe_logits[1:]]))
    with pytest.raises(ExportError, match=r"tfcnn-attention computes its probe 1\.0.e-02 away from its card"):
        write_again(folder)
    assert (folder / ONNX).read_bytes() == b"broken"
