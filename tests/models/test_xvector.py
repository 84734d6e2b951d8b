"""The speaker network and the reader of its public weights."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from torch import Tensor

from stream_ser_models.xvector import FilterBank, XVector, XVectorError, load_speechbrain

LAYERS = ((24, 512, 5), (512, 512, 3), (512, 512, 3), (512, 512, 1), (512, 1500, 1))


def checkpoint() -> dict[str, Tensor]:
    """Random weights under the names and in the shapes that SpeechBrain's Xvector gives them."""
    torch.manual_seed(3)
    weights: dict[str, Tensor] = {}
    for place, (before, after, kernel) in enumerate(LAYERS):
        weights[f"blocks.{3 * place}.conv.weight"] = torch.randn(after, before, kernel) / (before * kernel) ** 0.5
        weights[f"blocks.{3 * place}.conv.bias"] = torch.randn(after)
        norm = f"blocks.{3 * place + 2}.norm"
        weights[f"{norm}.weight"], weights[f"{norm}.bias"] = torch.rand(after) + 0.5, torch.randn(after)
        weights[f"{norm}.running_mean"], weights[f"{norm}.running_var"] = torch.randn(after), torch.rand(after) + 0.5
        weights[f"{norm}.num_batches_tracked"] = torch.tensor(7)
    weights["blocks.16.w.weight"], weights["blocks.16.w.bias"] = torch.randn(512, 3000) / 50, torch.randn(512)
    return weights


def by_hand(weights: dict[str, Tensor], bands: Tensor) -> Tensor:
    """The same network written out: same-length reflecting convolution, leaky ReLU, normalisation, mean and deviation."""
    hidden = bands - bands.mean(dim=2, keepdim=True)
    for place, (reach, dilation) in enumerate(((2, 1), (2, 2), (3, 3), (0, 1), (0, 1))):
        hidden = torch.nn.functional.pad(hidden, (reach, reach), mode="reflect")
        name = f"blocks.{3 * place}.conv"
        hidden = torch.conv1d(hidden, weights[f"{name}.weight"], weights[f"{name}.bias"], dilation=dilation)
        hidden = torch.where(hidden > 0, hidden, 0.01 * hidden)
        norm = [
            weights[f"blocks.{3 * place + 2}.norm.{part}"][:, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        ]
        hidden = (hidden - norm[0]) / torch.sqrt(norm[1] + 1e-5) * norm[2] + norm[3]
    pooled = torch.cat([hidden.mean(dim=2), hidden.std(dim=2) + 1e-5], dim=1)
    return pooled @ weights["blocks.16.w.weight"].T + weights["blocks.16.w.bias"]


def test_the_embedding_part_has_about_4_2_million_parameters() -> None:
    assert sum(parameter.numel() for parameter in XVector().parameters()) == 4_211_604


def test_public_weights_give_what_their_own_network_gives(tmp_path: Path) -> None:
    weights, path = checkpoint(), tmp_path / "embedding_model.ckpt"
    torch.save(weights, path)
    network = XVector().eval()
    load_speechbrain(network, path)
    bands = torch.randn(2, 24, 198) * 5 - 40
    with torch.inference_mode():
        seen = network(bands, torch.ones(2, 1, 198))
        torch.testing.assert_close(seen, by_hand(weights, bands), atol=1e-3, rtol=1e-4)
    assert seen.shape == (2, 512)


def test_frames_without_sound_do_not_count(tmp_path: Path) -> None:
    network = XVector().eval()
    bands, sounding = torch.randn(1, 24, 198), torch.ones(1, 1, 198)
    sounding[..., :80] = 0.0
    other = bands.clone()
    other[..., :80] = -100.0
    with torch.inference_mode():
        assert torch.equal(network(bands, sounding), network(other, sounding))
        assert (network(bands, sounding) - network(bands, torch.ones(1, 1, 198))).abs().max() > 1e-4
        assert network(bands, torch.zeros(1, 1, 198)).isfinite().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("blocks.6.conv.weight", None), r"lacks blocks\.6\.conv\.weight; give embedding_model\.ckpt"),
        (("blocks.0.conv.weight", torch.zeros(512, 40, 5)), r"of shape \(512, 40, 5\), expected \(512, 24, 5\)"),
    ],
)
def test_other_weights_are_refused(tmp_path: Path, change: tuple[str, Tensor | None], message: str) -> None:
    weights, path = checkpoint(), tmp_path / "embedding_model.ckpt"
    name, value = change
    weights.pop(name)
    if value is not None:
        weights[name] = value
    torch.save(weights, path)
    with pytest.raises(XVectorError, match=message):
        load_speechbrain(XVector(), path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "embedding_model.ckpt"
    with pytest.raises(XVectorError, match="cannot read"):
        load_speechbrain(XVector(), path)
    path.write_bytes(b"not weights")
    with pytest.raises(XVectorError, match="cannot read"):
        load_speechbrain(XVector(), path)
    torch.save([1, 2], path)
    with pytest.raises(XVectorError, match="holds a list"):
        load_speechbrain(XVector(), path)


def test_bands_are_decibels_of_a_plain_spectrum() -> None:
    noise = 0.1 * torch.randn(1, 32_000, generator=torch.Generator().manual_seed(0))
    window = np.asarray(torch.hamming_window(400, dtype=torch.float64))
    spectrum = librosa.stft(noise[0].double().numpy(), n_fft=400, hop_length=160, window=window, center=False)
    corners = librosa.mel_to_hz(np.linspace(0, librosa.hz_to_mel(8000.0, htk=True), 26), htk=True)
    filters = np.zeros((24, 201))
    for band in range(24):
        left, centre = corners[band], corners[band + 1]
        filters[band] = np.maximum(0, 1 - np.abs(np.arange(201) * 40.0 - centre) / (centre - left))
    expected = 10 * np.log10(filters @ np.abs(spectrum) ** 2)
    np.testing.assert_allclose(FilterBank()(noise)[0].numpy(), expected, atol=1e-2)
    assert (FilterBank()(torch.zeros(1, 32_000)) == -100.0).all()
