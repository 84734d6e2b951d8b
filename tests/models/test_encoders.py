"""Encoder folders: what is refused, and with which words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from stream_ser_models.card import CheckpointError
from stream_ser_models.encoders import (
    ENCODERS,
    WEIGHTS,
    encoder_file,
    encoders,
    find_encoder,
    read_encoder,
    refuse_other,
)

NAME = "whisper-tiny.en"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ENCODERS / NAME, tmp_path / NAME))


def test_every_encoder_that_ships_has_its_files_and_its_licence() -> None:
    assert NAME in encoders()
    for name in encoders():
        folder = find_encoder(name)
        facts = read_encoder(folder)
        assert facts.name == name
        assert "LICENSE" in facts.files
        for file in facts.files:
            assert encoder_file(folder, facts, file).is_file()


def test_all_encoders_together_stay_small() -> None:
    assert sum(path.stat().st_size for path in ENCODERS.rglob("*") if path.is_file()) <= 12 * 2**20


def test_an_unknown_encoder_names_what_there_is() -> None:
    with pytest.raises(CheckpointError, match=f"no encoder 'wav2vec'; there is .*{NAME}"):
        find_encoder("wav2vec")


def test_a_changed_file_is_refused_with_both_hashes(copy: Path) -> None:
    facts = read_encoder(copy)
    with (copy / WEIGHTS).open("ab") as handle:
        handle.write(b"x")
    with pytest.raises(CheckpointError, match=f"is corrupt: SHA-256 .*{facts.files[WEIGHTS][:12]}"):
        encoder_file(copy, facts, WEIGHTS)


def test_a_missing_file_and_an_unnamed_one_are_refused(copy: Path) -> None:
    facts = read_encoder(copy)
    (copy / WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match="No such file"):
        encoder_file(copy, facts, WEIGHTS)
    with pytest.raises(CheckpointError, match=r"has no weights\.bin; it has LICENSE"):
        encoder_file(copy, facts, "weights.bin")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 9}, "format 9, this version reads 4"),
        ({"extra": 1}, "adds extra"),
        ({"pool": 0}, "has pool 0, which is no number of frames"),
        ({"files": {}}, "do not name"),
    ],
)
def test_facts_that_cannot_be_used_are_refused(copy: Path, change: dict[str, object], words: str) -> None:
    path = copy / "encoder.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CheckpointError, match=words):
        read_encoder(copy)


def test_a_head_for_another_encoder_is_refused() -> None:
    facts = read_encoder(find_encoder(NAME))
    refuse_other(facts, facts.name, facts.digest)
    with pytest.raises(CheckpointError, match="head was trained on encoder whisper-base"):
        refuse_other(facts, "whisper-base", facts.digest)
    with pytest.raises(CheckpointError, match=f"here is {NAME}"):
        refuse_other(facts, facts.name, "0" * 64)
