"""Steps over new sound give what whole windows give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from stream_ser_models.export_step import export_step
from stream_ser_models.incremental import IncrementalMSCNN, incremental, refusal
from stream_ser_models.mfcc import MFCCConfig
from stream_ser_models.mscnn import MSCNN, MSCNNConfig
from stream_ser_models.tfcnn import TFCNNConfig

WINDOW = 32_000
CONFIG = MSCNNConfig(filters=6, hidden=8, padded=False, frontend=MFCCConfig(ends=False))


def sound(seconds: int, seed: int = 1) -> torch.Tensor:
    """Noise whose level wanders over 60 dB, with stretches of digital silence."""
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal(16_000 * seconds)
    level = np.interp(np.arange(len(samples)), np.arange(0, len(samples) + 8_000, 8_000), _levels(rng, len(samples)))
    samples *= 10.0 ** (level / 20.0)
    for start in rng.integers(0, len(samples), 3):
        samples[start : start + int(rng.integers(100, 40_000))] = 0.0
    return torch.from_numpy(samples.astype(np.float32))[None]


def _levels(rng: np.random.Generator, length: int) -> np.ndarray:
    return rng.uniform(-70.0, -10.0, len(range(0, length + 8_000, 8_000)))


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "relative"])
def network(request: pytest.FixtureRequest) -> MSCNN:
    torch.manual_seed(3)
    made = MSCNN(replace(CONFIG, relative=request.param, loudness=-3.0)).eval()
    made.measure(made.frontend(sound(20).reshape(-1, WINDOW)))
    return made


@torch.inference_mode()
def steps(network: MSCNN, samples: torch.Tensor, hop: int) -> dict[int, torch.Tensor]:
    """Logits by the end of each window, from the stream's first sample on."""
    stepper = incremental(network, hop)
    state, found = stepper.start(len(samples)), {}
    for end in range(hop, samples.shape[1] + 1, hop):
        scores, state = stepper(samples[:, end - hop : end], state)
        if end >= WINDOW:
            found[end] = scores.logits
    return found


@pytest.mark.parametrize("hop", [800, 1_600, 4_000, 8_000, 16_000, 32_000])
@torch.inference_mode()
def test_every_hop_gives_the_whole_windows_logits(network: MSCNN, hop: int) -> None:
    samples = sound(30)
    found = steps(network, samples, hop)
    assert min(found) == WINDOW
    assert len(found) == (samples.shape[1] - WINDOW) // hop + 1
    whole = {end: network(samples[:, end - WINDOW : end]).logits for end in found}
    assert max(float((found[end] - whole[end]).abs().max()) for end in found) <= 1e-5
    assert torch.stack(list(whole.values())).std(dim=0).max() > 1e-3  # they do differ from window to window


@pytest.mark.parametrize("phase", [800, 2_400, 12_000])
@torch.inference_mode()
def test_a_stream_may_begin_anywhere(network: MSCNN, phase: int) -> None:
    samples = sound(8)[:, phase:]
    found = steps(network, samples, 4_000)
    assert torch.allclose(found[WINDOW], network(samples[:, :WINDOW]).logits, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_what_a_state_held_before_is_gone_after_a_window_of_steps(network: MSCNN) -> None:
    stepper = incremental(network, 4_000)
    garbage = type(stepper.start(1))(*(torch.full_like(value, 7.0) for value in stepper.start(1)))
    samples = sound(2)
    for state in (garbage, stepper.start(1)):
        for end in range(4_000, WINDOW + 1, 4_000):
            scores, state = stepper(samples[:, end - 4_000 : end], state)
        assert torch.allclose(scores.logits, network(samples).logits, atol=1e-5, rtol=0)


def test_rows_of_a_batch_do_not_touch(network: MSCNN) -> None:
    samples = torch.cat([sound(4, 1), sound(4, 2), torch.full((1, 64_000), float("nan"))])
    together = steps(network, samples, 4_000)
    alone = steps(network, samples[1:2], 4_000)
    for end, logits in alone.items():
        assert torch.allclose(together[end][1:2], logits, atol=1e-6, rtol=0)
    assert together[64_000][2].isnan().all()


def test_the_exported_file_takes_any_hop_and_batch(network: MSCNN, tmp_path: Path) -> None:
    assert export_step(network, tmp_path / "step.onnx") <= 1e-4
    session = onnxruntime.InferenceSession(str(tmp_path / "step.onnx"), providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map["unit"] == "800"
    for batch, hop in ((1, 800), (5, 16_000)):
        given = {f"in_{k}": v.numpy() for k, v in incremental(network, hop).start(batch)._asdict().items()}
        logits, *after = session.run(None, {"new": np.zeros((batch, hop), np.float32), **given})
        assert logits.shape == (batch, 4)
        assert [value.shape for value in after] == [value.shape for value in given.values()]


@pytest.mark.parametrize(
    ("config", "hop", "words"),
    [
        (TFCNNConfig(), 1_600, "only the sound branch of MSCNN without padding"),
        (MSCNNConfig(), 1_600, "without padding"),
        (CONFIG, 1_000, "a hop of 1000 samples is no multiple of 800"),
        (CONFIG, 4_800, "does not divide the window of 32000"),
        (CONFIG, 64_000, "a hop of 64000"),
        (replace(CONFIG, audio_kernels=(5, 7)), 1_600, "184 columns are none of 5"),
        (replace(CONFIG, frontend=MFCCConfig(ends=False, level="window")), 1_600, "differ from window to window"),
    ],
)
def test_what_cannot_be_computed_in_steps_is_refused(config: object, hop: int, words: str) -> None:
    assert words in str(refusal(config, hop))
    if isinstance(config, MSCNNConfig):
        with pytest.raises(ValueError, match=words):
            incremental(MSCNN(config), hop)


@torch.inference_mode()
def test_a_relative_network_hears_no_gain_where_sound_is_above_the_floor() -> None:
    torch.manual_seed(4)
    config = replace(CONFIG, relative=True, frontend=MFCCConfig(ends=False, floor=1e-14))
    network = MSCNN(config).eval()
    samples = 0.02 * torch.randn(2, WINDOW) * torch.linspace(0.1, 1.0, WINDOW)
    samples[1, :9_000] = 0.0
    network.measure(network.frontend(samples))
    logits = network(samples).logits
    for gain in (0.25, 4.0):
        assert (network(samples * gain).logits - logits).abs().max() < 1e-3  # beside silence, slopes rest on the floor
    other = MSCNN(replace(config, relative=False)).eval()
    other.load_state_dict(network.state_dict())
    assert (other(samples * 4.0).logits - other(samples).logits).abs().max() > 2e-3  # hears it


def test_a_network_is_computed_by_what_was_made_for_it() -> None:
    with pytest.raises(ValueError, match="relative is True"):
        IncrementalMSCNN(MSCNN(replace(CONFIG, relative=True)), 1_600)
    with pytest.raises(ValueError, match="one of them is enough"):
        replace(CONFIG, relative=True, frontend=MFCCConfig(ends=False, level="window"))
