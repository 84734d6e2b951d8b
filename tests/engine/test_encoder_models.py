"""Heads on a pre-trained encoder in real engines: found, checked, refused, and told what a voice said before."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stream_ser.engine.backend import ENCODER_PARITY, Output
from stream_ser.engine.incremental import Computer
from stream_ser.engine.loading import fallback_chain, load_backend
from stream_ser.engine.torch_device import TorchDeviceBackend
from stream_ser.engine.voice import Voice
from stream_ser.errors import EngineError
from stream_ser.types import Window
from stream_ser_models.architectures import make_network
from stream_ser_models.card import CARD, HEAD_INPUTS, ONNX, WEIGHTS, Card, file_hash, probe, read_card, write_card
from stream_ser_models.checkpoint import load_network
from stream_ser_models.export_head import export_head
from stream_ser_models.frames import FrameHead, WithEncoder
from tests.models.test_card import a_card

WINDOW = 32_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a head that nobody trained, on the encoder that ships."""
    made = tmp_path_factory.mktemp("head")
    torch.manual_seed(1)
    head = make_network("frames_tfcnn", {"head": "attention"})
    assert isinstance(head, FrameHead)
    head.measure(torch.randn(8, head.config.steps, head.width))
    head.eval()
    save_file(head.state_dict(), made / WEIGHTS)
    export_head(head, made / ONNX)
    whole, sound = WithEncoder(head), torch.from_numpy(probe(WINDOW, 16_000)[None])
    logits = whole(sound, *whole.nobody(1))["logits"][0].tolist()
    facts = head.frontend.whisper.facts
    card = dataclasses.replace(
        a_card({name: file_hash(made / name) for name in (WEIGHTS, ONNX)}),
        architecture="frames_tfcnn",
        config=head.config.to_dict(),
        inputs=list(HEAD_INPUTS),
        encoder={"name": facts.name, "sha256": facts.digest, "layers": head.config.frontend.layers},
        probe_logits=logits,
    )
    write_card(made, card)
    return made


def voice(seconds: float, width: int) -> Voice:
    total = np.full((1, width), seconds * 2.0, dtype=np.float32)
    return Voice(total, np.array([seconds], dtype=np.float32))


def ask(folder: Path, engine: str) -> list[Output]:
    backend = load_backend(folder, read_card(folder), engine)
    sound = np.random.default_rng(2).standard_normal((1, WINDOW)).astype(np.float32) * 0.1
    found = [backend.run(sound), backend.run(sound, None, voice(60.0, backend.voice_width))]
    backend.close()
    return found


def test_engines_agree_and_hear_what_the_voice_said_before(folder: Path) -> None:
    onnx, torch_cpu = ask(folder, "onnx"), ask(folder, "torch")
    for one, other in zip(onnx, torch_cpu, strict=True):
        np.testing.assert_allclose(one.logits, other.logits, atol=ENCODER_PARITY)
        np.testing.assert_allclose(one.voice, other.voice, atol=ENCODER_PARITY)
    assert np.abs(onnx[0].logits - onnx[1].logits).max() > 3 * ENCODER_PARITY
    assert onnx[0].voice is not None
    assert onnx[1].voice is not None
    assert onnx[0].voice.tobytes() == onnx[1].voice.tobytes()


def test_a_batch_on_a_device_is_what_windows_are_one_by_one(folder: Path) -> None:
    card = read_card(folder)
    backend = TorchDeviceBackend(load_network(folder, card), card, hop=0, streams=1, graphs=False, device="cpu", most=4)
    sound = np.random.default_rng(3).standard_normal((3, WINDOW)).astype(np.float32) * 0.1
    known = Voice(np.repeat(voice(30.0, backend.voice_width).total, 3, axis=0), np.full(3, 30.0, np.float32))
    together = backend.run(sound, None, known)
    for row in range(3):
        alone = backend.run(sound[row : row + 1], None, Voice(known.total[:1], known.seconds[:1]))
        np.testing.assert_allclose(together.logits[row], alone.logits[0], atol=1e-4)
    backend.close()


def test_streams_do_not_hear_of_each_other(folder: Path) -> None:
    computer = Computer(load_backend(folder, read_card(folder), "onnx"))
    sound = np.random.default_rng(4).standard_normal(WINDOW).astype(np.float32) * 0.1

    def window(stream: str, number: int) -> Window:
        return Window(stream, number * WINDOW, (number + 1) * WINDOW, sound, hop=WINDOW, voice_s=2.0)

    alone = [computer.compute([window("alone", number)])[0] for number in range(3)]
    for number in range(3):
        computer.compute([dataclasses.replace(window("loud", number), samples=sound * 5)])
        (again,) = computer.compute([window("beside", number)])
        assert again.logits.tobytes() == alone[number].logits.tobytes()
    assert [float(each.baseline_s[0]) for each in alone if each.baseline_s is not None] == [0.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("change", "said"), [({"sha256": "0" * 64}, "was trained on encoder"), ({"name": "whisper-none"}, "whisper-none")]
)
def test_a_head_for_another_encoder_is_refused(folder: Path, tmp_path: Path, change: dict[str, str], said: str) -> None:
    for name in (WEIGHTS, ONNX):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    data = json.loads((folder / CARD).read_text("utf-8"))
    data["encoder"] |= change
    (tmp_path / CARD).write_text(json.dumps(data), "utf-8")
    with pytest.raises(EngineError, match=said):
        fallback_chain(tmp_path, read_card(tmp_path))


def test_a_card_without_an_encoder_knows_no_voices() -> None:
    card: Card = a_card({})
    assert card.encoder is None
    assert card.prior_s == 0.0
