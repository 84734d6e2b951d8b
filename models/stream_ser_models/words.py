"""From what was said to word numbers: the tokeniser, and the vocabulary that lies beside a checkpoint's weights.

Number 0 is padding, 1 any word that the vocabulary lacks, 2 and up the vocabulary's words in order. Words are cut as GloVe
cuts them: lower case, ``don't`` as ``do n't``, ``she's`` as ``she 's``. Punctuation is left out, because recognisers give
none. Readable without torch; the vectors that belong to the words are among the network's weights.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Self

import numpy as np
import numpy.typing as npt

WORDS = "words.txt"  # its name in a checkpoint's folder
PADDING, UNKNOWN = 0, 1
FIRST = 2  # number of the first word

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'"})
_ENDS = ("n't", "'s", "'re", "'ve", "'ll", "'d", "'m")
_CONTRACTION = re.compile(f"(.+)({'|'.join(_ENDS)})")


class WordsError(Exception):
    """A vocabulary or file of word vectors that cannot be used; the text says where and what to do."""


def tokenise(text: str) -> list[str]:
    """Words in GloVe's manner, without punctuation: ``"Don't, she's HERE!"`` is do, n't, she, 's, here."""
    words: list[str] = []
    for word in _WORD.findall(text.lower().translate(_APOSTROPHES)):
        ends: list[str] = []
        while found := _CONTRACTION.fullmatch(word):
            word = found[1]
            ends.insert(0, found[2])
        words += ["can", "not"] if word == "cannot" else [word]
        words += ends
    return words


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="\n")
    return path.open(encoding="utf-8", newline="\n")


class Vocabulary:
    """Words with their numbers. ``len`` counts padding and unknown too, as the network's config does."""

    def __init__(self, words: Sequence[str]) -> None:
        """Number the words from 2. Raises WordsError for none, an empty one, one with a space in it, or one given twice."""
        self.words = tuple(words)
        self._numbers = {word: number for number, word in enumerate(self.words, FIRST)}
        if not self.words:
            raise WordsError("a vocabulary without words; give at least one")
        for number, word in enumerate(self.words, FIRST):
            if not word or any(character.isspace() for character in word):
                raise WordsError(f"word {number - FIRST + 1} is {word!r}; words have letters and no space")
            if self._numbers[word] != number:
                raise WordsError(f"{word!r} stands twice in the vocabulary; keep one")

    def __len__(self) -> int:
        return len(self.words) + FIRST

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read one word a line, gzipped if the name ends in ``.gz``. Raises WordsError when it cannot be used."""
        try:
            with _open(path) as handle:
                return cls(handle.read().removesuffix("\n").split("\n"))
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise WordsError(f"cannot read {path}: {error}; get the checkpoint again") from error
        except WordsError as error:
            raise WordsError(f"{path}: {error}") from error

    def write(self, path: Path) -> None:
        """Write one word a line, UTF-8."""
        path.write_text("\n".join(self.words) + "\n", encoding="utf-8", newline="\n")

    def numbers(self, words: Sequence[str], count: int) -> npt.NDArray[np.int64]:
        """Numbers (count,) of words, padded at the end; of more words than that, the last ones."""
        known = [self._numbers.get(word, UNKNOWN) for word in words[-count:]]
        return np.array(known + [PADDING] * (count - len(known)), dtype=np.int64)

    def encode(self, text: str, count: int) -> npt.NDArray[np.int64]:
        """Numbers (count,) of what ``tokenise`` finds in a text."""
        return self.numbers(tokenise(text), count)


def read_glove(path: Path, most: int | None = None) -> tuple[Vocabulary, npt.NDArray[np.float16]]:
    """Read a GloVe text file, gzipped if its name ends in ``.gz``: a word and its numbers a line, most frequent word first.

    Returns the first ``most`` words (all by default) that ``tokenise`` can give, and vectors (len(vocabulary), width) for
    padding (zeros), unknown (the mean of all) and the words. Raises WordsError for a file that is not of this kind.
    """
    words: list[str] = []
    rows: list[npt.NDArray[np.float32]] = []
    try:
        with _open(path) as handle:
            for place, line in enumerate(handle, 1):
                word, *values = line.rstrip("\n").split(" ")
                row = np.array(values, dtype=np.float32)
                if row.size == 0 or (rows and len(row) != len(rows[0])) or not np.isfinite(row).all():
                    width = len(rows[0]) if rows else "some"
                    what = f"{path} line {place} does not hold a word and {width} finite numbers"
                    raise WordsError(f"{what}; give a GloVe file such as glove.6B.50d.txt")
                if word not in _ENDS and tokenise(word) != [word]:
                    continue
                words.append(word)
                rows.append(row)
                if len(words) == most:
                    break
    except (OSError, EOFError, UnicodeDecodeError, ValueError) as error:
        raise WordsError(f"cannot read {path}: {error}; give a GloVe file such as glove.6B.50d.txt") from error
    vocabulary = Vocabulary(words)
    known = np.stack(rows)
    vectors = np.concatenate([np.zeros_like(known[:1]), known.mean(axis=0, keepdims=True), known])
    return vocabulary, vectors.astype(np.float16)
