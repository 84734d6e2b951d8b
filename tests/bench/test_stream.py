from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stream_ser.bench.front_end import front_end_share
from stream_ser.bench.stream import start_to_ready, stream_cost
from stream_ser.errors import EngineError
from stream_ser_models.card import find, read_card
from tests.bench.engines import any_card
from tests.conftest import ROOT


def test_a_recording_is_run_through(talk: Path) -> None:
    found = stream_cost(talk, "cnn-bilstm", "onnx")
    assert (found["backend"], found["sound_s"], found["points"]) == ("onnxruntime-cpu", 12.0, 48)
    assert 10 < found["windows_asked"] < 48  # it has silences
    assert found["rest_ms_a_point"] > 0.0
    assert found["times_real_time"] > 0.0


def test_a_recording_in_which_nobody_speaks_is_refused(write_sound: Callable[..., Path]) -> None:
    with pytest.raises(EngineError, match=r"still\.wav has no window with speech"):
        stream_cost(write_sound("still.wav", np.zeros(48_000)), "cnn-bilstm", "onnx")


def test_an_engine_that_does_not_get_ready_is_told_of() -> None:
    with pytest.raises(EngineError, match="did not get ready"):
        start_to_ready("no-such-model", "onnx")


def test_the_front_ends_share_is_a_share_and_is_not_told_where_words_come_first() -> None:
    folder = ROOT / "models" / "stream_ser_models" / "shipped" / "cnn-bilstm"
    share = front_end_share(folder, any_card(), runs=2)
    assert share is not None
    assert 0.0 < share < 1.0
    both = find("mscnn-both")
    assert front_end_share(both, read_card(both), runs=2) is None
