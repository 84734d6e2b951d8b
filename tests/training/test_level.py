"""A finished checkpoint at one loudness: the same weights, figures of its own, and no ear for a gain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file

from stream_ser_models.architectures import make_network, untrained
from stream_ser_models.card import ONNX, WEIGHTS, CheckpointError, find, probe, read_card, verified
from stream_ser_models.checkpoint import load_network
from stream_ser_models.cnn_bilstm import CNNBiLSTM
from stream_ser_training.__main__ import main
from stream_ser_training.evaluate import Scored
from stream_ser_training.experiment import folds_of
from stream_ser_training.export import export
from stream_ser_training.level import CANDIDATES, at_loudness, likelihood
from stream_ser_training.recipe import read_recipe
from tests.training.test_start import clip

TINY = """channels = [4, 4]
time_pools = [4, 4]
frequency_pools = [4, 4]
hidden = 4
heads = 2
depth = 1
frontend = { mels = 40 }
"""


def test_a_checkpoint_is_brought_to_one_loudness(
    corpora: Path,
    tmp_path: Path,
    write_recipe: Callable[..., Path],
    write_protocol: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    protocol = str(write_protocol())
    recipe = read_recipe(str(write_recipe(architecture="cnn_bilstm", model=TINY)), protocol)
    fold = folds_of(recipe.task, corpora)[0]
    torch.manual_seed(2)
    folder = tmp_path / "model"
    network = untrained(recipe.architecture, recipe.model)
    assert isinstance(network, CNNBiLSTM)
    with torch.no_grad():
        network.classifier.weight.mul_(100.0)  # so that untrained weights say something of what they hear
    before = export(recipe, fold, network, folder, "once")
    weights = load_file(folder / WEIGHTS)
    arguments = ["level", "--model", str(folder), "--protocol", protocol, "--data", str(corpora)]
    assert main(arguments) == 0
    card = read_card(folder)
    given = card.figures["validation_likelihood_at_loudness"]
    assert list(given) == [f"{loudness:.0f}" for loudness in CANDIDATES]
    assert card.config["frontend"]["level"] == "window"
    assert given[f"{card.config['frontend']['loudness']:.0f}"] == max(given.values()) > min(given.values())
    assert card.command.startswith("once && python -m training level --model ")
    assert np.abs(np.subtract(card.probe_logits, before.probe_logits)).max() > 1e-3
    assert all(torch.equal(value, weights[name]) for name, value in load_file(folder / WEIGHTS).items())
    logits = []
    session = onnxruntime.InferenceSession(str(verified(folder, card, ONNX)), providers=["CPUExecutionProvider"])
    for gain in (1.0, 0.2, 3.0):
        sound = gain * probe(card.window_samples, card.sample_rate)[None]
        logits.append(session.run(["logits"], {"waveform": sound.astype(np.float32)})[0][0])
    np.testing.assert_allclose(logits[0], card.probe_logits, atol=1e-4)
    np.testing.assert_allclose(logits[1:], [logits[0]] * 2, atol=1e-4)
    assert main(["evaluate", *arguments[1:]]) == 0  # the figures are those of the file that lies there
    capsys.readouterr()
    assert main(arguments) == 2
    assert "to one loudness already" in capsys.readouterr().err


def test_every_corpus_counts_the_same_in_the_likelihood() -> None:
    sure, lost = np.log([[0.9, 0.1]]), np.log([[0.1, 0.9]])
    few = [Scored(clip("a/1"), 0, sure)]
    many = [Scored(clip("b/1"), 0, lost)] * 9
    one_of_each = [*few, Scored(clip("b/1"), 0, lost)]
    assert likelihood(one_of_each) > likelihood([*many, *one_of_each]) - 0.5
    assert likelihood([*few, *few]) > likelihood(one_of_each)


def test_frames_that_windows_share_stay_as_they_come() -> None:
    folder = find("mscnn-stream")
    card = read_card(folder)
    before = make_network(card.architecture, {**card.config, "relative": False})
    before.load_state_dict(load_network(folder, card).state_dict())
    network, config = at_loudness(before.eval(), card, -12.0)
    assert (config["relative"], config["loudness"], config["frontend"]["level"]) == (True, -12.0, "input")
    # Noise fills every band, so nothing lies below the front end's floor, which stays where it was.
    sound = torch.from_numpy(
        0.1 * np.random.default_rng(1).standard_normal((1, card.window_samples)).astype(np.float32)
    )
    with torch.inference_mode():
        moved, left = ((each(4.0 * sound).logits - each(sound).logits).abs().max() for each in (before, network))
    assert left < 1e-3 < 0.1 * moved


def test_a_head_on_an_encoder_has_no_front_end_to_bring_to_a_level() -> None:
    card = read_card(find("whisper-voice"))
    with pytest.raises(CheckpointError, match="whisper-voice has no front end of its own"):
        at_loudness(load_network(find("mscnn-stream"), read_card(find("mscnn-stream"))), card, -23.0)
