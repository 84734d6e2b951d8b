"""Heads on an encoder: shapes, sizes, the caller's baseline, and the exported graph's inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch

from stream_ser_models.architectures import ARCHITECTURES, make_config, make_network
from stream_ser_models.export import PARITY, ExportError
from stream_ser_models.export_head import check_head_parity, export_head, head_examples
from stream_ser_models.frames import FrameHead, HeadAlone, Voice
from stream_ser_models.frames_voice import FramesVoice
from stream_ser_models.whisper import pooled

HEADS: list[tuple[str, dict[str, Any], int]] = [  # and what each learns, with four labels
    ("frames_tfcnn", {"head": "gap", "trunk": False}, 24_964),
    ("frames_tfcnn", {"head": "gap"}, 51_716),
    ("frames_tfcnn", {"head": "bilinear"}, 67_844),
    ("frames_tfcnn", {"head": "attention"}, 51_781),
    ("frames_area", {}, 37_828),
    ("frames_area", {"value": "mean"}, 37_828),
    ("frames_area", {"key": "max", "value": "max"}, 37_828),
    ("frames_area", {"groups": 4, "area": [3, 3]}, 37_828),
    ("frames_mscnn", {}, 107_396),
    ("frames_mscnn", {"asks": True}, 156_548),
    ("frames_bilstm", {"depth": 0}, 51_021),
    ("frames_bilstm", {"depth": 5}, 149_701),
    ("frames_cpc", {}, 80_295),
    ("frames_voice", {}, 49_924),
]
Exported = Callable[[str, dict[str, Any]], tuple[Path, float]]
WIDTH = 385  # of a frame: 384 values, and the window's loudness
NAMES = [f"{name}-{'-'.join(str(value) for value in values.values())}" for name, values, _ in HEADS]


def head_of(architecture: str, values: dict[str, Any]) -> FrameHead:
    """A head with statistics and weights that are not zero, in evaluation mode."""
    torch.manual_seed(3)
    head = make_network(architecture, values)
    assert isinstance(head, FrameHead)
    head.measure(torch.randn(8, head.config.steps, head.width) * 2.0 + 1.0)
    return head.eval()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A head's file, written once as an export takes seconds, and by how much its outputs differ from the head's."""
    written: dict[str, tuple[Path, float]] = {}

    def export(architecture: str, values: dict[str, Any]) -> tuple[Path, float]:
        name = f"{architecture} {values}"
        if name not in written:
            path = tmp_path_factory.mktemp("head") / "model.onnx"
            written[name] = path, export_head(head_of(architecture, values).for_inference(), path)
        return written[name]

    return export


@pytest.mark.parametrize(("architecture", "values", "count"), HEADS, ids=NAMES)
def test_every_head_has_its_size_and_shapes(architecture: str, values: dict[str, Any], count: int) -> None:
    head = head_of(architecture, values)
    assert sum(value.numel() for value in head.parameters() if value.requires_grad) == count
    assert not any(name.startswith("frontend") for name in head.state_dict())
    frames = torch.randn(3, 100, WIDTH)
    with torch.inference_mode():
        scores = head.classify(frames)
        again = head.classify(pooled(frames, head.config.pool))
    assert scores.logits.shape == (3, 4)
    torch.testing.assert_close(scores.logits, again.logits)
    assert head.embed(frames).shape[0] == 3
    if scores.attention is not None:
        torch.testing.assert_close(scores.attention.sum(dim=(1, 2)), torch.ones(3))
    assert head.spoken(frames).shape == (3, head.voice_width)
    assert (scores.dimensions is None) == (architecture != "frames_cpc")


@pytest.mark.parametrize(("architecture", "values", "count"), HEADS, ids=NAMES)
def test_the_exported_graph_is_the_contracts(
    architecture: str, values: dict[str, Any], count: int, exported: Exported
) -> None:
    head = head_of(architecture, values).for_inference()
    path, difference = exported(architecture, values)
    assert difference <= PARITY
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [item.name for item in session.get_inputs()] == ["frames", "voice_sum", "voice_s"]
    names = [item.name for item in session.get_outputs()]
    assert names[:2] == ["logits", "voice"]
    assert ("dimensions" in names) == (architecture == "frames_cpc")
    frames, total, seconds = (value.numpy() for value in head_examples(head, 2, 1.0, 9.0, 1))
    given = {"frames": frames, "voice_sum": total, "voice_s": seconds}
    vector = session.run(["voice"], given)[0]
    torch.testing.assert_close(torch.from_numpy(vector), head.spoken(torch.from_numpy(frames)))


def test_a_file_of_another_head_is_refused(exported: Exported) -> None:
    path, _ = exported("frames_tfcnn", {"head": "gap", "trunk": False})
    torch.manual_seed(4)
    other = make_network("frames_tfcnn", {"head": "gap", "trunk": False})
    assert isinstance(other, FrameHead)
    with pytest.raises(ExportError, match="differs from the head by"):
        check_head_parity(HeadAlone(other), path)


def test_the_baseline_goes_from_the_training_mean_to_the_voices_own() -> None:
    head = head_of("frames_tfcnn", {"head": "gap", "prior_s": 30.0})
    own = torch.randn(1, WIDTH)
    torch.testing.assert_close(head.baseline(head.nobody(2)), head.mean.expand(2, -1))
    half = head.baseline(Voice(30.0 * own, torch.tensor([30.0])))
    torch.testing.assert_close(half, 0.5 * (head.mean + own))
    much = head.baseline(Voice(1e6 * own, torch.tensor([1e6])))
    torch.testing.assert_close(much, own, atol=1e-3, rtol=1e-3)


def test_a_known_voice_that_is_shifted_as_a_whole_is_heard_the_same() -> None:
    head = head_of("frames_tfcnn", {"head": "attention"})
    frames, shift = torch.randn(1, 100, WIDTH), torch.randn(WIDTH)
    seconds = torch.tensor([1e7])  # so much that the prior counts for nothing
    base = torch.randn(1, WIDTH)
    with torch.inference_mode():
        plain = head.classify(frames + base, voice=Voice(seconds * base, seconds)).logits
        moved = head.classify(frames + base + shift, voice=Voice(seconds * (base + shift), seconds)).logits
    torch.testing.assert_close(plain, moved, atol=2e-3, rtol=2e-3)
    assert not torch.allclose(
        head.classify(frames + base).logits, head.classify(frames + base + shift).logits, atol=0.01
    )


@pytest.mark.parametrize("architecture", ["frames_tfcnn", "frames_voice"])
def test_loudness_counts_beside_what_the_voice_was_before_and_not_by_itself(architecture: str) -> None:
    head = head_of(architecture, {})
    frames, seconds = torch.randn(2, 100, WIDTH), torch.tensor([0.0, 9.0])
    total = torch.rand(2, head.voice_width) * seconds[:, None]
    louder, all_louder = frames.clone(), total.clone()
    louder[:, :, -1] += 0.7
    all_louder[:, WIDTH - 1] += 0.7 * seconds
    with torch.inference_mode():
        plain = head.classify(frames, voice=Voice(total, seconds)).logits
        turned_up = head.classify(louder, voice=Voice(all_louder, seconds)).logits
        raised = head.classify(louder, voice=Voice(total, seconds)).logits
        torch.testing.assert_close(head.classify(louder).logits, head.classify(frames).logits)
    torch.testing.assert_close(turned_up, plain, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(raised[0], plain[0])  # nobody knows this voice
    assert not torch.allclose(raised[1], plain[1], atol=1e-3)


def test_frames_may_be_averaged_in_part_or_in_full_before() -> None:
    head = head_of("frames_tfcnn", {"head": "gap"})
    frames = torch.randn(2, 100, WIDTH)
    with torch.inference_mode():
        expected = head.classify(frames).logits
        for pool in (2, 4):
            torch.testing.assert_close(head.classify(pooled(frames, pool)).logits, expected, atol=1e-5, rtol=1e-5)


def test_a_head_that_cannot_live_on_its_encoders_file_is_not_exported(tmp_path: Path) -> None:
    head = head_of("frames_tfcnn", {"head": "gap", "pool": 5})
    with pytest.raises(ExportError, match="gives 25 frames of a window, the head takes 20; train it with a pool"):
        export_head(head, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_sound_goes_through_encoder_and_head() -> None:
    head = head_of("frames_tfcnn", {"head": "gap"})
    sound = 0.05 * torch.randn(2, 32_000)
    with torch.inference_mode():
        frames = head.frontend.whisper(sound)
        assert frames.shape == (2, 100, WIDTH)
        torch.testing.assert_close(head.frontend(sound), pooled(frames, head.config.pool))
        torch.testing.assert_close(head(sound).logits, head.classify(frames).logits)


@pytest.mark.parametrize(
    ("architecture", "values", "says"),
    [
        ("frames_tfcnn", {"head": "sum"}, "head 'sum' is unknown"),
        ("frames_tfcnn", {"views": "none"}, "views 'none' is unknown"),
        ("frames_tfcnn", {"pool": 3}, "pool 3 does not divide 100 frames"),
        ("frames_tfcnn", {"prior_s": 0.0}, "prior_s 0.0"),
        ("frames_area", {"key": "median"}, "key 'median'"),
        ("frames_area", {"groups": 5}, "groups 5 must divide the 64 channels"),
        ("frames_mscnn", {"kernels": [4]}, "kernels .4,. must be odd"),
        ("frames_bilstm", {"depth": 11}, "depth is 11"),
    ],
)
def test_what_cannot_be_built_is_refused_by_value(architecture: str, values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make_config(architecture, values)


def test_all_heads_are_known_by_name() -> None:
    assert {name for name, _, _ in HEADS} == {name for name in ARCHITECTURES if name.startswith("frames_")}


def test_a_baseline_counts_the_more_the_more_emotions_a_voice_has_shown() -> None:
    head = head_of("frames_voice", {"variety": 0.2, "least": 0.1, "varied_prior_s": 10.0})
    assert isinstance(head, FramesVoice)
    own, seconds = torch.randn(WIDTH), 30.0

    def moved(*shown: float) -> float:
        total = seconds * torch.cat([own, torch.tensor(shown)]).unsqueeze(0)
        way = head.baseline(Voice(total, torch.tensor([seconds])))[0] - head.mean
        return float((way @ (own - head.mean)) / (own - head.mean).square().sum())

    assert moved(1.0, 0.0, 0.0, 0.0) == pytest.approx(3.0 / 13.0, abs=1e-4)
    assert moved(0.25, 0.25, 0.25, 0.25) == pytest.approx(30.0 / 40.0, abs=1e-4)
    assert 3.0 / 13.0 < moved(0.7, 0.1, 0.1, 0.1) < moved(0.4, 0.3, 0.2, 0.1) < 0.75
    torch.testing.assert_close(head.baseline(head.nobody(2)), head.mean.expand(2, -1))


def test_what_is_kept_of_a_voice_is_its_mean_frame_and_what_a_stranger_would_be_called() -> None:
    head = head_of("frames_voice", {})
    frames = torch.randn(3, 100, WIDTH)
    with torch.inference_mode():
        kept = head.spoken(frames)
        torch.testing.assert_close(kept[:, :WIDTH], head.voice_of(frames))
        torch.testing.assert_close(kept[:, WIDTH:], torch.softmax(4.0 * head.classify(frames).logits, dim=1))
    plain = head_of("frames_voice", {"sharpness": 0.0})
    assert (head.voice_width, plain.voice_width) == (WIDTH + 4, WIDTH)


def test_training_histories_without_the_spread_are_taken_as_they_are() -> None:
    head = head_of("frames_voice", {"prior_s": 30.0})
    own = torch.randn(1, WIDTH)
    half = head.baseline(Voice(30.0 * own, torch.tensor([30.0])))
    torch.testing.assert_close(half, 0.5 * (head.mean + own))


def test_members_learn_apart_and_answer_together() -> None:
    head = head_of("frames_voice", {"members": 2, "channels": 64, "dropout": 0.0, "input_dropout": 0.0})
    assert isinstance(head, FramesVoice)
    frames = torch.randn(200, 100, WIDTH)
    with torch.inference_mode():
        together = head.classify(frames).logits
        half = head.classifier.weight.unflatten(1, (2, -1))
        hidden = head.embed(frames).unflatten(1, (2, -1))
        alone = 2.0 * torch.einsum("bmh,kmh->bmk", hidden, half) + head.classifier.bias
        learning = head.train().classify(frames).logits
    torch.testing.assert_close(together, alone.mean(dim=1), atol=1e-4, rtol=1e-4)
    nearest = (learning.unsqueeze(1) - alone).abs().amax(dim=2)
    assert nearest.amin(dim=1).max() < 1e-4  # each window is one member's
    assert {int(place) for place in nearest.argmin(dim=1)} == {0, 1}
    with pytest.raises(ValueError, match="members 3 must divide the 64 channels"):
        make_config("frames_voice", {"members": 3, "channels": 64})
