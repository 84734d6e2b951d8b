"""The command line's choice of model, engine and words: what it takes, lists and refuses."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from stream_ser_models.card import DEFAULT, SHIPPED, file_hash, shipped
from tests.conftest import read_lines, refused

Command = Callable[..., tuple[int, str, str]]


def test_an_unknown_model(command: Command, talk: Path) -> None:
    refused(
        command("replay", talk, "--model", "nope", "--headless", "--feed", "off"),
        "nope",
        "tfcnn-attention",
        "stream-ser models",
    )


def test_a_corrupt_checkpoint(command: Command, talk: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(SHIPPED / "tfcnn-attention", broken)
    weights = bytearray((broken / "model.onnx").read_bytes())
    weights[len(weights) // 2] ^= 1
    (broken / "model.onnx").write_bytes(weights)
    refused(command("replay", talk, "--model", broken, "--headless", "--feed", "off"), "corrupt", "SHA-256")


def test_a_model_that_computes_something_else(command: Command, talk: Path, tmp_path: Path) -> None:
    """The hashes fit, but the engine's answers are not the card's: the start-up check must refuse it."""
    other = tmp_path / "other"
    shutil.copytree(SHIPPED / "tfcnn-attention", other)
    card = json.loads((other / "card.json").read_text())
    card["probe_logits"][0] += 0.01
    (other / "card.json").write_text(json.dumps(card))
    refused(command("replay", talk, "--model", other, "--headless", "--feed", "off"), "wrongly", "doctor")


def test_an_unknown_engine(command: Command, talk: Path) -> None:
    refused(command("replay", talk, "--engine", "abacus", "--headless", "--feed", "off"), "abacus", "onnx")


def test_no_engine_installed(command: Command, talk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_ser.engine.loading.find_spec", lambda _: None)
    refused(command("replay", talk, "--headless", "--feed", "off"), "no engine", "stream-ser[cpu]")


def test_a_model_name_that_no_folder_can_have(command: Command, talk: Path) -> None:
    refused(command("replay", talk, "--model", "x" * 300, "--headless", "--feed", "off"), "check the path")


def test_a_model_file_that_its_engine_cannot_load(command: Command, talk: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(SHIPPED / "tfcnn-attention", broken)
    (broken / "model.onnx").write_bytes(b"this is not a network")
    card = json.loads((broken / "card.json").read_text())
    card["files"]["model.onnx"] = file_hash(broken / "model.onnx")
    (broken / "card.json").write_text(json.dumps(card))
    call = ("replay", talk, "--model", broken, "--headless", "--feed", "off", "--speed", "max")
    refused(command(*call, "--engine", "onnx"), "cannot load", "doctor")
    code, out, error = command(*call)  # the other engine can
    assert code == 0, error
    assert "engine onnx is not used" in out + error


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--text", "telepathy"], ("telepathy", "pocketsphinx")),
        (["--text", "pocketsphinx"], (DEFAULT, "reads no words", "--show-text")),
        (["--text", "transcript"], ("without a file", "--transcript")),
        (["--transcript", "none.csv", "--show-text"], ("none.csv", "check the path")),
    ],
)
def test_words_that_cannot_be_had(command: Command, talk: Path, options: list[str], words: tuple[str, ...]) -> None:
    refused(command("replay", talk, "--headless", "--feed", "off", *options), *words)


def test_one_transcript_for_two_recordings(command: Command, talk: Path, bundled: Path, tmp_path: Path) -> None:
    said = tmp_path / "said.csv"
    said.write_text("0,1,yes\n")
    refused(command("analyze", talk, bundled, "--transcript", said), "2 recordings", "one by one")


# Every shipped model ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_model_replays(command: Command, talk: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out.jsonl"
    arguments = ["--model", name, "--speed", "max", "--headless", "--feed", "off", "--out", out]
    code, printed, error = command("replay", talk, *arguments)
    assert (code, error) == (0, "")
    hello, *messages = read_lines(out)
    points = [message for message in messages if message["type"] == "point"]
    assert len(points) == 48
    asked = [point for point in points if None not in point["raw"].values()]
    assert asked, "the model was never asked"
    assert all(list(point["smoothed"]) == hello["labels"] for point in points)
    assert all(None not in point["dimensions"].values() for point in asked)
    assert all(list(point["dimensions"]) == hello["dimensions"] for point in points)
    assert "finished: 12.0 s of sound" in printed


# Looking around --------------------------------------------------------------------------------------------------------


def test_models_is_a_table_of_one_line_a_model_with_the_default_marked(command: Command) -> None:
    code, out, _ = command("models")
    assert code == 0
    head, *rows = out.partition("\n\n")[0].splitlines()
    assert [row[2:].split()[0] for row in rows] == shipped()
    assert [row[2:].split()[0] for row in rows if row.startswith("*")] == [DEFAULT]
    assert {"emodb", "emovo", "licence"} <= set(head.split())
    assert all(len(row) <= 110 for row in (head, *rows))
    ends = {corpus: head.index(corpus) + len(corpus) for corpus in ("crema_d", "emodb")}
    assert all(row[end - 2 : end] == "% " for row in rows for end in ends.values()), "figures stand under their corpus"


def test_one_model_is_told_in_full(command: Command) -> None:
    code, out, _ = command("models", "tfcnn-attention")
    assert code == 0
    assert out.startswith("tfcnn-attention  ")
    for word in ("93,573 parameters", "angry, happy, neutral, sad", "licence", "UA"):
        assert word in out


@pytest.mark.parametrize("call", [("models",), ("replay", "x.wav", "--feed", "off", "--model"), ("doctor", "--model")])
def test_a_model_that_is_nearly_named(command: Command, talk: Path, call: tuple[str, ...]) -> None:
    call = tuple(str(talk) if word == "x.wav" else word for word in call)
    result = command(*call, "cnn_bilstm")
    if call[0] == "doctor":  # it tells everything else as well
        assert result[0] == 2
        assert "did you mean cnn-bilstm?" in result[1]
    else:
        refused(result, "'cnn_bilstm'", "did you mean cnn-bilstm?", "stream-ser models")


def test_doctor_is_content_here_and_names_what_is_wrong(command: Command) -> None:
    code, out, _ = command("doctor", "--feed", "127.0.0.1:0")
    assert code == 0
    assert f"computes {DEFAULT} as trained" in out
    assert "; not cuda-graph: " in out
    assert "words " in out
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, out, _ = command("doctor", "--feed", f"127.0.0.1:{taken.getsockname()[1]}")
    assert code == 2
    assert "MISSING" in out


def test_doctor_passes_over_a_port_that_is_in_use_as_live_and_replay_do(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr("stream_ser.cli.doctor.FEED", f"127.0.0.1:{port}")
        code, out, _ = command("doctor")
    assert code == 0
    assert f"{port} is in use, live and replay pass over it" in out
