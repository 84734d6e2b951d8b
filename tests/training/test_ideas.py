"""The table of strangers: means over seeds of means over folds, for each idea on both front ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stream_ser_training.export_head import strangers
from stream_ser_training.ideas import clips_of, ideas, over_seeds
from stream_ser_training.records import Record, read_record, write_record
from stream_ser_training.report import report
from stream_ser_training.results import read_reference
from tests.training.made_up import random_answers, record

FOLDS = ("emodb", "nemo", "ravdess")


def figure(share: float) -> dict[str, Any]:
    return {"clips": 20, "UA": share, "UA_windows": share, "WA": share, "ECE_windows": 0.1, "recall": {"sad": share}}


def of(recipe: str, fold: str, seed: int, share: float, **changes: Any) -> Record:
    """A record under ``loco`` whose plain windows have this UA, callers ten points more, EMOVO five less."""
    streams = {}
    if recipe.startswith("frames_"):
        streams = {
            "plain": {fold: figure(share), "cross:emovo": figure(share - 0.05)},
            "caller": {fold: figure(share + 0.1), "cross:emovo": figure(share + 0.05)},
        }
    architecture = "frames_tfcnn" if recipe.startswith("frames_") else "tfcnn"
    made: dict[str, Any] = {
        "recipe": recipe,
        "protocol": "loco",
        "fold": fold,
        "seed": seed,
        "architecture": architecture,
        "streams": streams,
        "windows": {fold: {"UA": share, "ECE": 0.1}, "cross:emovo": {"UA": share - 0.05, "ECE": 0.1}},
        "command": f"python -m training fit --recipe {recipe} --protocol loco --folds {fold} --seeds {seed}",
        "utterances": record(random_answers(seed, 4, groups=(fold, "cross:emovo"))).utterances,
    }
    return record(**(made | changes))


def grid() -> list[Record]:
    return [
        of("frames_gap", fold, seed, 0.5 + 0.02 * seed + 0.1 * k) for seed in (1, 2, 3) for k, fold in enumerate(FOLDS)
    ]


def test_a_figure_is_the_mean_over_seeds_of_the_mean_over_folds() -> None:
    value = over_seeds(grid(), "caller")
    assert value is not None
    assert value.mean == pytest.approx(0.5 + 0.04 + 0.1 + 0.1)
    assert value.sd == pytest.approx(0.02)
    emovo = over_seeds(grid(), "plain", cross=True)
    assert emovo is not None
    assert emovo.mean == pytest.approx(0.59)
    assert over_seeds(grid(), "telephone") is None
    clips = over_seeds(grid(), "plain", figure=clips_of)
    assert clips is not None
    assert clips.mean == pytest.approx(0.64)


def test_clips_of_several_corpora_count_together_and_windows_apart() -> None:
    streams = {"plain": {"one": figure(0.4), "two": figure(0.6), "pooled": figure(0.7)}}
    own = [of("frames_gap", "holdout", 1, 0.5, protocol="pooled4", streams=streams)]
    clips, windows = over_seeds(own, "plain", figure=clips_of), over_seeds(own, "plain")
    assert clips is not None
    assert windows is not None
    assert (clips.mean, windows.mean) == (pytest.approx(0.7), pytest.approx(0.5))


def test_a_seed_that_lacks_folds_does_not_count() -> None:
    value = over_seeds([*grid(), of("frames_gap", "emodb", 4, 0.99)], "plain")
    assert value is not None
    assert value.mean == pytest.approx(0.64)


def test_the_table_has_both_front_ends_side_by_side() -> None:
    own = [of("tfcnn_gap", fold, 1, 0.4) for fold in FOLDS]
    text = "\n".join(ideas([*grid(), *own], read_reference()))
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "`tfcnn_gap`" in line
    ]
    assert rows[0][:6] == ["TF-CNN: global average pooling", "own front end", "`tfcnn_gap`", "12.3 k", "1", "40.0"]
    assert rows[0][6] == "–"  # knows no voices
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "`frames_gap`" in line
    ]
    assert rows[0][4:7] == ["3", "64.0 ± 2.0", "74.0 ± 2.0"]
    assert "not run" in text
    assert ideas([record()], read_reference()) == []


def test_missing_folds_are_said_to_be_missing() -> None:
    text = "\n".join(ideas([of("frames_gap", "nemo", 1, 0.5)], read_reference()))
    assert "| 1, 1 of 3 folds |" in text


def test_the_report_keeps_heads_on_an_encoder_in_their_own_chapter(tmp_path: Path) -> None:
    for own in [*grid(), *(of("tfcnn_gap", fold, 1, 0.4) for fold in FOLDS)]:
        write_record(tmp_path / "records", own)
    report(tmp_path / "records", tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert text.count("\n## Each paper's idea on its own front end and on a pre-trained one\n") == 1
    assert "Other protocols: loco" not in text
    main = text.partition("## All systems")[2].partition("\n## ")[0]
    assert "frames_gap" not in main.partition("<sub>")[0]


def test_a_card_is_told_what_strangers_get(tmp_path: Path) -> None:
    told = strangers(grid(), "frames_gap")
    assert told["seeds"] == 3
    assert told["loco caller"].items() >= {"UA_windows": 0.74, "sd": 0.02}.items()
    assert told["emovo plain"].items() >= {"UA_windows": 0.59, "sd": 0.02}.items()
    assert set(told["loco caller"]) == {"UA", "UA_sd", "UA_windows", "sd"}
    assert strangers(grid(), "frames_mean") == {}


def test_records_from_before_there_were_streams_are_read(tmp_path: Path) -> None:
    path = write_record(tmp_path, record())
    text = path.read_text("utf-8")
    assert ' "streams": {},\n' in text
    path.write_text(text.replace(' "streams": {},\n', ""), "utf-8")
    assert read_record(path) == record()
