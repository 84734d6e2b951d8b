"""Windows of several versions in turns, each of its own code, and what is said where one has none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stream_ser.bench import windows
from stream_ser.bench.windows import Asked, in_turns, window_ms
from stream_ser.errors import StreamSerError
from tests.conftest import ROOT


def test_every_version_is_asked_as_often_and_computes_windows() -> None:
    here = (ROOT, dict(os.environ))
    found = window_ms({"then": here, "now": here}, turns=3)
    assert set(found) == {"then", "now"}
    assert all(0.1 < each < 10_000.0 for each in found.values())


def test_medians_are_of_turns_that_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each turn of this one takes a second more by its own clock; the first are cold."""
    monkeypatch.setattr(
        windows, "HEAD", "import sys, itertools\nclass time: perf_counter = itertools.count().__next__\n"
    )
    monkeypatch.setattr(windows, "TURN", windows.TURN.replace("time.perf_counter() - began", "time.perf_counter()"))
    with Asked("one", "ask = lambda: None\n", tmp_path, os.environ, 1) as one:
        found = in_turns({"one": one}, turns=5)
    # its clock is asked twice a turn: the answer of turn n, counted from 0, is 2 n + 1 seconds
    assert found == {"one": 1e3 * (2 * (windows.COLD + 2) + 1)}


def test_a_version_that_computes_none_is_told_of(tmp_path: Path) -> None:
    with (
        pytest.raises(StreamSerError, match=r"no window of old: AttributeError: .*; try stream-ser doctor"),
        Asked("old", "card.nothing_like_that", tmp_path, os.environ, 1) as old,
    ):
        old.wait()
