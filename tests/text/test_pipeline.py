"""A model that reads words and rates dimensions, from the command line to the last byte of its file."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream_ser.bench.stream import words_cost
from stream_ser.engine.backend import warm_up
from stream_ser.engine.loading import load_backend
from stream_ser.feed.message_types import Message
from stream_ser.pipeline.runtime import Options, Runtime
from stream_ser.text.choice import TextOptions
from stream_ser_models.card import read_card
from tests.conftest import read_lines, trajectory
from tests.feed.wire import problems
from tests.pipeline.test_parity import Cut
from tests.text.multimodal import COUNT, DIMENSIONS, register

Command = Callable[..., tuple[int, str, str]]
needs_pocketsphinx = pytest.mark.skipif(
    find_spec("pocketsphinx") is None,
    reason="needs pocketsphinx: pip install 'stream-ser[asr]'",
)


@pytest.fixture
def said(tmp_path: Path) -> Path:
    """Words while someone speaks in the recording: it does from 2.5 to 7.6 s."""
    path = tmp_path / "said.tsv"
    path.write_text("3.0\t3.5\tdo\n4.0\t6.0\tforget the airplane\n6.4\t6.6\tzeppelin\n")
    return path


def points(path: Path) -> list[Message]:
    return [message for message in read_lines(path) if message["type"] == "point"]


@pytest.fixture(scope="module")
def offline(tiny: Path, talk: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What ``analyze`` makes of it with the real recogniser, words included."""
    from stream_ser.cli.main import main

    out = tmp_path_factory.mktemp("offline") / "offline.jsonl"
    assert main(["analyze", str(talk), "--model", str(tiny), "--show-text", "--out", str(out)]) == 0
    assert any(point["text"] for point in points(out)), "no words were recognised, so nothing would be compared"
    return trajectory(read_lines(out))


@needs_pocketsphinx
def test_a_paced_replay_equals_analyze_to_the_last_bit(
    command: Command, tiny: Path, talk: Path, tmp_path: Path, offline: list[str]
) -> None:
    out = tmp_path / "replay.jsonl"
    options = ["--model", tiny, "--show-text", "--headless", "--feed", "off", "--out", out]
    assert command("replay", talk, "--speed", "8", *options)[0] == 0
    assert trajectory(read_lines(out)) == offline


@needs_pocketsphinx
def test_block_size_changes_nothing(tiny: Path, talk: Path, offline: list[str]) -> None:
    received: list[dict[str, Any]] = []
    with Runtime(Options(str(tiny), feed="off", text=TextOptions(show=True))) as runtime:
        runtime.hub.attach(received.append)
        session = runtime.session(Cut(talk, 441), talk.name)
        session.start()
        assert session.wait(120.0)
    assert trajectory(received) == offline


@needs_pocketsphinx
def test_words_are_read_but_kept_to_ourselves_by_default(
    command: Command, tiny: Path, talk: Path, tmp_path: Path, offline: list[str]
) -> None:
    out = tmp_path / "private.jsonl"
    code, printed, error = command("analyze", talk, "--model", tiny, "--out", out)
    assert (code, error) == (0, "")
    assert "words from pocketsphinx" in printed
    assert "“" not in printed
    assert read_lines(out)[0]["text"] == "pocketsphinx", "that somebody listens is told"
    assert {point["text"] for point in points(out)} == {None}
    assert [point["raw"] for point in points(out)] == [json.loads(line)["raw"] for line in offline]


def test_every_message_is_what_the_schema_says(
    command: Command, tiny: Path, talk: Path, said: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    assert command("analyze", talk, "--model", tiny, "--transcript", said, "--show-text", "--out", out)[0] == 0
    assert [problems(message) for message in read_lines(out) if problems(message)] == []
    hello = read_lines(out)[0]
    assert (hello["dimensions"], hello["text"]) == (DIMENSIONS, "transcript")


def test_words_change_what_is_heard_from_when_they_were_said(
    command: Command, tiny: Path, talk: Path, said: Path, tmp_path: Path
) -> None:
    read, deaf = tmp_path / "read.jsonl", tmp_path / "deaf.jsonl"
    code, printed, _ = command("replay", talk, "--model", tiny, "--transcript", said, "--show-text", "--out", read,
                               "--speed", "max", "--headless", "--feed", "off")  # fmt: skip
    assert code == 0
    assert "“do forget the airplane zeppelin”" in printed
    assert command("analyze", talk, "--model", tiny, "--text", "none", "--out", deaf)[0] == 0
    for one, other in zip(points(read), points(deaf), strict=True):
        asked = None not in one["raw"].values()
        assert (one["raw"] != other["raw"]) == (asked and one["t"] >= 3.5), one["t"]
        assert one["text"] == " ".join(
            word
            for word, end in (("do", 3.5), ("forget", 4.667), ("the", 5.333), ("airplane", 6.0), ("zeppelin", 6.6))
            if one["t"] - 10.0 < end <= one["t"]
        )
    assert {point["text"] for point in points(deaf)} == {None}


def test_dimensions_are_told_where_the_model_was_asked(
    command: Command, tiny: Path, talk: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    code, printed, _ = command("analyze", talk, "--model", tiny, "--text", "none", "--out", out)
    assert code == 0
    for point in points(out):
        asked = None not in point["raw"].values()
        rated = point["dimensions"]
        assert list(rated) == DIMENSIONS
        assert (None not in rated.values()) == asked
        if asked:
            assert (rated["activation"], rated["valence"]) == (1.0, -1.0), "what goes beyond is clipped"
    assert "activation +1.00  valence -1.00  dominance" in printed
    assert "activation     –" in printed


def test_both_engines_compute_it_with_words_and_without(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)
    card = read_card(tiny)
    sound = np.random.default_rng(3).normal(0, 0.1, (1, 32_000)).astype(np.float32)
    words = np.array([[2, 3, 1, 0, 0, 0]])
    onnx, torch = (load_backend(tiny, card, engine) for engine in ("onnx", "torch"))
    for backend in (onnx, torch):
        assert backend.token_count == COUNT
        assert warm_up(backend, card) < 1e-4
        silent = backend.run(sound)
        assert np.array_equal(silent.logits, backend.run(sound, np.zeros_like(words)).logits)
        assert not np.allclose(silent.logits, backend.run(sound, words).logits)
    one, other = onnx.run(sound, words), torch.run(sound, words)
    assert one.dimensions is not None
    assert other.dimensions is not None
    np.testing.assert_allclose(one.logits, other.logits, atol=1e-5)
    np.testing.assert_allclose(one.dimensions, other.dimensions, atol=1e-5)


@needs_pocketsphinx
def test_the_bench_measures_what_words_cost(tiny: Path, talk: Path) -> None:
    cost = words_cost(talk)
    assert cost is not None
    assert cost["of_real_time_while_speaking"] > 0.0


def test_the_screen_shows_dimensions_and_words(tiny: Path, talk: Path, said: Path) -> None:
    from stream_ser.tui.state.stream_state import ScreenState

    state = ScreenState()
    options = Options(str(tiny), feed="off", text=TextOptions("transcript", said, show=True))
    with Runtime(options) as runtime:
        runtime.hub.attach(lambda message: state.consume(message, 0.0))
        session = runtime.session(Cut(talk, 4_000), talk.name)
        session.start()
        assert session.wait(60.0)
    assert state.dimensions == tuple(DIMENSIONS)
    assert state.text == "do forget the airplane zeppelin"
