"""Written comments labelled with what they express: GoEmotions, for the branch that reads words.

Demszky et al., "GoEmotions: A Dataset of Fine-Grained Emotions", ACL 2020: comments of an English forum, labelled by
readers; here in its grouping by Ekman's emotions. A comment with more than one label is dropped; joy becomes happy, anger
angry, sadness sad, neutral stays, and disgust, fear and surprise are dropped. Train, validation and test are the published
ones, less the comments whose words also stand on a later side: short replies occur many times.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_ser_models.words import FIRST, UNKNOWN, Vocabulary, read_glove, tokenise
from stream_ser_training.clips import CorpusError

EMOTIONS = {"angry": "anger", "happy": "joy", "neutral": "neutral", "sad": "sadness"}  # our label to GoEmotions'
SIDES = {"train": "train", "validation": "dev", "test": "test"}  # our name of a side to the file's
FOLDER, GLOVE = Path("text/goemotions"), Path("text/glove")
LICENCE = "Apache-2.0 (GoEmotions), PDDL (GloVe)"

_REMOVED = re.compile(r"\[[A-Z]+\]")  # [NAME], [RELIGION]: what the corpus hides
_HIDDEN = "hiddenname"  # a word that no vocabulary has

Tokens = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Comments:
    """One side: each comment's words as ``tokenise`` gives them, and label indices (N,)."""

    words: tuple[tuple[str, ...], ...]
    labels: Indices

    def tokens(self, vocabulary: Vocabulary, count: int) -> Tokens:
        """Word numbers (N, count)."""
        return np.stack([vocabulary.numbers(words, count) for words in self.words])


def _rows(path: Path) -> list[tuple[str, str]]:
    """Texts and label fields of one file."""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as handle:
            lines = handle.read().removesuffix("\n").split("\n")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise CorpusError(f"cannot read {path}: {error}; get goemotions again") from error
    rows = []
    for place, line in enumerate(lines, 1):
        fields = line.split("\t")
        if len(fields) != 3 or not all(number.isdigit() for number in fields[1].split(",")):
            raise CorpusError(f"{path} line {place} is not a text, label numbers and an id; get goemotions again")
        rows.append((fields[0], fields[1]))
    return rows


def read_comments(data: Path, labels: Sequence[str]) -> dict[str, Comments]:
    """Sides train, validation and test of the comments that express one of ``labels``.

    No two sides share a comment's words. Raises CorpusError for a missing or malformed file and for a label that the corpus
    does not have.
    """
    folder = data / FOLDER
    unknown = set(labels) - set(EMOTIONS)
    if unknown:
        raise CorpusError(f"goemotions has no label {', '.join(sorted(unknown))}; choose from {', '.join(EMOTIONS)}")
    try:
        names = (folder / "labels.txt").read_text(encoding="utf-8").split()
        numbers = {str(names.index(EMOTIONS[label])): index for index, label in enumerate(labels)}
    except (OSError, ValueError) as error:
        raise CorpusError(f"cannot read {folder / 'labels.txt'}: {error}; get goemotions again") from error
    sides: dict[str, Comments] = {}
    later: set[tuple[str, ...]] = set()
    for side in ("test", "validation", "train"):
        chosen: list[tuple[str, ...]] = []
        indices: list[int] = []
        for text, field in _rows(folder / f"{SIDES[side]}.tsv.gz"):
            words = tuple(tokenise(_REMOVED.sub(_HIDDEN, text)))
            if field in numbers and words and words not in later:
                chosen.append(words)
                indices.append(numbers[field])
        later.update(chosen)
        sides[side] = Comments(tuple(chosen), np.array(indices, dtype=np.int64))
        absent = [label for index, label in enumerate(labels) if index not in indices]
        if absent:
            raise CorpusError(f"no {side} comment expresses {', '.join(absent)}; get goemotions again")
    return sides


def glove_file(data: Path) -> Path:
    """The file of word vectors beside the comments. Raises CorpusError unless there is exactly one."""
    found = sorted([*(data / GLOVE).glob("*.txt"), *(data / GLOVE).glob("*.txt.gz")])
    if len(found) != 1:
        raise CorpusError(f"{data / GLOVE} holds {len(found)} files of word vectors; put one GloVe file there")
    return found[0]


def frequent_words(comments: Comments, glove: Path, most: int) -> tuple[Vocabulary, npt.NDArray[np.float16]]:
    """Vocabulary of the ``most`` most frequent words of the comments, and vectors as ``read_glove`` gives them.

    People talk more like comments than like the encyclopaedia and the newspapers that GloVe counted: many words that tell
    (oaths, lol, awesome) are not among its most frequent. A word that the file lacks begins as the unknown word's vector,
    and is told from it by tuning. Raises WordsError for a bad file of vectors.
    """
    known, vectors = read_glove(glove)
    places = {word: place for place, word in enumerate(known.words, FIRST)}
    counts = Counter(word for words in comments.words for word in words)
    order = sorted(counts, key=lambda word: (-counts[word], word))[:most]
    rows = [*range(FIRST), *(places.get(word, UNKNOWN) for word in order)]
    return Vocabulary(order), vectors[rows]
