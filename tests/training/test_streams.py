"""Heads on an encoder, end to end: fitted, measured as callers and by telephone, exported, and reproduced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from stream_ser_models.architectures import make_network
from stream_ser_models.card import HEAD_INPUTS, ONNX, CheckpointError, read_card, write_card
from stream_ser_models.checkpoint import load_network
from stream_ser_models.frames import FrameHead, PooledFrames, Voice
from stream_ser_training.__main__ import main
from stream_ser_training.clips import Clip, read_manifest
from stream_ser_training.encoded import EncodedFrames, frontend_of, has_file
from stream_ser_training.evaluate import Scored
from stream_ser_training.experiment import folds_of
from stream_ser_training.line_report import report
from stream_ser_training.recipe import read_task
from stream_ser_training.records import read_records
from stream_ser_training.reexport import write_again
from stream_ser_training.speech_probe import active, fit_probe
from stream_ser_training.streams import WIDEBAND, moved, score_streams, stage_here
from tests.training.conftest import LABELS

Writer = Callable[..., Path]
CONDITIONS = {"plain", "caller", "neutral", "one", "telephone", "telephone caller"}


def head(**values: object) -> FrameHead:
    torch.manual_seed(0)
    made = make_network("frames_tfcnn", {"head": "gap", "trunk": False, **values})
    assert isinstance(made, FrameHead)
    return made.eval()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, corpora: Path) -> tuple[Path, Path, Path]:
    """Folder of a fitted head's checkpoint, its records, and its protocol."""
    from tests.training.conftest import PROTOCOL, RECIPE

    home = tmp_path_factory.mktemp("head")
    tables = {
        "architecture": "frames_tfcnn",
        "top": "",
        "model": 'head = "gap"\ntrunk = false',
        "stage": 'noise = "hum"\ntelephone = true\nwhole = true',
        "fit": "cells = true",
        "augment": "lines = 0.8",
    }
    (home / "tiny.toml").write_text(RECIPE.format(**tables), encoding="utf-8")
    (home / "voices.toml").write_text(PROTOCOL.format(top=""), encoding="utf-8")
    options = ["--recipe", home / "tiny.toml", "--protocol", home / "voices.toml", "--data", corpora]
    options += ["--runs", home / "runs", "--threads", "1", "--records", home / "records"]
    shared = [str(option) for option in options]
    assert main(["fit", *shared, "--device", "cpu"]) == 0
    assert main(["export", *shared, "--out", str(home / "made-up")]) == 0
    return home / "made-up", home / "records", home / "voices.toml"


def test_a_record_has_every_condition(checkpoint: tuple[Path, Path, Path]) -> None:
    (record,) = read_records(checkpoint[1])
    assert set(record.streams) == CONDITIONS
    for figures in record.streams.values():
        assert set(figures) == {"twovoices"}
        assert figures["twovoices"]["clips"] == 8
        assert set(figures["twovoices"]["recall"]) == set(LABELS)
    assert {name for name, own in record.streams.items() if "moved" in own["twovoices"]} == set(WIDEBAND)
    assert record.parameters > 4_000_000  # the encoder's are counted
    plain = record.streams["plain"]["twovoices"]
    assert record.windows["twovoices"]["UA"] == pytest.approx(plain["UA_windows"])


def test_what_a_line_moves_is_counted_by_voice() -> None:
    def said(voice: str, *answers: int) -> Scored:
        clip = Clip("a", Path(voice), f"a/{voice}", "", LABELS[0], 1.0, f"{voice}{answers}")
        return Scored(clip, 0, np.eye(4)[list(answers)])

    before = [said("one", 0, 0), said("one", 1, 1), said("other", 2, 2)]
    after = [said("one", 0, 3), said("one", 3, 1), said("other", 2, 2)]  # label 3 has half of the first voice's windows
    assert moved(before, after, 4) == {"a": 0.25}


def test_the_card_names_its_encoder_and_its_figures_are_reproduced(
    checkpoint: tuple[Path, Path, Path], corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _, protocol = checkpoint
    card = read_card(folder)
    assert card.encoder is not None
    assert card.encoder["name"] == "whisper-tiny.en"
    assert card.encoder["layers"] == 2
    assert (tuple(card.inputs), card.prior_s) == (HEAD_INPUTS, 30.0)
    assert set(card.figures["streams"]) == CONDITIONS
    capsys.readouterr()
    options = ["--protocol", str(protocol), "--data", str(corpora), "--model", str(folder)]
    assert main(["evaluate", *options]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "the card's figures, reproduced"


def test_what_a_line_does_is_told_by_voice_known_and_unknown(
    checkpoint: tuple[Path, Path, Path], corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _, protocol = checkpoint
    capsys.readouterr()
    options = ["--protocol", str(protocol), "--data", str(corpora), "--model", str(folder)]
    assert main(["line", *options, "--line", "telephone"]) == 0
    told = [line.rsplit(maxsplit=3) for line in capsys.readouterr().out.splitlines()[1:]]
    assert [names.split() for names, *_ in told] == [["twovoices", "nobody", "known"], ["twovoices", "caller"]]
    streams = read_card(folder).figures["streams"]
    for (_, wideband, over, moved_by), (plain, by) in zip(
        told, (("plain", "telephone"), ("caller", "telephone caller")), strict=True
    ):
        assert float(wideband) == pytest.approx(streams[plain]["twovoices"]["UA"], abs=6e-4)
        assert float(over) == pytest.approx(streams[by]["twovoices"]["UA"], abs=6e-4)
        assert float(moved_by) == pytest.approx(streams[by]["twovoices"]["moved"], abs=6e-4)
    fold = folds_of(read_task(str(protocol)), corpora)[0]
    with pytest.raises(CheckpointError, match="cnn-bilstm is no head on an encoder"):
        report("cnn-bilstm", fold, "narrow")


def test_the_file_computes_what_the_weights_do(checkpoint: tuple[Path, Path, Path], corpora: Path) -> None:
    folder = checkpoint[0]
    card = read_card(folder)
    network = load_network(folder, card)
    assert isinstance(network, FrameHead)
    session = onnxruntime.InferenceSession(str(folder / ONNX), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    frames = rng.standard_normal((2, network.given, network.width)).astype(np.float32)
    seconds = np.array([0.0, 12.0], np.float32)
    total = seconds[:, None] * rng.standard_normal((2, network.width)).astype(np.float32)
    logits = session.run(["logits"], {"frames": frames, "voice_sum": total, "voice_s": seconds})[0]
    with torch.inference_mode():
        expected = network.classify(
            torch.from_numpy(frames), voice=Voice(torch.from_numpy(total), torch.from_numpy(seconds))
        ).logits
    np.testing.assert_allclose(logits, expected.numpy(), atol=1e-4)
    assert write_again(folder).probe_logits == card.probe_logits


def test_a_head_on_another_encoder_is_refused(checkpoint: tuple[Path, Path, Path], tmp_path: Path) -> None:
    folder = checkpoint[0]
    card = read_card(folder)
    assert card.encoder is not None
    with pytest.raises(CheckpointError, match="trained on encoder"):
        load_network(folder, replace(card, encoder={**card.encoder, "sha256": "0" * 64}))
    write_card(tmp_path, replace(card, encoder={"name": "whisper-tiny.en"}))
    with pytest.raises(CheckpointError, match="it needs name, sha256 and layers"):
        read_card(tmp_path)
    write_card(tmp_path, replace(card, inputs=["waveform"]))
    with pytest.raises(CheckpointError, match="on an encoder they are frames, voice_sum, voice_s"):
        read_card(tmp_path)


def test_features_are_what_the_encoders_file_computes_and_near_what_torch_does() -> None:
    own = head()
    frontend = frontend_of(own)
    assert isinstance(frontend, EncodedFrames)
    sound = 0.05 * torch.randn(3, 32_000)
    frames = frontend(sound)
    assert frames.shape == (3, own.config.steps, own.width)
    torch.testing.assert_close(frontend(sound[1:2]), frames[1:2])  # no window depends on its neighbours
    with torch.inference_mode():
        exact = own.frontend(sound)
    assert float((frames - exact).norm() / exact.norm()) < 0.1
    other = head(frontend={"floor": "fixed"})
    assert not has_file(other.config)
    assert frontend_of(other) is other.frontend
    assert frontend_of(head(pool=5)).__class__ is PooledFrames  # the file averages four


def test_scores_do_not_depend_on_how_clips_are_grouped(corpora: Path) -> None:
    own, clips = head(), read_manifest(corpora / "twovoices")[:4]
    staged = stage_here(own, clips)
    together = score_streams(own, clips, staged, LABELS, None)
    for item, clip in zip(together, clips, strict=True):
        (alone,) = score_streams(own, [clip], staged, LABELS, None)
        np.testing.assert_allclose(item.logits, alone.logits, atol=1e-5)
    caller = score_streams(own, clips, staged, LABELS, "caller")
    assert any(not np.allclose(a.logits, b.logits, atol=1e-3) for a, b in zip(together, caller, strict=True))


def test_a_probe_finds_what_is_linearly_there() -> None:
    rng = np.random.default_rng(0)
    there = rng.random(2_000) < 0.7
    frames = rng.standard_normal((2_000, 8)).astype(np.float32)
    frames[:, 3] += 4.0 * there
    weights, bias = fit_probe(frames, there)
    assert ((frames @ weights + bias > 0.0) == there).mean() > 0.95


def test_silent_parts_of_a_window_are_not_active() -> None:
    window = np.zeros(32_000, np.float32)
    assert not active(window, 25).any()
    window[: 32_000 // 5] = 0.1
    assert active(window, 25).tolist() == [True] * 5 + [False] * 20


def test_a_network_on_its_own_front_end_is_heard_by_telephone_too(
    corpora: Path, write_recipe: Writer, write_protocol: Writer, tmp_path: Path
) -> None:
    recipe = write_recipe(stage='noise = "hum"\ntelephone = true\nwhole = true', augment="lines = 0.5")
    options = ["--recipe", recipe, "--protocol", write_protocol(), "--data", corpora, "--runs", tmp_path / "runs"]
    records = tmp_path / "records"
    assert main(["fit", *(str(option) for option in options), "--records", str(records), "--device", "cpu"]) == 0
    (record,) = read_records(records)
    assert set(record.streams) == {"telephone"}  # it knows no voices
    assert record.streams["telephone"]["twovoices"]["clips"] == 8
