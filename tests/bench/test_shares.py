"""What should move no label moves none, or by less than it may: for every shipped model, on the start of the recording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import soundfile

from stream_ser.api import Monitor
from stream_ser.bench.shares import LOST, PACKET_S, WAYS, Moves, draws, main, moves, table_row
from stream_ser_models.card import shipped
from tests.conftest import BUNDLED

SECONDS = 12
HOP_S = 0.5
LEVELS = ("+12 dB", "-12 dB")


@cache
def sound() -> tuple[np.ndarray, int]:
    samples, rate = soundfile.read(BUNDLED, dtype="float32", frames=SECONDS * 16_000)
    return samples, rate


@dataclass
class Moved:
    name: str
    by: Mapping[str, float]
    labelled: int  # points that the shares are of


@pytest.fixture(scope="module", params=shipped())
def moved(request: pytest.FixtureRequest) -> Iterator[Moved]:
    samples, rate = sound()
    with Monitor(model=request.param, hop=HOP_S) as monitor:
        found = moves(monitor, samples, rate)
        yield Moved(request.param, found.by, found.labelled)


@pytest.mark.parametrize("way", [way for way in WAYS if way not in LEVELS])
def test_shares_stay(moved: Moved, way: str) -> None:
    assert moved.labelled > 0
    # Of seven points a single one is 14 points of a share; the command hears all of the recording and has no such excuse.
    assert moved.by[way] <= max(WAYS[way].most, 1.01 / moved.labelled), moved


def test_shares_stay_at_other_levels(moved: Moved) -> None:
    assert all(moved.by[way] <= WAYS[way].most for way in LEVELS), moved


def test_the_ways_are_what_they_are_called() -> None:
    samples, rate = sound()
    (louder,) = WAYS["+12 dB"].change(samples, rate)
    assert 20 * np.log10(np.std(louder) / np.std(samples)) == pytest.approx(12.0, abs=0.01)
    (offset,) = WAYS["offset -23 dBFS"].change(samples, rate)
    assert 20 * np.log10(np.mean(offset) - np.mean(samples)) == pytest.approx(-23.0, abs=0.01)
    (opposite,) = WAYS["opposite phase"].change(samples, rate)
    assert 20 * np.log10(np.std(opposite[:, 0]) / np.std(opposite[:, 1])) == pytest.approx(0.1, abs=0.001)
    assert np.std(opposite.mean(axis=1)) < 0.01 * np.std(samples)
    pieces = WAYS["3 % lost"].change(samples, rate)
    lost = sum(piece for piece in pieces if isinstance(piece, int))
    assert lost / len(samples) == pytest.approx(LOST, abs=0.01)
    assert sum(piece if isinstance(piece, int) else len(piece) for piece in pieces) == len(samples)
    assert max(piece for piece in pieces if isinstance(piece, int)) == PACKET_S * rate


def test_a_row_marks_what_moved_too_far_and_says_of_how_many_labels() -> None:
    by = {name: way.most + (0.001 if name == "opposite phase" else 0.0) for name, way in WAYS.items()}
    assert table_row("m", Moves(by, 57)) == "| m | 3.0 | 3.0 | 3.0 | 3.1 (!) | 5.0 | 57 |"


def test_the_command_prints_a_row_and_says_by_its_code_what_moved(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--model", "mscnn-stream", "--seconds", "6"])
    printed = capsys.readouterr()
    row = printed.out.splitlines()[-1]
    assert row.startswith("| mscnn-stream | ")
    assert row.count("|") == len(WAYS) + 3
    assert code == ("(!)" in row)
    assert "3 % lost 5" in printed.err


def test_the_command_tells_lost_packets_over_several_draws(capsys: pytest.CaptureFixture[str]) -> None:
    lost = [way.change(*sound()) for way in draws(3).values()]
    assert len({tuple(isinstance(piece, int) for piece in pieces) for pieces in lost}) == 3
    code = main(["--model", "mscnn-stream", "--seconds", "6", "--draws", "2"])
    head, _, row = capsys.readouterr().out.splitlines()
    assert "mean of 2 draws" in head
    name, mean, least, most, labels = (cell.strip() for cell in row.strip("|").split("|"))
    assert (name, int(labels) > 0) == ("mscnn-stream", True)
    assert float(least) <= float(mean) <= float(most)
    assert code == (float(mean) > 5.0)
