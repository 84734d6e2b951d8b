"""Which reader reads a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream_ser_training.clips import CorpusError
from stream_ser_training.corpora import read_corpora
from stream_ser_training.readers import READERS, read_corpus
from tests.training.conftest import write_corpus
from tests.training.readers.test_librispeech import tree

TONE = np.full(1_600, 0.1, np.float32)


def test_a_manifest_comes_before_the_layout(tmp_path: Path) -> None:
    tree(tmp_path / "librispeech")
    assert len(read_corpus(tmp_path, "librispeech", "")) == 3
    write_corpus(tmp_path / "librispeech", [{"file": "a.wav", "speaker": "1", "emotion4": "sad", "samples": TONE}])
    assert [clip.label for clip in read_corpora(tmp_path, ["librispeech"])] == ["sad"]


@pytest.mark.parametrize("name", READERS)
def test_a_folder_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(CorpusError, match=f"no corpus at {tmp_path / name}; give the folder"):
        read_corpus(tmp_path, name, "")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("iemocap", "must hold Session1 to Session5"),
        ("msp_podcast", "expected Audios and Labels/labels_consensus.csv"),
        ("librispeech", "give the folder LibriSpeech of the archive"),
        ("mine", "no manifest at"),
    ],
)
def test_an_empty_folder_names_what_was_expected(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(CorpusError, match=words):
        read_corpus(tmp_path, name, "")
