"""A checkpoint's ONNX file is written anew from its own weights, and nothing else changes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import onnxruntime
import pytest
import torch
from safetensors.torch import save_file

from stream_ser_models.card import ONNX, WEIGHTS, CheckpointError, file_hash, find, read_card, verified, write_card
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


def test_a_head_takes_its_encoder_as_it_is_packed_now_only_when_told_to(tmp_path: Path) -> None:
    shipped = find("whisper-voice-small")
    folder = Path(shutil.copytree(shipped, tmp_path / "small"))
    card = read_card(shipped)
    assert card.encoder is not None
    write_card(folder, replace(card, encoder={**card.encoder, "sha256": "0" * 64}, probe_logits=[0.0] * 4))
    with pytest.raises(CheckpointError, match="was trained on encoder"):
        write_again(folder)
    again = write_again(folder, new_encoder=True)
    assert again == read_card(folder)
    assert again.encoder == card.encoder
    assert again.probe_logits == pytest.approx(card.probe_logits, abs=1e-4)
