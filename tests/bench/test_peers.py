from __future__ import annotations

import numpy as np
import pytest

from stream_ser.bench.peers import PEERS, TURNS, PeerSystem, compare, peer_cost
from stream_ser.engine.backend import Output, Tokens
from stream_ser.engine.voice import Voice
from stream_ser.types import Samples
from tests.bench.engines import any_card
from tests.fakes import FakeBackend


def test_what_is_not_installed_says_how_to_install_it() -> None:
    peer = PeerSystem("huge", ("numpy", "no_such_package", "nor_this"), lambda: np.sum)
    cost = peer_cost(peer, any_card(), 0.0)
    assert cost == {"unavailable": "not installed; pip install no_such_package nor_this"}
    compare(cost, {}, [])
    assert "times_window" not in cost


def test_a_peer_hears_the_models_window() -> None:
    heard: list[Samples] = []
    cost = peer_cost(PeerSystem("sum", ("numpy",), lambda: heard.append), any_card(), 0.0)
    assert cost["runs"] == 5
    assert 0.0 < cost["p50_ms"] <= cost["p99_ms"]
    assert {sound.shape for sound in heard} == {(32_000,)}


def test_a_peer_is_compared_with_windows_and_with_hops() -> None:
    cost = {"peer": "sum", "p50_ms": 300.0}
    steps = [
        {"hop_s": 0.1, "batch": 1, "p50_ms": 1.5},
        {"hop_s": 0.1, "batch": 64, "p50_ms": 20.0},
        {"hop_s": 1.0, "batch": 1, "p50_ms": 3.0},
    ]
    compare(cost, {"backend": "ours", "windows": [{"p50_ms": 6.0}]}, steps)
    assert (cost["beside"], cost["times_window"], cost["times_hop"]) == ("ours", 50.0, {"0.1": 200.0, "1": 100.0})


def test_an_engine_of_ours_takes_turns_with_the_peer() -> None:
    card, turns = any_card(), list[str]()

    class Ours(FakeBackend):
        def run(self, windows: Samples, tokens: Tokens | None = None, voice: Voice | None = None) -> Output:
            turns.append("ours")
            return super().run(windows, tokens, voice)

    peer = PeerSystem("sum", ("numpy",), lambda: lambda _: turns.append("peer"))
    cost = peer_cost(peer, card, 0.0, Ours(len(card.labels)))
    assert "".join(turn[0] for turn in turns[-5 * (TURNS + 1) :]) == ("p" + "o" * TURNS) * 5
    ratio = cost["times_window"]
    assert ratio == pytest.approx(cost["p50_ms"] / cost["ours_p50_ms"], abs=0.06)
    compare(cost, {"backend": "other", "windows": [{"p50_ms": 1e6}]}, [])
    assert (cost["beside"], cost["times_window"], cost["times_hop"]) == (FakeBackend.name, ratio, {})


def test_the_known_peers_name_what_they_need() -> None:
    assert {name: peer.packages for name, peer in PEERS.items()} == {
        "wav2vec2-base": ("transformers", "torch"),
        "opensmile-egemaps": ("opensmile",),
    }
