"""What a point rests on, made from what a network gave and from its window."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from stream_ser.audio.recording import open_recording
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.feed.message_types import Message
from stream_ser.pipeline.explanation import MOST_COLUMNS, MOST_ROWS, Explanation
from stream_ser.pipeline.runtime import Options, Runtime
from stream_ser.types import Observation, Timing
from stream_ser_models.card import find, read_card
from tests.feed.wire import make_info, make_point, problems

RECORDING = Path(__file__).parents[2] / "demos" / "recording" / "conversation.flac"
Map = npt.NDArray[np.float32]


def explain(model: str, attention: Map | None, top_down: Map | None = None) -> Explanation:
    seen = Observation("call-1", 0, 32_000, (0.1, 0.2, 0.9, 0.3), attention, Timing(0), None, top_down)
    sound = (0.1 * np.sin(np.arange(32_000) * 2 * np.pi * 500 / 16_000)).astype(np.float32)
    return Explanation(make_info(), read_card(find(model)), make_point(), seen, sound)


def values(picture: dict[str, Any]) -> npt.NDArray[np.float64]:
    cells = np.frombuffer(base64.b64decode(picture["values"]), np.uint8).reshape(picture["rows"], picture["columns"])
    return np.asarray(picture["low"] + cells / 255.0 * (picture["high"] - picture["low"]))


def test_both_maps_of_attention_pooling_with_their_places_and_values() -> None:
    attention, top_down = np.zeros((99, 49), np.float32), np.full((99, 49), -2.0, np.float32)
    attention[30, 10], top_down[3:6, 40] = 1.0, 4.0
    message = explain("tfcnn-attention", attention, top_down).message(7, "spectrogram")
    assert problems(message) == []
    assert message["seq"] == 7
    bottom_up, voted = message["maps"]
    assert (bottom_up["name"], bottom_up["of"], voted["name"], voted["of"]) == (
        "bottom_up",
        None,
        "top_down",
        "neutral",
    )
    assert (bottom_up["rows"], bottom_up["columns"]) == (33, 49)
    assert bottom_up["hz"][:2] == [0.0, 120.0]
    assert bottom_up["hz"][-1] == 3960.0
    assert bottom_up["seconds"] == [0.02, 1.98]
    assert np.unravel_index(values(bottom_up).argmax(), (33, 49)) == (10, 10)
    assert values(bottom_up).max() == pytest.approx(1 / 3)  # the mean over three rows
    assert values(voted)[1, 40] == pytest.approx(4.0)
    assert values(voted)[20, 20] == pytest.approx(-2.0)


def test_a_map_of_time_alone_is_one_row_of_no_frequency() -> None:
    attention = np.zeros((1, 200), np.float32)
    attention[0, 100:104] = 0.25
    (picture,) = explain("cpc", attention).message(0, "spectrogram")["maps"]
    assert (picture["name"], picture["rows"], picture["columns"], picture["hz"]) == ("attention", 1, 50, None)
    assert picture["seconds"] == [0.0, 2.0]
    assert values(picture)[0].argmax() == 25


@pytest.mark.parametrize("shape", [(7, 3), (40, 50), (41, 51), (95, 20)])
def test_maps_of_any_size_fit_and_keep_their_length(shape: tuple[int, int]) -> None:
    (picture,) = explain("tfcnn-attention", np.ones(shape, np.float32)).message(0, "spectrogram")["maps"]
    assert picture["rows"] <= MOST_ROWS
    assert picture["columns"] <= MOST_COLUMNS
    assert len(picture["hz"]) == picture["rows"] + 1
    assert picture["hz"][-1] == 40.0 * shape[0]
    cell_s = (picture["seconds"][1] - picture["seconds"][0]) / picture["columns"]
    assert cell_s == pytest.approx(0.04 * -(-shape[1] // MOST_COLUMNS), abs=1e-4)
    np.testing.assert_allclose(values(picture), 1.0)


@pytest.mark.parametrize(
    ("model", "shape"), [("tfcnn-attention", (99, 49)), ("area-attention", (10, 20)), ("cpc", (1, 200))]
)
def test_maps_alone_are_too_slow_for_syllables(model: str, shape: tuple[int, int]) -> None:
    attention = np.zeros(shape, np.float32)
    attention[0, shape[1] // 2] = 1.0
    message = explain(model, attention).message(0, "attention")
    assert problems(message) == []
    (picture,) = message["maps"]
    assert (picture["seconds"][1] - picture["seconds"][0]) / picture["columns"] == pytest.approx(0.2, abs=0.001)
    assert picture["columns"] <= 10
    assert values(picture)[0].argmax() == shape[1] // 2 // -(-shape[1] // 10)


def test_a_model_without_attention_has_no_maps_and_one_that_broke_has_none_either() -> None:
    assert explain("cnn-bilstm", None).message(0, "attention")["maps"] == []
    assert explain("tfcnn-attention", np.full((99, 49), np.nan, np.float32)).message(0, "attention")["maps"] == []


def test_the_spectrogram_comes_only_to_those_who_ask_for_it() -> None:
    made = explain("cnn-bilstm", None)
    assert made.message(0, "attention")["spectrogram"] is None
    message = made.message(3, "spectrogram")
    assert problems(message) == []
    picture = message["spectrogram"]
    loud = values(picture).mean(axis=1)
    band = int(loud.argmax())
    assert picture["hz"][band] <= 500 < picture["hz"][band + 1]
    assert loud[band] == pytest.approx(-20.0, abs=1.0)


@pytest.mark.parametrize(
    ("model", "names", "shape"),
    [
        ("tfcnn-attention", ["bottom_up", "top_down"], (33, 49)),
        ("area-attention", ["attention"], (10, 20)),
        ("cpc", ["attention"], (1, 50)),
        ("cnn-bilstm", [], None),
    ],
)
def test_a_recording_explains_itself_as_it_plays(model: str, names: list[str], shape: tuple[int, int] | None) -> None:
    received: list[Message] = []
    with Runtime(Options(model=model, engine="onnx", hop_s=1.0, feed="off")) as runtime:
        asking = runtime.hub.subscribe(limit=4096, filters=SubscriptionFilter(stream="r", why="spectrogram"))
        quiet = runtime.hub.subscribe(limit=4096)
        session = runtime.session(open_recording(RECORDING, speed=None), "r")
        session.start()
        while not session.wait(0.01):
            received += asking.drain()
            if sum(message["type"] == "why" for message in received) > 3:
                session.stop()
        received += asking.drain()
        assert "why" not in {message["type"] for message in quiet.drain()}
    points = {message["end"]: message for message in received if message["type"] == "point"}
    found = [message for message in received if message["type"] == "why"]
    assert found
    for message in found:
        assert problems(message) == []
        point = points[message["end"]]
        assert [message[key] for key in ("start", "state", "label", "confidence")] == [
            point[key] for key in ("start", "state", "label", "confidence")
        ]
        assert [picture["name"] for picture in message["maps"]] == names
        assert all((picture["rows"], picture["columns"]) == shape for picture in message["maps"])
        assert values(message["spectrogram"]).max() > -60
        for picture in message["maps"]:
            if picture["of"] is not None and point["raw"][picture["of"]] is not None:
                assert picture["of"] == max(point["raw"], key=point["raw"].get)
