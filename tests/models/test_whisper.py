"""The pre-trained encoder: its picture against librosa, its states against stored values, and its place in a network."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from stream_ser_models.card import CheckpointError, probe
from stream_ser_models.encoders import find_encoder, read_encoder
from stream_ser_models.whisper import (
    WhisperConfig,
    WhisperEncoder,
    WhisperFrontend,
    WhisperLayer,
    WhisperLogMel,
    as_products,
    expand,
    load_encoder,
    pooled,
)

NAME = "whisper-tiny.en"
DEMO = Path(__file__).parents[2] / "demos" / "recording" / "conversation.flac"


def speech() -> torch.Tensor:
    samples, _ = soundfile.read(DEMO, dtype="float32", start=48_000, stop=80_000)
    return torch.from_numpy(samples)[None]


def pretrained() -> Path:
    folder = os.environ.get("STREAM_SER_PRETRAINED")
    data = os.environ.get("STREAM_SER_DATA")
    if folder is None and data is not None:
        folder = str(Path(data).parent / "pretrained")
    if folder is None or not (Path(folder) / "reference.json").is_file():
        pytest.skip("no reference.json; name its folder in STREAM_SER_PRETRAINED")
    return Path(folder)


@pytest.mark.parametrize("floor", ["window", "fixed"])
def test_the_picture_is_librosas(floor: str) -> None:
    sound = speech()
    filters = librosa.filters.mel(sr=16_000, n_fft=400, n_mels=80)
    spectrum = librosa.stft(sound[0].numpy(), n_fft=400, hop_length=160, pad_mode="reflect")[:, :-1]
    power = np.log10(np.maximum(filters @ np.abs(spectrum) ** 2, 1e-10))
    power = np.maximum(power, power.max() - 8.0 if floor == "window" else -6.0)
    picture = WhisperLogMel(floor=floor)(sound)[0].numpy()
    assert picture.shape == (80, 200)
    np.testing.assert_allclose(picture, (power + 4.0) / 4.0, atol=2e-4)


def test_a_fixed_floor_keeps_frames_what_they_are_when_a_louder_one_comes() -> None:
    sound = speech() * 0.01
    louder = sound.clone()
    louder[:, 30_000:] = 0.9
    for floor, kept in (("fixed", True), ("window", False)):
        pictures = [WhisperLogMel(floor=floor)(each)[..., :180] for each in (sound, louder)]
        assert torch.equal(*pictures) is kept


@pytest.mark.parametrize("floor", ["window", "fixed"])
@pytest.mark.parametrize("level", ["window", "input"])
def test_silence_is_a_number(floor: str, level: str) -> None:
    config = WhisperConfig(layers=1, floor=floor, level=level)
    assert torch.isfinite(WhisperFrontend(config)(torch.zeros(1, 32_000))).all()


@pytest.mark.parametrize("gain", [0.1, 0.25, 4.0])
def test_a_constant_gain_changes_nothing(gain: float) -> None:
    sound = speech()
    level, as_it_comes = (WhisperLogMel(level=level) for level in ("window", "input"))
    torch.testing.assert_close(level(sound * gain), level(sound), atol=1e-5, rtol=0)
    assert float((as_it_comes(sound * gain) - as_it_comes(sound)).abs().max()) > 0.2


def test_loudness_is_that_of_loud_frames_where_a_line_passes_sound() -> None:
    places = torch.arange(32_000) / 16_000.0
    tone = 0.1 * torch.sin(2.0 * math.pi * 1000.0 * places)[None]
    low = tone + 0.3 * torch.sin(2.0 * math.pi * 60.0 * places)[None]
    half = tone * (places < 1.0)
    picture = WhisperLogMel(level="window")
    expected = picture(tone)
    assert float(expected.max()) == pytest.approx(float(picture(half).max()), abs=0.04)
    assert float(expected[:, 40:].max()) == pytest.approx(float(picture(low)[:, 40:].max()), abs=0.04)


def test_states_are_those_of_the_unrounded_weights() -> None:
    folder = pretrained()
    expected = json.loads((folder / "reference.json").read_text())[NAME]["layers"]
    encoder = WhisperEncoder(WhisperConfig(layers=4, level="input", decades=8.0), 384, 6).eval()
    encoder.load_state_dict(as_products(expand(load_file(folder / f"{NAME}-encoder.safetensors"))))
    for number, state in enumerate(encoder.states(speech())):
        values = expected[str(number)]
        assert list(state.shape[1:]) == values["shape"]
        assert float(state.mean()) == pytest.approx(values["mean"], abs=1e-3)
        for place in (10, 90):
            np.testing.assert_allclose(
                state[0, place, :8].detach(), values[f"frame_{place}_first_8"], atol=2e-2, rtol=0
            )


def test_the_shipped_weights_lose_little_by_their_rounding() -> None:
    layers = read_encoder(find_encoder(NAME)).layers
    config = WhisperConfig(layers=layers)
    whole = WhisperEncoder(config, 384, 6).eval()
    weights = as_products(expand(load_file(pretrained() / f"{NAME}-encoder.safetensors")))
    whole.load_state_dict({name: weights[name] for name in whole.state_dict()})
    with torch.inference_mode():
        expected, seen = whole(speech()), load_encoder(config)(speech())
    assert 0.0 < float((seen - expected).norm() / expected.norm()) < 0.05


def test_states_are_those_of_the_encoders_own_file() -> None:
    facts = read_encoder(find_encoder(NAME))
    encoder = load_encoder(WhisperConfig(layers=facts.layers))
    states = encoder.states(torch.from_numpy(probe(32_000, 16_000))[None])
    assert len(states) == facts.layers + 1
    for number, state in enumerate(states):
        np.testing.assert_allclose(state[0, 50, :8], facts.probe[str(number)], atol=1e-3)


def test_a_mean_before_the_last_product_is_the_mean_behind_it() -> None:
    torch.manual_seed(0)
    layer, frames = WhisperLayer(128, 2), torch.randn(2, 20, 128)
    torch.testing.assert_close(layer(frames, 4), pooled(layer(frames), 4), atol=1e-5, rtol=1e-5)
    for layers in (0, 2):
        whole, averaged = (WhisperEncoder(WhisperConfig(layers=layers), 128, 2, pool=pool).eval() for pool in (1, 4))
        averaged.load_state_dict(whole.state_dict())
        with torch.inference_mode():
            torch.testing.assert_close(averaged(speech()), pooled(whole(speech()), 4), atol=1e-4, rtol=1e-4)


def test_without_positions_the_stem_moves_with_the_sound() -> None:
    encoder = load_encoder(WhisperConfig(layers=0, floor="fixed", positions=False))
    sound = torch.cat([speech(), speech()], dim=1)[:, :35_200]
    early, late = encoder(sound[:, :32_000]), encoder(sound[:, 3_200:])
    torch.testing.assert_close(early[:, 12:-2], late[:, 2:-12], atol=1e-4, rtol=0)


def test_the_front_end_is_frozen_and_its_weights_are_nobodys_state() -> None:
    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.frontend = WhisperFrontend(WhisperConfig(layers=1))
            self.head = torch.nn.Linear(384, 4)

    network, other = Whole(), Whole()
    assert set(network.state_dict()) == {"head.weight", "head.bias"}
    other.load_state_dict(network.state_dict())
    assert torch.equal(other.frontend(speech()), network.frontend(speech()))
    assert not any(value.requires_grad for value in network.train().frontend.parameters())
    with pytest.raises(RuntimeError, match=r"Missing key.*head\.bias"):
        other.load_state_dict({"head.weight": network.head.weight})


def test_more_layers_than_the_file_has_are_refused() -> None:
    with pytest.raises(CheckpointError, match="the model asks for 9; choose layers up to"):
        load_encoder(WhisperConfig(layers=9))


@pytest.mark.parametrize(
    "values", [{"floor": "moving"}, {"level": "loud"}, {"decades": 0.0}, {"layers": -1}, {"window_samples": 32_001}]
)
def test_a_config_that_cannot_be_computed_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"unknown|cannot be computed"):
        WhisperConfig.from_dict(values)
