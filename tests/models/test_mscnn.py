"""The network against its specification: counts, statistics by hand, masks, and what happens without words or sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from stream_ser_models.counting import macs
from stream_ser_models.export import PARITY, export_onnx, round_to_half
from stream_ser_models.mscnn import MSCNN, MSCNNConfig, ask, statistics

SMALL = {"filters": 8, "hidden": 16, "word_width": 10, "words": 60, "tokens": 12}


def make(seed: int = 0, **values: object) -> MSCNN:
    torch.manual_seed(seed)
    network = MSCNN(MSCNNConfig.from_dict({**SMALL, **values}))
    if network.config.reads:
        vectors = np.random.default_rng(seed).standard_normal(tuple(network.vectors.shape)).astype(np.float16)
        network.set_words(vectors)
    network.measure(network.frontend(waveform(4)))
    return network.eval()


def waveform(count: int, seed: int = 1) -> Tensor:
    return torch.randn(count, 32_000, generator=torch.Generator().manual_seed(seed)) * torch.logspace(-3, -1, 32_000)


def words(*rows: list[int], count: int = 12) -> Tensor:
    return torch.tensor([row + [0] * (count - len(row)) for row in rows])


@pytest.mark.parametrize(
    ("values", "fused", "count"),
    [
        ({}, 1536, 788_228),
        ({"xvector": True}, 2048, 919_300),
        ({"modality": "text"}, 2136, 1_086_212),
        ({"modality": "both", "attention": False, "swem": False}, 3072, 1_719_556),
        ({"modality": "both", "xvector": True}, 5720, 2_397_444),
    ],
)
def test_parameter_counts(values: dict[str, object], fused: int, count: int) -> None:
    network = MSCNN(MSCNNConfig.from_dict(values))
    assert network.config.fused == network.reduce.in_features == fused
    assert sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad) == count
    assert not any(name == "vectors" for name, _ in network.named_parameters())  # word vectors are frozen


def test_the_work_of_the_sound_branch() -> None:
    network = MSCNN().eval()
    features = torch.zeros(1, 1, 96, 198)

    class Classify(torch.nn.Module):
        def forward(self, features: Tensor) -> Tensor:
            return network.classify(features).logits

    assert macs(Classify(), features) == 198 * 128 * 96 * 32 + 1536 * 256 + 256 * 4  # 78 M; 79 M for 200 frames


@pytest.mark.parametrize(
    ("modality", "inputs"),
    [("audio", ("waveform",)), ("text", ("waveform", "tokens")), ("both", ("waveform", "tokens"))],
)
def test_outputs_and_inputs(modality: str, inputs: tuple[str, ...]) -> None:
    network = make(modality=modality)
    assert network.inputs == inputs
    assert network.token_count == (12 if "tokens" in inputs else 0)
    with torch.inference_mode():
        scores = network(waveform(2), words([3, 4, 5], [7]))
        assert scores.logits.shape == (2, 4)
        assert scores.attention is None is scores.dimensions
        assert (scores.logits[0] - scores.logits[1]).abs().max() > 1e-4
        assert network.embed(network.frontend(waveform(2)), words([3], [4])).shape == (2, 16)


def test_statistics_by_hand() -> None:
    maps, mask = torch.tensor([[[1.0, 3.0, 0.0]]]), torch.tensor([[[1.0, 1.0, 0.0]]])
    assert statistics([maps], mask).flatten().tolist() == pytest.approx([3.0, 2.0, (1.0 + 1e-5) ** 0.5])
    assert statistics([maps * 0], mask * 0).tolist() == [[[0.0], [0.0], [0.0]]]
    two = statistics([maps, 2 * maps], mask)
    assert two.shape == (1, 3, 2)
    assert two[0, 0].tolist() == [3.0, 6.0]


def test_a_constant_map_has_a_finite_slope() -> None:
    maps = torch.ones(1, 2, 5, requires_grad=True)
    statistics([maps], torch.ones(1, 1, 5)).sum().backward()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()


def test_attention_is_a_softmax_over_words_that_are_there() -> None:
    rng = np.random.default_rng(0)
    questions, maps = rng.random((1, 3, 4)), rng.random((1, 4, 6))
    mask = np.array([[[1, 1, 0, 1, 0, 0]]])
    columns = maps[0][:, [0, 1, 3]]
    weights = np.exp(questions[0] @ columns)
    expected = (weights / weights.sum(axis=1, keepdims=True)) @ columns.T
    seen = ask(torch.tensor(questions), torch.tensor(maps), torch.tensor(mask))
    np.testing.assert_allclose(seen[0].numpy(), expected, rtol=1e-6)
    assert (ask(torch.tensor(questions), torch.tensor(maps), torch.zeros(1, 1, 6)) == 0).all()


def test_fused_parts_follow_the_paper() -> None:
    network = make(modality="both")
    features, tokens = network.frontend(waveform(1)), words([5, 6, 7, 8])
    with torch.inference_mode():
        pooled, (audio,) = network.hear(features)
        text, answers, highest, mean = network.read(tokens, pooled)
    vectors = network.vectors[[5, 6, 7, 8]].float()
    assert pooled.shape == (1, 3, 32)  # four scales of eight filters
    assert audio.shape == text.shape == answers.shape == (1, 96)
    torch.testing.assert_close(highest[0], vectors.amax(dim=0))
    torch.testing.assert_close(mean[0], vectors.mean(dim=0))
    reference = torch.nn.functional.conv1d(
        vectors.T[None], network.text.scales[1].weight, network.text.scales[1].bias, padding=1
    )
    torch.testing.assert_close(text[0, 8:16], torch.relu(reference)[0].amax(dim=1))  # kernel 3, maximum


@pytest.mark.parametrize("modality", ["text", "both"])
def test_padding_counts_nowhere(modality: str) -> None:
    network = make(modality=modality)
    short, long = words([5, 6, 7], count=3), words([5, 6, 7], count=12)
    with torch.inference_mode():
        features = network.frontend(waveform(1))
        torch.testing.assert_close(network.classify(features, short).logits, network.classify(features, long).logits)
        other = network.vectors.clone()
        other[0] = 9.0  # what padding points at
        before = network.classify(features, long).logits
        network.set_words(other.numpy())
        assert torch.equal(network.classify(features, long).logits, before)


@pytest.mark.parametrize("modality", ["text", "both"])
def test_without_words_the_text_is_all_zeros(modality: str) -> None:
    network = make(modality=modality)
    features, empty = network.frontend(waveform(2)), torch.zeros(2, 12, dtype=torch.int64)
    with torch.inference_mode():
        questions = network.hear(features)[0] if modality == "both" else None
        assert all((part == 0).all() for part in network.read(empty, questions))
        assert network.classify(features, empty).logits.isfinite().all()
        assert torch.equal(network.classify(features).logits, network.classify(features, empty).logits)
        given = network.classify(features, words([5], [6])).logits
        assert (given - network.classify(features, empty).logits).abs().max() > 1e-4


def test_gradients_are_finite_without_words() -> None:
    network = make(modality="both").train()
    network.classify(network.frontend(waveform(2)), words([], [5, 6])).logits.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_silence_before_an_utterance_counts_nowhere() -> None:
    network, sound = make(), waveform(1)[:, -16_000:]
    padded = torch.nn.functional.pad(sound, (16_000, 0))
    with torch.inference_mode():
        whole = network.frontend(padded)
        first = int((whole[0, 0, 0] > network.config.frontend.threshold).nonzero()[0])
        assert first == 98  # frame 98 is the first to hold sound: samples 15 680 to 16 080
        statistics_of_all = network.hear(whole)[0]
        statistics_of_speech = network.hear(whole[..., first:])[0]
        torch.testing.assert_close(statistics_of_all, statistics_of_speech, atol=1e-5, rtol=1e-5)
        silent = network.classify(network.frontend(torch.zeros(1, 32_000))).logits
        assert silent.isfinite().all()
        faint = network.classify(network.frontend(1e-7 * waveform(1))).logits  # beneath the floor is silence too
        assert torch.equal(silent, faint)


def test_the_text_network_ignores_sound() -> None:
    network, tokens = make(modality="text"), words([3, 9])
    with torch.inference_mode():
        assert torch.equal(network(waveform(1), tokens).logits, network(waveform(1, seed=2), tokens).logits)


def test_rows_of_a_batch_do_not_touch() -> None:
    network, sound, tokens = make(modality="both"), waveform(3), words([3, 9], [4], [])
    with torch.inference_mode():
        together, alone = network(sound, tokens).logits, network(sound[2:], tokens[2:]).logits
    torch.testing.assert_close(together[2:], alone, atol=1e-5, rtol=0)


def test_training_statistics_are_taken_for_each_row() -> None:
    network = make()
    features = network.frontend(waveform(4))
    standard = network.standardise(features)
    torch.testing.assert_close(standard.mean(dim=(0, 1, 3)), torch.zeros(96), atol=1e-3, rtol=0)
    torch.testing.assert_close(standard.std(dim=(0, 1, 3)), torch.ones(96), atol=1e-2, rtol=0)


def test_the_speaker_network_stays_as_it_is() -> None:
    network = make(xvector=True).train()
    before = {name: value.clone() for name, value in network.speaker.state_dict().items()}
    assert not network.speaker.training
    features = network.frontend(waveform(2))
    assert features.shape == (2, 1, 120, 198)
    network.classify(features).logits.sum().backward()
    assert all(parameter.grad is None for parameter in network.speaker.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.speaker.state_dict().items())
    warped = network.frontend.warped(0.9)(waveform(2))
    assert torch.equal(warped[:, :, 96:], features[:, :, 96:])
    assert (warped[:, :, :96] - features[:, :, :96]).abs().max() > 0.1


@pytest.mark.parametrize("values", [{}, {"modality": "both"}])
def test_the_exported_file_computes_the_same(tmp_path: Path, values: dict[str, object]) -> None:
    network, path = make(**values), tmp_path / "model.onnx"
    round_to_half(network)
    assert export_onnx(network, 32_000, path) <= PARITY == 1e-4
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert tuple(item.name for item in session.get_inputs()) == network.inputs
    short = torch.nn.functional.pad(waveform(2)[:, -9_000:], (23_000, 0))
    given = {"waveform": short, "tokens": words([], [3, 59])}
    with torch.inference_mode():
        expected = network(*(given[name] for name in network.inputs)).logits.numpy()
    seen = session.run(["logits"], {name: given[name].numpy() for name in network.inputs})[0]
    np.testing.assert_allclose(seen, expected, atol=1e-4, rtol=0)
    assert np.abs(expected).max() > 0.01


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"modality": "video"}, "modality 'video' is unknown; choose one of audio, text, both"),
        ({"audio_kernels": [4, 5]}, "must be odd"),
        ({"audio_kernels": []}, "need one each"),
        ({"modality": "both", "text_kernels": [2, 3]}, "equally many"),
        ({"words": 1}, "words 1"),
        ({"tokens": 0}, "tokens 0"),
    ],
)
def test_impossible_configs_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MSCNNConfig.from_dict(values)


def test_word_vectors_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(60, 11\), the config says \(60, 10\)"):
        make(modality="text").set_words(np.zeros((60, 11), dtype=np.float16))


def test_a_config_survives_the_card() -> None:
    config = MSCNNConfig(modality="both", filters=16, text_kernels=(1, 2, 3, 4))
    assert MSCNNConfig.from_dict(config.to_dict()) == config
