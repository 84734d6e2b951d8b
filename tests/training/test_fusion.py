"""The fused head on invented sound and words: it uses both, and falls back to sound."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stream_ser_models.mscnn import MSCNN, MSCNNConfig
from stream_ser_training.fit import FitError
from stream_ser_training.fusion import CONDITIONS, Material, evaluate_fusion, fit_fusion, join_branches

SIZES = {"filters": 4, "hidden": 16, "word_width": 6, "words": 20, "tokens": 5, "classes": 2}
BOTH = MSCNNConfig.from_dict({**SIZES, "modality": "both"})
LABELS = ("angry", "sad")


def branches() -> tuple[MSCNN, MSCNN]:
    torch.manual_seed(0)
    audio, text = (MSCNN(MSCNNConfig.from_dict({**SIZES, "modality": kind})) for kind in ("audio", "text"))
    text.set_words(np.random.default_rng(0).standard_normal((20, 6)).astype(np.float16))
    return audio.eval(), text.eval()


def material(seed: int, windows: int, comments: int, noise: float) -> Material:
    """Windows whose first derivative leans to their label, with errors; words 2–9 for one label, 10–17 for the other."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=windows)
    heard = np.where(rng.random(windows) < noise, 1 - labels, labels)
    features = rng.normal(size=(windows, 1, 96, 20)).astype(np.float16)
    features[:, 0, 32] += (8.0 * heard - 4.0)[:, None].astype(np.float16)
    token_labels = rng.integers(2, size=comments)
    tokens = rng.integers(2, 10, size=(comments, 5)) + 8 * token_labels[:, None]
    return Material(features, labels, tokens, token_labels)


def test_the_head_uses_both_and_falls_back_to_sound() -> None:
    audio, text = branches()
    network = join_branches(BOTH, audio.state_dict(), text.state_dict(), seed=1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    curve = fit_fusion(network, material(0, 400, 200, 0.2), material(1, 200, 100, 0.2), LABELS, epochs=8, batch=16)
    found = evaluate_fusion(network, material(2, 400, 200, 0.2), LABELS)
    assert tuple(found) == CONDITIONS
    alone, same, other = (found[condition]["UA"] for condition in CONDITIONS)
    assert 0.7 < alone < 0.88  # the sound's own errors: one in five
    assert same > alone + 0.04
    assert other < same
    assert [line["epoch"] for line in curve] == list(range(1, 9))
    changed = {name.partition(".")[0] for name, v in network.state_dict().items() if not torch.equal(v, before[name])}
    assert changed == {"reduce", "classifier"}


def test_the_same_seed_gives_the_same_head() -> None:
    audio, text = branches()
    heads = []
    for _ in range(2):
        network = join_branches(BOTH, audio.state_dict(), text.state_dict(), seed=1)
        fit_fusion(network, material(0, 64, 40, 0.2), material(1, 40, 40, 0.2), LABELS, epochs=2, batch=16)
        heads.append(network.reduce.weight.clone())
    assert torch.equal(*heads)


def test_branches_keep_what_they_were() -> None:
    audio, text = branches()
    audio.measure(torch.randn(8, 1, 96, 20) * 3 + 1)
    network = join_branches(BOTH, audio.state_dict(), text.state_dict(), seed=1)
    features, tokens = torch.randn(2, 1, 96, 20), torch.tensor([[3, 4, 0, 0, 0], [9, 8, 7, 6, 5]])
    with torch.inference_mode():
        assert torch.equal(network.hear(features)[0], audio.hear(features)[0])
        assert torch.equal(network.read(tokens, None)[0], text.read(tokens, None)[0])
    assert [name for name, p in network.named_parameters() if p.requires_grad] == [
        "reduce.weight",
        "reduce.bias",
        "classifier.weight",
        "classifier.bias",
    ]


def test_branches_that_do_not_fit_are_refused() -> None:
    audio, text = branches()
    with pytest.raises(FitError, match="needs both"):
        join_branches(audio.config, audio.state_dict(), text.state_dict(), seed=1)
    with pytest.raises(FitError, match="nothing for vectors"):
        join_branches(BOTH, audio.state_dict(), audio.state_dict(), seed=1)
    wide = MSCNNConfig.from_dict({**SIZES, "modality": "both", "filters": 8})
    with pytest.raises(FitError, match=r"has \(4, 96, 5\) for audio\.scales\.0\.weight, the config says \(8, 96, 5\)"):
        join_branches(wide, audio.state_dict(), text.state_dict(), seed=1)


def test_material_that_does_not_fit_is_refused() -> None:
    good = material(0, 10, 10, 0.0)
    with pytest.raises(ValueError, match="10 windows with 9 labels"):
        Material(good.features, good.labels[:9], good.tokens, good.token_labels)
    with pytest.raises(ValueError, match=r"no comment has label \[1\]"):
        Material(good.features, good.labels, good.tokens, good.token_labels * 0)
