"""LibriSpeech in its true layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_ser_training.clips import CorpusError
from stream_ser_training.corpora import load
from stream_ser_training.readers.librispeech import read_librispeech

SPEAKERS = """; Some pipe(|) separated metadata
;
;ID  |SEX| SUBSET           |MINUTES| NAME
19   | F | train-clean-100  | 25.19 | Kara Shallenberg
26   | M | train-clean-100  | 25.08 | Denny Sayers
"""
LINES = {("19", "198"): ["HEAR ME", "AND AGAIN"], ("26", "495"): ["MY TURN"]}


def tree(folder: Path) -> Path:
    """Two readers, three utterances."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SPEAKERS.TXT").write_text(SPEAKERS, "utf-8")
    for (speaker, chapter), lines in LINES.items():
        home = folder / "train-clean-100" / speaker / chapter
        home.mkdir(parents=True)
        names = [f"{speaker}-{chapter}-{number:04d}" for number in range(len(lines))]
        for name in names:
            soundfile.write(home / f"{name}.flac", np.full(800, 0.1, np.float32), 16_000)
        text = "".join(f"{name} {line}\n" for name, line in zip(names, lines, strict=True))
        (home / f"{speaker}-{chapter}.trans.txt").write_text(text, "utf-8")
    return folder


def test_utterances_with_words_and_readers(tmp_path: Path) -> None:
    clips = read_librispeech(tree(tmp_path))
    assert [(clip.speaker, clip.sex, clip.label, clip.transcript) for clip in clips] == [
        ("librispeech/19", "F", "", "HEAR ME"),
        ("librispeech/19", "F", "", "AND AGAIN"),
        ("librispeech/26", "M", "", "MY TURN"),
    ]
    assert len({clip.fingerprint for clip in clips}) == 3
    assert len(load(clips[0])) == 800


def spoil(folder: Path, name: str, old: str, new: str) -> Path:
    path = next(folder.rglob(name))
    assert old in path.read_text("utf-8")
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("SPEAKERS.TXT", "26   | M |", "26   , M ,", "line 5 is .* expected ID | SEX"),
        ("SPEAKERS.TXT", "26   |", "27   |", "has no speaker 26"),
        ("26-495.trans.txt", "MY TURN", "", "line 1 is .*expected 26-CHAPTER-NUMBER and words"),
        ("26-495.trans.txt", "26-495-0000", "26-495-0009", "26-495-0009.flac is not there"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, old: str, new: str, words: str) -> None:
    with pytest.raises(CorpusError, match=words):
        read_librispeech(spoil(tree(tmp_path), name, old, new))


def test_it_has_no_labels_to_give(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no labels 'emotion4'; use it for pre-training"):
        read_librispeech(tree(tmp_path), "emotion4")
