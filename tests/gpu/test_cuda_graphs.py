"""CUDA graphs on a real device: the same numbers, no hidden wait, flat memory, and an end as clean as the beginning."""

from __future__ import annotations

import copy
import gc
import threading
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

import numpy as np
import pytest
import torch

from stream_ser.engine.buckets import buckets
from stream_ser.engine.cuda_device import CudaGraphDevice, EagerCudaDevice, start_check
from stream_ser.engine.graphs import Arrays, GraphRunner
from stream_ser.engine.programs import Program, StepProgram, WindowProgram
from stream_ser_models.card import find, probe, probe_tokens, read_card, shipped
from stream_ser_models.checkpoint import load_network
from stream_ser_models.incremental import IncrementalMSCNN
from stream_ser_models.mfcc import MFCCConfig
from stream_ser_models.mscnn import MSCNN, MSCNNConfig
from stream_ser_models.network import Network

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")]

WINDOW, HOP, SLOTS = 32_000, 4_000, 64
MOST = 32
SAME = 1e-4  # graph and eager run the same kernels
ACROSS = 1e-3  # GPU and CPU do not


@pytest.fixture(autouse=True)
def full_precision() -> Iterator[None]:
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, allow_tf32=False):
        yield


def shipped_network(name: str) -> Network:
    folder = find(name)
    return load_network(folder, read_card(folder)).to("cuda")


@pytest.fixture
def small() -> MSCNN:
    torch.manual_seed(3)
    made = MSCNN(MSCNNConfig(filters=6, hidden=8, padded=False, frontend=MFCCConfig(ends=False))).eval()
    made.measure(made.frontend(torch.randn(8, WINDOW) * 0.05))
    return made


def windows(network: Network, count: int, seed: int = 0) -> Arrays:
    noise = np.random.default_rng(seed).standard_normal((count, WINDOW)).astype(np.float32) * 0.05
    given: Arrays = {"waveform": np.concatenate([probe(WINDOW, 16_000)[np.newaxis], noise])[:count]}
    if network.token_count:
        given["tokens"] = np.stack([np.roll(probe_tokens(network.token_count), row) for row in range(count)])
    return given


def hops(count: int, seed: int = 0, fresh: bool = False) -> Arrays:
    new = np.random.default_rng(seed).standard_normal((count, HOP)).astype(np.float32) * 0.05
    return {"new": new, "slot": np.arange(count), "fresh": np.full(count, fresh)}


def graphed(program: Program, most: int = MOST) -> GraphRunner:
    runner = GraphRunner(CudaGraphDevice(program, most), buckets(most))
    runner.start()
    return runner


def eager(program: Program, most: int = MOST) -> GraphRunner:
    runner = GraphRunner(EagerCudaDevice(program, most), buckets(most))
    runner.start()
    return runner


@pytest.mark.parametrize("name", shipped())
def test_a_graph_gives_what_eager_gives_for_every_bucket(name: str) -> None:
    network = shipped_network(name)
    program = WindowProgram(network)
    one, other = graphed(program), eager(program)
    kept = []
    for count in (*buckets(MOST), 3, MOST - 1, 2 * MOST + 5, 1):  # in an order that no capture had
        given = windows(network, count, seed=count)
        kept.append((one.run(given), other.run(given)))
    for found, expected in kept:
        assert start_check(found, expected, SAME) is None
    card = read_card(find(name))
    np.testing.assert_allclose(one.run(windows(network, 1))["logits"][0], card.probe_logits, atol=ACROSS, rtol=0)
    one.close()
    other.close()


@pytest.mark.parametrize("count", [1, 2, 7])
def test_pads_full_of_what_ran_before_change_nothing(count: int) -> None:
    network = shipped_network("mscnn-both")
    runner = graphed(WindowProgram(network))
    given = windows(network, count)
    expected = runner.run(given)
    runner.run({**windows(network, MOST), "waveform": np.full((MOST, WINDOW), np.nan, np.float32)})
    found = runner.run(given)
    assert start_check(found, expected, 0.0) is None
    runner.close()


def test_steps_of_many_streams_are_each_streams_loop_on_the_cpu(small: MSCNN) -> None:
    runner = graphed(StepProgram(IncrementalMSCNN(copy.deepcopy(small), HOP), SLOTS, "cuda"), 8)
    loop = IncrementalMSCNN(small, HOP)
    rng = np.random.default_rng(4)
    states: dict[int, Any] = {}
    for _ in range(40):
        now = rng.permutation(SLOTS)[: rng.integers(1, 20)]
        fresh = np.array([stream not in states or rng.random() < 0.1 for stream in now])
        new = (rng.standard_normal((len(now), HOP)) * 10.0 ** rng.uniform(-3, -0.5, (len(now), 1))).astype(np.float32)
        found = runner.run({"new": new, "slot": now.astype(np.int64), "fresh": fresh})["logits"]
        for row, stream in enumerate(now.tolist()):
            with torch.inference_mode():
                state = loop.start(1) if fresh[row] else states[stream]
                scores, states[stream] = loop(torch.from_numpy(new[row : row + 1]), state)
            np.testing.assert_allclose(found[row], scores.logits[0].numpy(), atol=ACROSS, rtol=0)
    runner.close()


def test_a_window_begun_beside_goes_on_in_hops(small: MSCNN) -> None:
    network = copy.deepcopy(small).to("cuda")
    whole = StepProgram(IncrementalMSCNN(network, WINDOW), SLOTS, "cuda")
    begin, go_on = graphed(whole, 4), graphed(StepProgram(IncrementalMSCNN(network, HOP), SLOTS, "cuda", whole), 8)
    sound = np.random.default_rng(1).standard_normal((5, WINDOW + 4 * HOP)).astype(np.float32) * 0.05
    slots = np.array([9, 3, 63, 0, 17])
    begin.run({"new": sound[:, :WINDOW], "slot": slots, "fresh": np.ones(5, np.bool_)})
    for end in range(WINDOW + HOP, sound.shape[1] + 1, HOP):
        found = go_on.run({"new": sound[:, end - HOP : end], "slot": slots, "fresh": np.zeros(5, np.bool_)})
        with torch.inference_mode():
            expected = small(torch.from_numpy(sound[:, end - WINDOW : end])).logits.numpy()
        np.testing.assert_allclose(found["logits"], expected, atol=ACROSS, rtol=0)
    begin.close()
    go_on.close()


def test_ten_thousand_replays_take_no_more_memory(small: MSCNN) -> None:
    runner = graphed(StepProgram(IncrementalMSCNN(small, HOP), SLOTS, "cuda"))
    loads = [hops(count, seed=count) for count in (1, 5, 32, 40)]
    for given in loads:
        runner.run(given)
    before = torch.cuda.memory_allocated(), torch.cuda.memory_reserved()
    for given in islice(cycle(loads), 10_000):
        runner.run(given)
    assert (torch.cuda.memory_allocated(), torch.cuda.memory_reserved()) == before
    runner.close()


@pytest.mark.parametrize("name", shipped())
def test_the_hot_loop_never_waits_but_for_its_events(name: str) -> None:
    network = shipped_network(name)
    runner = graphed(WindowProgram(network))
    loads = [windows(network, count) for count in (1, 3, MOST, MOST + 1)]
    torch.cuda.set_sync_debug_mode("error")
    try:
        for given in loads * 5:
            runner.run(given)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    runner.close()


def test_capture_goes_well_while_another_thread_allocates(small: MSCNN) -> None:
    stop, failed = threading.Event(), list[Exception]()

    def allocate() -> None:
        size = 1 << 20
        held = []
        try:
            while not stop.is_set():
                held.append(torch.empty(size, device="cuda"))
                size += 1 << 20
                if len(held) > 16:
                    held.clear()
                    size = 1 << 20
        except Exception as error:
            failed.append(error)

    program = WindowProgram(small.to("cuda"))
    expected = eager(program).run(windows(small, 5))
    thread = threading.Thread(target=allocate)
    thread.start()
    try:
        runner = graphed(program)
    finally:
        stop.set()
        thread.join()
    assert not failed
    assert start_check(runner.run(windows(small, 5)), expected, SAME) is None
    runner.close()


def test_twenty_ends_and_beginnings_leave_nothing_behind(small: MSCNN) -> None:
    network = small.to("cuda")
    given = windows(network, 9)
    levels, first = [], None
    for _ in range(20):
        runner = graphed(WindowProgram(network), 8)
        found = runner.run(given)
        first = found if first is None else first
        assert start_check(found, first, 0.0) is None
        runner.close()
        del runner
        gc.collect()
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        levels.append((torch.cuda.memory_allocated(), torch.cuda.memory_reserved()))
    assert len(set(levels[2:])) == 1  # libraries keep their first work space
