"""The shipped default does no worse on streams than it is said to, by more than its figures vary."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stream_ser.api import Monitor
from stream_ser_models.card import DEFAULT, find, read_card
from stream_ser_training.streaming.small import WORSE, of_recording, of_streams, worse

ROOT = Path(__file__).parents[3]
RECORDING = ROOT / "demos" / "recording" / "conversation.flac"
KEPT = ROOT / "docs" / "results" / "streaming" / "small" / f"{DEFAULT}.json"
CORPORA = ("ravdess", "emodb", "nemo")


@pytest.fixture(scope="module")
def before() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(KEPT.read_text("utf-8"))
    return told


@pytest.fixture(scope="module")
def monitor() -> Iterator[Monitor]:
    with Monitor(model=DEFAULT) as made:
        yield made


def test_the_bundled_recording(monitor: Monitor, before: dict[str, Any]) -> None:
    found = of_recording(monitor, RECORDING, RECORDING.with_suffix(".labels.json"))
    assert not worse(before["recording"], found)
    assert found["units"] == 8
    assert found["UA"] > 0.5, "the figures are the recording's, not those of a model that knows nothing"


def test_streams_of_test_speakers(monitor: Monitor, before: dict[str, Any]) -> None:
    data = Path(os.environ.get("STREAM_SER_DATA", "none"))
    missing = [name for name in CORPORA if not (data / name / "manifest.csv").is_file()]
    if missing:
        pytest.skip(f"STREAM_SER_DATA names no folder with {', '.join(missing)}")
    found = of_streams(monitor, read_card(find(DEFAULT)), data)
    assert not worse(before["streams"], found)


def test_what_is_worse_is_said_and_what_is_better_or_within_the_spread_is_not(before: dict[str, Any]) -> None:
    kept = before["streams"]
    assert not worse(kept, kept)
    for name, sign in WORSE.items():
        around = kept["spread"][name]
        assert around > 0.0
        assert not worse(kept, kept | {name: kept[name] + 0.9 * sign * around})
        assert not worse(kept, kept | {name: kept[name] - 5.0 * sign * around})
        (said,) = worse(kept, kept | {name: kept[name] + 1.1 * sign * around})
        assert said.startswith(f"{name} was ")


def test_a_model_that_says_the_opposite_is_worse(monitor: Monitor, before: dict[str, Any]) -> None:
    """Labels in another order: the same computation, and every figure must tell."""
    found = of_recording(_Turned(monitor), RECORDING, RECORDING.with_suffix(".labels.json"))  # type: ignore[arg-type]
    assert {said.partition(" ")[0] for said in worse(before["recording"], found)} >= {"UA", "accuracy", "EDER"}


class _Turned:
    """A monitor whose labels are called by each other's names."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor, self.labels = monitor, tuple(reversed(monitor.labels))

    def analyze(self, path: Path) -> Any:
        return _Renamed(self._monitor.analyze(path), self._monitor.labels)


class _Renamed:
    def __init__(self, analysis: Any, labels: tuple[str, ...]) -> None:
        from dataclasses import replace

        turned = dict(zip(labels, reversed(labels), strict=True))
        self.points = tuple(replace(p, label=p.label and turned[p.label]) for p in analysis.points)
