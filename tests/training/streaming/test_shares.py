"""Labels of several streams are counted together, and a way that changes nothing moves none."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_ser.api import Monitor
from stream_ser.bench.shares import Way, count_labels, largest_move
from stream_ser_training.__main__ import main
from stream_ser_training.streaming.shares import moved_over
from tests.conftest import BUNDLED

MODEL = "mscnn-stream"


def test_the_largest_move_is_of_any_label_that_either_count_has() -> None:
    assert largest_move(Counter(a=3, b=1), Counter(a=6, b=2)) == 0.0
    assert largest_move(Counter(a=3, b=1), Counter(a=1, b=1, c=2)) == 0.5
    assert largest_move(Counter(), Counter(a=1)) == 1.0
    assert largest_move(Counter(), Counter()) == 0.0


def test_streams_are_counted_together() -> None:
    sound, rate = soundfile.read(BUNDLED, dtype="float32", frames=12 * 16_000)
    parts = [sound[: 6 * rate], sound[6 * rate :]]
    same = Way(lambda samples, _: [samples], 0.0)
    hush = Way(lambda samples, _: [np.zeros_like(samples)], 0.0)
    with Monitor(model=MODEL, hop=0.5) as monitor:
        alone = [count_labels(monitor, [part], rate) for part in parts]
        found = moved_over(monitor, parts, {"same": same, "hush": hush})
    together = alone[0] + alone[1]
    assert found.labelled == together.total() > 0
    assert found.by["same"] == 0.0
    assert found.by["hush"] == max(together.values()) / together.total()


def test_the_command_prints_a_row_for_each_model(capsys: pytest.CaptureFixture[str]) -> None:
    data = Path(os.environ.get("STREAM_SER_DATA", "none"))
    if not (data / "emodb" / "manifest.csv").is_file():
        pytest.skip("STREAM_SER_DATA names no folder with emodb")
    arguments = ["stream-eval", "--shares", "--model", MODEL, "--side", "validation", "--corpora", "emodb"]
    assert main([*arguments, "--longest", "12"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "validation speakers"
    assert lines[-1].startswith(f"| {MODEL} | ")
    assert lines[-1].count("|") == lines[-2].count("|")
