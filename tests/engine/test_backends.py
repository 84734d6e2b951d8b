"""Every shipped model on both engines: the same answers, and those that its card says."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from stream_ser.engine.backend import ENCODER_PARITY, PARITY, warm_up
from stream_ser.engine.loading import load_backend, load_card
from stream_ser.errors import EngineError
from stream_ser_models.card import ONNX, WEIGHTS, find, probe, shipped
from stream_ser_models.words import WORDS
from tests.fakes import FakeBackend


@pytest.mark.parametrize("name", shipped())
def test_both_engines_compute_what_the_card_says(name: str) -> None:
    folder, card = load_card(name)
    signal = probe(card.window_samples, card.sample_rate)[np.newaxis]
    outputs, most = [], PARITY if card.encoder is None else ENCODER_PARITY
    for engine in ("onnx", "torch"):
        backend = load_backend(folder, card, engine)
        assert warm_up(backend, card) < most
        assert (backend.token_count > 0) == ("tokens" in card.inputs)
        outputs.append(backend.run(signal))
    one, other = outputs
    np.testing.assert_allclose(one.logits, other.logits, atol=most)
    assert one.logits.shape == (1, len(card.labels))
    for name_of in ("attention", "dimensions"):
        a, b = getattr(one, name_of), getattr(other, name_of)
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, atol=most)


@pytest.mark.parametrize(
    ("dimensions", "named", "classes"),
    [(None, ["valence"], 4), ((0.5,), [], 4), ((0.5, 0.1), ["valence"], 4), (None, [], 5)],
)
def test_a_model_that_gives_other_things_than_its_card_says_is_refused(
    dimensions: tuple[float, ...] | None, named: list[str], classes: int
) -> None:
    _, card = load_card("tfcnn-attention")
    backend = FakeBackend(classes)
    backend.dimensions = dimensions
    with pytest.raises(EngineError, match="its card names"):
        warm_up(backend, dataclasses.replace(card, dimensions=named))


@pytest.mark.parametrize("engine", ["onnx", "torch"])
@pytest.mark.parametrize("file", [ONNX, WEIGHTS, WORDS])
@pytest.mark.parametrize("how", ["changed", "missing"])
def test_every_file_that_the_card_names_is_checked(engine: str, file: str, how: str, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(find("mscnn-both"), folder)
    _, card = load_card(str(folder))
    load_backend(folder, card, engine)
    path = folder / file
    if how == "changed":
        path.write_bytes(path.read_bytes() + b"\n")
    else:
        path.unlink()
    with pytest.raises(EngineError, match=rf"{file}.*is {'corrupt' if how == 'changed' else 'missing'}"):
        load_backend(folder, card, engine)
