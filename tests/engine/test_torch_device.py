"""The engines of a GPU, on the CPU: same programs, runner and slots, nothing captured."""

from __future__ import annotations

import numpy as np
import pytest

from stream_ser.engine.backend import warm_up
from stream_ser.engine.incremental import Computer
from stream_ser.engine.torch_device import TorchDeviceBackend
from stream_ser.engine.torch_eager import TorchEagerBackend
from stream_ser.errors import EngineError
from stream_ser.types import Window
from stream_ser_models.card import find, probe_tokens, read_card
from stream_ser_models.checkpoint import load_network

WINDOW = 32_000


def backend(name: str, hop: int = 0, streams: int = 4, most: int = 4) -> TorchDeviceBackend:
    card = read_card(find(name))
    return TorchDeviceBackend(
        load_network(find(name), card), card, hop=hop, streams=streams, graphs=False, device="cpu", most=most
    )


@pytest.mark.parametrize("name", ["mscnn-both", "cnn-bilstm"])
def test_batches_are_the_windows_one_by_one(name: str) -> None:
    card = read_card(find(name))
    many, one = backend(name), TorchEagerBackend(find(name), card)
    assert warm_up(many, card) < 1e-3
    windows = (np.random.default_rng(1).standard_normal((6, WINDOW)) * 0.1).astype(np.float32)
    tokens = np.stack([probe_tokens(many.token_count)] * 6) if many.token_count else None
    found = many.run(windows, tokens)
    for number in range(6):
        alone = one.run(windows[number : number + 1], None if tokens is None else tokens[:1])
        np.testing.assert_allclose(found.logits[number], alone.logits[0], atol=1e-5)
    many.close()
    many.close()


@pytest.mark.parametrize("hop", [4_000, 8_000])
def test_streams_in_slots_are_their_windows(hop: int) -> None:
    engine = backend("mscnn-stream", hop)
    assert warm_up(engine, read_card(find("mscnn-stream"))) < 1e-3
    computer, rng = Computer(engine), np.random.default_rng(3)
    sounds = {name: (rng.standard_normal(80_000) * 0.1).astype(np.float32) for name in "abcdef"}
    for end in range(WINDOW, 80_001, hop):
        if end == WINDOW + 2 * hop:
            computer.release("a")
            computer.release("b")
        late = end >= WINDOW + 2 * hop
        names = [name for name in sounds if (name in "ef" if late else name in "ab") or name in "cd"]
        due = [
            Window(name, end - WINDOW, end, sounds[name][end - WINDOW : end], hop=hop)
            for name in rng.permutation(names)
        ]
        whole = engine.run(np.stack([window.samples for window in due]))
        for output, expected in zip(computer.compute(due), whole.logits, strict=True):
            np.testing.assert_allclose(output.logits[0], expected, atol=1e-4)


def test_there_are_so_many_slots() -> None:
    computer = Computer(backend("mscnn-stream", 4_000, streams=2))
    silence = np.zeros(WINDOW, np.float32)
    computer.compute([Window(name, 0, WINDOW, silence, hop=4_000) for name in "ab"])
    with pytest.raises(EngineError, match="2 streams have their states on the device, and 'c' finds no room"):
        computer.compute([Window("c", 0, WINDOW, silence, hop=4_000)])
    computer.release("a")
    computer.compute([Window("c", 0, WINDOW, silence, hop=4_000)])
