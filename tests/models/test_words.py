"""Words, their numbers, and files that are not what they should be."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from stream_ser_models.words import Vocabulary, WordsError, read_glove, tokenise

LINES = ["the 0.5 1.0", ", 9.0 9.0", "do 1.5 -1.0", "n't -2.0 0.25", "well-known 7.0 7.0", "she 0.0 -0.25"]


@pytest.fixture
def glove(tmp_path: Path) -> Path:
    path = tmp_path / "vectors.txt"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't, she's HERE!", "do n't she 's here"),
        ("I can’t; I cannot", "i ca n't i can not"),
        ("wouldn't've we'll I'd I'm you're", "would n't 've we 'll i 'd i 'm you 're"),
        ("five o'clock 'quoted' well-known", "five o'clock quoted well known"),
        ("Größe Łódź 3 _under_", "größe łódź 3 under"),
        ("?! ... ' — 😀", ""),
        ("", ""),
    ],
)
def test_words_are_cut_as_glove_cuts_them(text: str, words: str) -> None:
    assert tokenise(text) == words.split()


def test_numbers_are_padded_and_the_last_words_are_kept() -> None:
    vocabulary = Vocabulary(["the", "do", "n't"])
    assert len(vocabulary) == 5
    assert vocabulary.encode("Don't the stranger", 6).tolist() == [3, 4, 2, 1, 0, 0]
    assert vocabulary.encode("Don't the stranger", 2).tolist() == [2, 1]
    assert vocabulary.encode("", 3).tolist() == [0, 0, 0]
    assert vocabulary.encode("the", 3).dtype == np.int64


@pytest.mark.parametrize("name", ["words.txt", "words.txt.gz"])
def test_a_vocabulary_comes_back_from_its_file(tmp_path: Path, name: str) -> None:
    vocabulary = Vocabulary(["straße", "n't", "a"])
    vocabulary.write(tmp_path / "words.txt")
    path = tmp_path / name
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress((tmp_path / "words.txt").read_bytes()))
    assert Vocabulary.read(path).words == vocabulary.words


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "word 1 is ''"),
        (b"a\n\nb\n", "word 2 is ''"),
        (b"a\nb c\n", "word 2 is 'b c'"),
        (b"a\r\nb\r\n", "word 1 is"),
        (b"a\nb\na\n", "'a' stands twice"),
        (b"a\n\xff\n", "get the checkpoint again"),
    ],
)
def test_bad_vocabularies_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(WordsError, match=message) as raised:
        Vocabulary.read(path)
    assert "words.txt" in str(raised.value)


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WordsError, match=r"cannot read .*words\.txt"):
        Vocabulary.read(tmp_path / "words.txt")
    (tmp_path / "words.txt.gz").write_bytes(gzip.compress(b"a\nb\n")[:-6])
    with pytest.raises(WordsError, match="get the checkpoint again"):
        Vocabulary.read(tmp_path / "words.txt.gz")
    with pytest.raises(WordsError, match="without words"):
        Vocabulary([])


@pytest.mark.parametrize("zipped", [False, True])
def test_glove_gives_words_that_the_tokeniser_can_give(glove: Path, zipped: bool) -> None:
    if zipped:
        (glove.parent / "v.txt.gz").write_bytes(gzip.compress(glove.read_bytes()))
        glove = glove.parent / "v.txt.gz"
    vocabulary, vectors = read_glove(glove)
    assert vocabulary.words == ("the", "do", "n't", "she")  # no comma, no hyphen
    assert vectors.dtype == np.float16
    assert vectors.shape == (len(vocabulary), 2)
    assert vectors[0].tolist() == [0.0, 0.0]
    assert vectors[1].tolist() == [0.0, 0.0]  # 0.5 + 1.5 − 2 + 0 and 1 − 1 + 0.25 − 0.25
    assert vectors[vocabulary.encode("n't", 1)[0]].tolist() == [-2.0, 0.25]
    assert read_glove(glove, most=2)[0].words == ("the", "do")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("he 1.0", "line 7 does not hold a word and 2 finite numbers"),
        ("he 1.0 nan", "line 7 does not hold a word and 2 finite numbers"),
        ("he 1.0 x", "give a GloVe file"),
        ("he", "line 7"),
        ("do 1.0 1.0", "'do' stands twice"),
    ],
)
def test_other_files_are_not_glove(glove: Path, line: str, message: str) -> None:
    glove.write_text("\n".join([*LINES, line]) + "\n", encoding="utf-8")
    with pytest.raises(WordsError, match=message):
        read_glove(glove)


def test_an_empty_glove_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("", encoding="utf-8")
    with pytest.raises(WordsError, match="without words"):
        read_glove(tmp_path / "v.txt")
    with pytest.raises(WordsError, match="cannot read"):
        read_glove(tmp_path / "none.txt")
