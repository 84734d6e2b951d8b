"""MSP-Podcast in its true layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_ser_training.clips import CorpusError
from stream_ser_training.readers.msp_podcast import COLUMNS, read_msp_podcast

ROWS = (
    ("MSP-PODCAST_0001_0008.wav", "N", "4", "5.5", "7", "97", "Female", "Test1"),
    ("MSP-PODCAST_0001_0019.wav", "H", "1", "4", "4", "128", "Male", "Train"),
    ("MSP-PODCAST_0002_0033.wav", "C", "4", "4", "4", "128", "Male", "Train"),
    ("MSP-PODCAST_0002_0039.wav", "A", "4", "4", "4", "Unknown", "Male", "Train"),
)


def tree(folder: Path, table: str = "labels_consensus.csv") -> Path:
    (folder / "Audios").mkdir()
    (folder / "Labels").mkdir()
    lines = [",".join(row) for row in (COLUMNS, *ROWS)]
    (folder / "Labels" / table).write_text("\n".join(lines) + "\n", "utf-8")
    for number, row in enumerate(ROWS, 1):
        soundfile.write(folder / "Audios" / row[0], np.full(400, 0.1 * number, np.float32), 16_000)
    return folder


@pytest.mark.parametrize("table", ["labels_consensus.csv", "labels_concensus.csv"])
def test_segments_of_known_speakers(tmp_path: Path, table: str) -> None:
    first, second = read_msp_podcast(tree(tmp_path, table))
    assert (first.speaker, first.sex, first.label, first.session) == ("msp_podcast/97", "F", "neutral", "Test1")
    assert first.dimensions == (0.0, 0.5, 1.0)  # activation, valence, dominance
    assert (second.label, second.dimensions) == ("happy", (-1.0, 0.0, 0.0))
    assert [clip.label for clip in read_msp_podcast(tmp_path, "emotion")] == ["neutral", "happy", "contempt"]
    assert [clip.label for clip in read_msp_podcast(tmp_path, "")] == ["", "", ""]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("EmoVal,EmoDom", "Valence,Dominance", "has no column EmoVal, EmoDom"),
        ("0001_0008", "0001_0009", "line 2 names 'MSP-PODCAST_0001_0009.wav', which is not in Audios"),
        ("N,4,5.5", "N,4,high", "line 2 has no numbers"),
        ("N,4,5.5", "N,4,", "line 2 has no numbers"),
        ("N,4,5.5", "N,4,nan", "line 2 rates outside 1 to 7"),
        ("N,4,5.5", "N,4,55", "line 2 rates outside 1 to 7"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tree(tmp_path) / "Labels" / "labels_consensus.csv"
    assert old in path.read_text("utf-8")
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(CorpusError, match=words):
        read_msp_podcast(tmp_path)


def test_an_unknown_label_set(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no label set 'five'; choose one of emotion4, emotion"):
        read_msp_podcast(tree(tmp_path), "five")
