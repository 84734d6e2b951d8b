"""What is recorded computes what the networks compute, for every row alone, and does nothing that a recording cannot hold."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from stream_ser.engine.buckets import buckets
from stream_ser.engine.cuda_device import EagerCudaDevice
from stream_ser.engine.graphs import GraphRunner
from stream_ser.engine.programs import EncoderProgram, Program, StepProgram, WindowProgram
from stream_ser_models.card import find, probe, probe_tokens, read_card, shipped
from stream_ser_models.checkpoint import load_network
from stream_ser_models.frames import FrameHead
from stream_ser_models.incremental import IncrementalMSCNN
from stream_ser_models.mfcc import MFCCConfig
from stream_ser_models.mscnn import MSCNN, MSCNNConfig
from stream_ser_models.network import Network

WINDOW, HOP = 32_000, 4_000
ROUNDING = (
    3e-6  # of logits about one: a batch's sums are added in another order; a wrong state would show in the first digit
)
CONFIG = MSCNNConfig(filters=6, hidden=8, padded=False, frontend=MFCCConfig(ends=False))


def noise(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return (np.random.default_rng(seed).standard_normal(shape) * 0.05).astype(np.float32)


def shipped_network(name: str) -> Network:
    folder = find(name)
    return load_network(folder, read_card(folder))


@pytest.fixture(scope="module")
def network() -> MSCNN:
    torch.manual_seed(3)
    made = MSCNN(CONFIG).eval()
    made.measure(made.frontend(torch.from_numpy(noise(8, WINDOW))))
    return made


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def running(program: Program, most: int) -> GraphRunner:
    runner = GraphRunner(EagerCudaDevice(program, most, "cpu"), buckets(most))
    runner.start()
    return runner


# What a recording cannot hold.


READS = ("_local_scalar_dense", "item", "is_nonzero", "nonzero", "masked_select", "_unique2", "equal")
FORBIDDEN = (*READS, "lift_fresh", "scalar_tensor")


class NotRecordable(TorchDispatchMode):
    """Fails where the host reads a value, where shapes depend on values, and where a constant is made on the host.

    The device ``meta`` stands for the GPU: every tensor that lies elsewhere was made on the host.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = torch.device(device)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in FORBIDDEN:
            raise AssertionError(f"{func} depends on the host")
        if name in ("index", "index_put", "index_put_"):
            assert not any(i is not None and i.dtype == torch.bool for i in args[1]), "indexed by a mask"
        made = func(*args, **(kwargs or {}))
        for value in made if isinstance(made, tuple | list) else [made]:
            assert not isinstance(value, Tensor) or value.device == self.device, f"{func} made a tensor on the host"
        return made


def idle_rows(program: Program, rows: int, device: str) -> dict[str, Tensor]:
    found = {}
    for name, (shape, kind) in program.inputs.items():
        array = np.full((rows, *shape), program.idle[name], kind)
        found[name] = torch.from_numpy(array).to(device)
    return found


@pytest.fixture
def autocast_knows_meta(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = torch.is_autocast_enabled
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda device: device != "meta" and asked(device))


@pytest.mark.usefixtures("autocast_knows_meta")
@pytest.mark.parametrize("device", ["meta", "cpu"])
@pytest.mark.parametrize("name", shipped())
def test_every_shipped_model_can_be_recorded(name: str, device: str) -> None:
    network = shipped_network(name)
    head = isinstance(network, FrameHead)
    program = EncoderProgram(network, device) if head else WindowProgram(network.to(device))
    tensors = idle_rows(program, 2, device)
    with NotRecordable(device):
        program(**tensors)


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_steps_can_be_recorded(network: MSCNN, device: str) -> None:
    program = StepProgram(IncrementalMSCNN(copy.deepcopy(network), HOP), 3, device)
    tensors = idle_rows(program, 2, device)
    with NotRecordable(device):
        program(**tensors)


READING: list[Callable[[Tensor], Tensor]] = [
    lambda x: x * float(x.sum()),
    lambda x: x if x.sum() > 0 else -x,
    lambda x: x[x > 0],
    lambda x: x.nonzero(),
    lambda x: x + torch.tensor([1.0, 2.0]).to(x.device),
]


@pytest.mark.parametrize("wrong", READING)
@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_what_cannot_be_recorded_is_found(wrong: Callable[[Tensor], Tensor], device: str) -> None:
    x = torch.ones(3, 2, device=device)
    with torch.inference_mode(), NotRecordable(device), pytest.raises((AssertionError, RuntimeError)):
        wrong(x)


def test_constants_made_on_the_host_are_found() -> None:
    x = torch.ones(3, 2, device="meta")
    for wrong in (lambda: x * torch.zeros(2).to("meta"), lambda: torch.arange(2).to("meta") + x):
        with torch.inference_mode(), NotRecordable("meta"), pytest.raises(AssertionError, match="on the host"):
            wrong()


# Whole windows.


def windows(network: Network, count: int) -> dict[str, np.ndarray[Any, Any]]:
    given = {"waveform": np.concatenate([probe(WINDOW, 16_000)[np.newaxis], noise(count - 1, WINDOW)])}
    if network.token_count:
        given["tokens"] = np.stack([np.roll(probe_tokens(network.token_count), row) for row in range(count)])
    return given


def plain(network: Network, given: dict[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    with torch.inference_mode():
        scores = network(*(torch.from_numpy(values) for values in given.values()))
    return {name: value.numpy() for name, value in scores._asdict().items() if value is not None}


@pytest.mark.parametrize("name", shipped())
def test_a_program_gives_what_the_network_gives_by_name(name: str) -> None:
    network = shipped_network(name)
    given = windows(network, 2)
    found = WindowProgram(network)(**{name: torch.from_numpy(values) for name, values in given.items()})
    expected = plain(network, given)
    assert set(found) == set(expected)
    assert all(np.array_equal(found[output].numpy(), values) for output, values in expected.items())


@pytest.mark.parametrize("name", shipped())
def test_a_window_of_nan_harms_no_other(name: str) -> None:
    network = shipped_network(name)
    program, given = WindowProgram(network), windows(network, 2)
    tensors = {name: torch.from_numpy(values) for name, values in given.items()}
    expected = program(**tensors)
    tensors["waveform"][1] = np.nan
    found = program(**tensors)
    assert all(torch.equal(found[output][0], expected[output][0]) for output in expected)


@pytest.mark.parametrize("name", ["mscnn-both", "cnn-bilstm"])
def test_windows_in_buckets_are_the_windows_at_once(name: str) -> None:
    network = shipped_network(name)
    runner = running(WindowProgram(network), 2)
    given = windows(network, 5)
    found, expected = runner.run(given), plain(network, given)
    assert set(found) == set(expected)
    for output, values in expected.items():
        np.testing.assert_allclose(found[output], values, atol=1e-5, rtol=0)
    runner.close()


def test_words_that_are_not_in_the_vocabulary_are_known_before_the_device_sees_them() -> None:
    network = shipped_network("mscnn-both")
    assert isinstance(network, MSCNN)
    program = WindowProgram(network)
    assert program.ranges == {"tokens": (0, len(network.vectors) - 1)}
    assert program.inputs["tokens"] == ((network.token_count,), np.dtype(np.int64))


# Steps.


class Loop:
    """Each stream alone, one step after the other."""

    def __init__(self, network: MSCNN, hop: int) -> None:
        self.step = IncrementalMSCNN(network, hop)
        self.states: dict[int, Any] = {}

    def __call__(self, stream: int, new: np.ndarray[Any, Any], fresh: bool) -> np.ndarray[Any, Any]:
        state = self.step.start(1) if fresh else self.states[stream]
        with torch.inference_mode():
            scores, self.states[stream] = self.step(torch.from_numpy(new[None]), state)
        return scores.logits[0].numpy()


def test_streams_in_any_order_and_number_are_each_alone(network: MSCNN) -> None:
    streams, slots = 7, 9
    rng = np.random.default_rng(4)
    runner, loop = running(StepProgram(IncrementalMSCNN(network, HOP), slots, "cpu"), 4), Loop(network, HOP)
    slot_of = rng.permutation(slots)[:streams]
    begun: set[int] = set()
    spread = []
    for _ in range(20):
        now = rng.permutation(streams)[: rng.integers(1, streams + 1)]
        new = (rng.standard_normal((len(now), HOP)) * 10.0 ** rng.uniform(-3, -0.5, (len(now), 1))).astype(np.float32)
        fresh = np.array([stream not in begun or rng.random() < 0.1 for stream in now])
        begun |= set(now.tolist())
        found = runner.run({"new": new, "slot": slot_of[now].astype(np.int64), "fresh": fresh})["logits"]
        expected = np.stack([loop(*each) for each in zip(now.tolist(), new, fresh.tolist(), strict=True)])
        np.testing.assert_allclose(found, expected, atol=ROUNDING, rtol=0)
        spread.append(expected)
    assert np.concatenate(spread).std(axis=0).max() > 1e-2
    runner.close()


def test_a_stream_whose_sound_is_nan_harms_no_other_and_can_begin_afresh(network: MSCNN) -> None:
    runner, loop = running(StepProgram(IncrementalMSCNN(network, HOP), 3, "cpu"), 4), Loop(network, HOP)
    slots = np.arange(3)
    for number in range(4):
        new, fresh = noise(3, HOP, seed=number), np.full(3, number == 0)
        sick = new.copy()
        sick[1] = np.nan
        found = runner.run({"new": sick, "slot": slots, "fresh": fresh})["logits"]
        for stream in (0, 2):
            np.testing.assert_allclose(found[stream], loop(stream, new[stream], number == 0), atol=ROUNDING, rtol=0)
    new = noise(3, HOP, seed=9)
    found = runner.run({"new": new, "slot": slots, "fresh": np.array([False, True, False])})["logits"]
    for stream in range(3):
        np.testing.assert_allclose(found[stream], loop(stream, new[stream], stream == 1), atol=ROUNDING, rtol=0)
    runner.close()


def test_a_whole_window_begins_a_stream_and_hops_go_on(network: MSCNN) -> None:
    whole = StepProgram(IncrementalMSCNN(network, WINDOW), 4, "cpu")
    begin, go_on = running(whole, 2), running(StepProgram(IncrementalMSCNN(network, HOP), 4, "cpu", beside=whole), 2)
    sound, slots = noise(3, WINDOW + 3 * HOP), np.array([2, 0, 3])
    found = begin.run({"new": sound[:, :WINDOW], "slot": slots, "fresh": np.ones(3, np.bool_)})["logits"]
    for end in range(WINDOW, WINDOW + 3 * HOP + 1, HOP):
        if end > WINDOW:
            hop = {"new": sound[:, end - HOP : end], "slot": slots, "fresh": np.zeros(3, np.bool_)}
            found = go_on.run(hop)["logits"]
        with torch.inference_mode():
            expected = network(torch.from_numpy(sound[:, end - WINDOW : end])).logits.numpy()
        np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)


def test_states_of_other_programs_must_fit(network: MSCNN) -> None:
    whole = StepProgram(IncrementalMSCNN(network, WINDOW), 4, "cpu")
    with pytest.raises(ValueError, match="cannot lie where"):
        StepProgram(IncrementalMSCNN(network, HOP), 5, "cpu", beside=whole)


def test_states_are_never_moved(network: MSCNN) -> None:
    program = StepProgram(IncrementalMSCNN(network, HOP), 3, "cpu")
    places = [part.data_ptr() for part in program._state]
    runner = running(program, 2)
    for number in range(5):
        runner.run({"new": noise(3, HOP), "slot": np.arange(3), "fresh": np.full(3, number == 0)})
    assert [part.data_ptr() for part in program._state] == places
    assert all(float(part[0].abs().sum()) > 0 for part in program._state)


def test_preparing_leaves_every_streams_state_alone(network: MSCNN) -> None:
    program = StepProgram(IncrementalMSCNN(network, HOP), 3, "cpu")
    for part in program._state:
        part.fill_(0.25)
    running(program, 4)
    assert all(bool((part[:3] == 0.25).all()) for part in program._state)
    assert any(bool((part[3] != 0.25).any()) for part in program._state)
