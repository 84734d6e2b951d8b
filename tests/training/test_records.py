from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream_ser_training.records import RecordError, read_record, read_records, utterance_row, write_record
from tests.training.made_up import random_answers, record


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    made = record(random_answers(1, 4), dimensions={"one": {"activation": 0.5}}, notes={"window_ms": 3.5})
    path = write_record(tmp_path / "new", made)
    assert path.name == "cnn_bilstm__pooled4__holdout__s1.json"
    assert read_record(path) == made
    assert [item.name for item in path.parent.iterdir()] == [path.name]  # nothing half-written is left


def test_records_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for seed in (3, 1, 2):
        write_record(tmp_path, record(seed=seed))
    assert [item.seed for item in read_records(tmp_path)] == [1, 2, 3]


def test_probabilities_are_rounded() -> None:
    assert utterance_row("a", "F", 1, "one", [1 / 3, 2 / 3])[4] == [0.3333, 0.6667]


def test_240_utterances_stay_small(tmp_path: Path) -> None:
    labels = [f"emotion{place}" for place in range(8)]
    path = write_record(tmp_path, record(random_answers(1, 8, 240), labels=labels))
    assert path.stat().st_size < 60_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot read"),
        ("[]", "format 'list'"),
        ('{"format": 7}', "format 7, this version reads 1"),
        ('{"format": 1}', "lacks or adds .*architecture"),
    ],
)
def test_what_is_no_record_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecordError, match=said) as caught:
        read_records(tmp_path)
    assert "broken.json" in str(caught.value)
    assert "run its command again" in str(caught.value)


@pytest.mark.parametrize(
    ("utterances", "said"),
    [
        ([["one/a", "F", 4, "one", [0.25] * 4]], "utterance 1"),
        ([["one/a", "F", 0, "one", [0.25] * 4], ["one/a", "F", 0, "one", [0.5, 0.5]]], "utterance 2"),
        ([["one/a", "F", 0]], "utterance 1"),
        (["angry"], "utterance 1"),
    ],
)
def test_an_utterance_that_does_not_fit_the_labels_is_named(
    tmp_path: Path, utterances: list[object], said: str
) -> None:
    path = write_record(tmp_path, record())
    data = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**data, "utterances": utterances}), encoding="utf-8")
    with pytest.raises(RecordError, match=said):
        read_record(path)


def test_a_value_of_another_kind_is_named(tmp_path: Path) -> None:
    path = write_record(tmp_path, record())
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "curve": None}), encoding="utf-8")
    with pytest.raises(RecordError, match="has curve None, which is no list"):
        read_record(path)


def test_an_empty_folder_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="python -m training fit"):
        read_records(tmp_path / "nothing")
