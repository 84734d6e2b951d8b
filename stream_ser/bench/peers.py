"""What somebody would use instead, on the same sound and on one thread, where it is installed. None of them is needed here.

They hear whole windows, so a hop costs them a window whatever the hop is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from stream_ser.bench.timing import alternate, percentiles
from stream_ser.engine.backend import Backend
from stream_ser.types import SAMPLE_RATE, Samples
from stream_ser_models.card import Card, probe

TURNS = 8  # windows of ours to one of a peer, of which the first finds the caches as the peer left them
Ask = Callable[[Samples], object]


@dataclass(frozen=True, slots=True)
class PeerSystem:
    """A system that is timed, the packages it needs, and how it is made ready to be asked about a window."""

    name: str
    packages: tuple[str, ...]
    make: Callable[[], Ask]


def peer_cost(peer: PeerSystem, card: Card, seconds: float, ours: Backend | None = None) -> dict[str, Any]:
    """Time a peer on the model's window, or say what to install.

    With an engine of ours they take turns, ``TURNS`` windows of ours to each of the peer's, so that both see the same machine.
    """
    missing = [package for package in peer.packages if find_spec(package) is None]
    if missing:
        return {"unavailable": f"not installed; pip install {' '.join(missing)}"}
    sound = probe(card.window_samples, card.sample_rate)
    began = time.perf_counter()
    ask = peer.make()
    ask(sound)
    ready = time.perf_counter() - began
    calls: dict[str, Callable[[], object]] = {peer.name: lambda: ask(sound)}
    if ours is not None:
        calls |= {f"{ours.name} {turn}": lambda: ours.run(sound[np.newaxis]) for turn in range(TURNS)}
    times = alternate(calls, seconds, least=5)
    theirs = times.pop(peer.name)
    cost: dict[str, Any] = {"ready_s": round(ready, 3), "runs": len(theirs), **percentiles(theirs)}
    if ours is not None:
        own = percentiles([taken for turn in times.values() for taken in turn])
        cost |= {"beside": ours.name, "ours_p50_ms": own["p50_ms"]}
        cost["times_window"] = round(cost["p50_ms"] / own["p50_ms"], 1)
    return cost


def compare(cost: dict[str, Any], engine: dict[str, Any], steps: list[dict[str, Any]]) -> None:
    """Say how many times an engine's window, and a hop of ``steps`` (rows of an engine's costs), go into a peer's window.

    What took turns with the peer keeps its ratio.
    """
    if "unavailable" in cost:
        return
    if "times_window" not in cost:
        cost["beside"] = engine["backend"]
        cost["times_window"] = round(cost["p50_ms"] / engine["windows"][0]["p50_ms"], 1)
    cost["times_hop"] = {
        f"{row['hop_s']:g}": round(cost["p50_ms"] / row["p50_ms"], 1) for row in steps if row["batch"] == 1
    }


def _wav2vec2() -> Ask:
    """The base network with a classifier; its weights are random, for they change nothing in its cost."""
    torch, transformers = import_module("torch"), import_module("transformers")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = transformers.Wav2Vec2ForSequenceClassification(transformers.Wav2Vec2Config(num_labels=4)).eval()

    def ask(sound: Samples) -> object:
        with torch.inference_mode():
            return network(torch.from_numpy(sound)[None]).logits.numpy()

    return ask


def _opensmile() -> Ask:
    """The 88 functionals of eGeMAPSv02, without the classifier that would follow them."""
    opensmile = import_module("opensmile")
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals
    )
    return lambda sound: smile.process_signal(sound, SAMPLE_RATE)


PEERS = {
    peer.name: peer
    for peer in (
        PeerSystem("wav2vec2-base", ("transformers", "torch"), _wav2vec2),
        PeerSystem("opensmile-egemaps", ("opensmile",), _opensmile),
    )
}
