from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stream_ser.bench.headline import changes_a_minute
from tests.tui.wire import hello, point

NEAR = 4.0  # changes a minute that another processor's rounding may make


def test_what_flickers_is_counted_and_the_headline_is_calm() -> None:
    flicker = [point(slot, "speech" if slot % 2 else "silence") for slot in range(1, 241)]
    found = changes_a_minute([hello(), *flicker])  # type: ignore[list-item]
    assert found["points"] == 239
    assert found["headline"] == 0


def test_without_points_there_is_nothing_to_say() -> None:
    with pytest.raises(ValueError, match="no points"):
        changes_a_minute([hello()])  # type: ignore[list-item]


def test_the_bundled_recording_is_calm() -> None:
    command = [sys.executable, "-m", "stream_ser.bench.headline"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    points, headline = (float(number) for number in re.findall(r"(\d+\.\d) (?:changes|of)", told))
    assert points > 30
    assert headline <= points / 2
    page = (Path(__file__).parents[2] / "docs" / "screen.md").read_text("utf-8")
    stated = re.search(
        r"the word changes ([\d.]+) times a minute;\s.*?\swould\s+change\s+([\d.]+) times", page, re.DOTALL
    )
    assert stated is not None
    assert abs(float(stated[1]) - headline) < NEAR
    assert abs(float(stated[2]) - points) < NEAR
