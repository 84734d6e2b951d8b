"""Every shipped model on both engines: the same answers, and those that its card says."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from stream_ser.engine.backend import ENCODER_PARITY, PARITY, Output, Stepper, warm_up
from stream_ser.engine.loading import load_backend, load_card
from stream_ser.errors import EngineError
from stream_ser.types import Samples
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


@pytest.mark.parametrize("engine", ["onnx", "torch"])
@pytest.mark.parametrize(("off", "accepted"), [(0.5, True), (2.0, False), (float("nan"), False)])
def test_an_engine_that_is_off_in_any_logit_by_more_than_is_accepted_does_not_start(
    engine: str, off: float, accepted: bool
) -> None:
    folder, card = load_card("tfcnn-attention")
    backend = load_backend(folder, card, engine)
    for label, sign in itertools.product(range(len(card.labels)), (1, -1)):
        stored = list(card.probe_logits)
        stored[label] += sign * off * PARITY
        changed = dataclasses.replace(card, probe_logits=stored)
        if accepted:
            assert 0.4 * PARITY < warm_up(backend, changed) < 0.6 * PARITY
        else:
            with pytest.raises(EngineError, match=r"computes .* wrongly: a logit is off by"):
                warm_up(backend, changed)


def test_an_encoder_in_8_bits_may_be_off_by_more() -> None:
    _, card = load_card("tfcnn-attention")
    backend = FakeBackend(len(card.labels))
    said = backend.run(probe(card.window_samples, card.sample_rate)[np.newaxis]).logits[0]
    for encoder, most in ((None, PARITY), ("any", ENCODER_PARITY)):
        for off, accepted in ((0.9, True), (1.1, False)):
            logits = [float(value) + off * most for value in said]
            changed = dataclasses.replace(card, encoder=encoder, probe_logits=logits)
            if accepted:
                assert warm_up(backend, changed) == pytest.approx(off * most, rel=1e-3)
            else:
                with pytest.raises(EngineError, match="wrongly"):
                    warm_up(backend, changed)


class OffInSteps:
    """A stepper that is right but for one value, and only once it has gone ``after`` steps."""

    def __init__(self, right: Stepper, after: int) -> None:
        self._right, self._left = right, after
        self.released = list[str]()

    def fits(self, hop: int) -> bool:
        return self._right.fits(hop)

    def step(self, streams: Sequence[str], fresh: Sequence[bool], sound: Samples) -> Output:
        output = self._right.step(streams, fresh, sound)
        self._left -= 1
        if self._left < 0:
            output.logits[0, 0] += 2 * PARITY
        return output

    def release(self, stream: str) -> None:
        self.released.append(stream)
        self._right.release(stream)


def test_steps_are_held_against_the_card_too_and_to_their_end() -> None:
    folder, card = load_card("mscnn-stream")
    real = load_backend(folder, card, "onnx")
    right = real.stepper
    assert right is not None
    steps = 1 + next(parts for parts in range(1, 100) if right.fits(card.window_samples // 2 // parts))

    class Stepping:
        name, token_count, voice_width, most = real.name, real.token_count, real.voice_width, real.most
        run, close = real.run, real.close

        def __init__(self, after: int) -> None:
            self.stepper = OffInSteps(right, after)

    for after, accepted in ((0, False), (steps - 1, False), (steps, True)):
        backend = Stepping(after)
        if accepted:
            assert warm_up(backend, card) < PARITY
            assert backend.stepper.released == ["probe"]
        else:
            with pytest.raises(EngineError, match="wrongly"):
                warm_up(backend, card)
