"""Activation, valence and dominance for clips whose corpora give something else, and exactly how each is made.

Coordinates of emotion words: Russell and Mehrabian 1977, "Evidence for a three-factor theory of emotions", Journal of
Research in Personality 11, 273-294, means on -1 to 1. They are norms for states that words name, not measurements of
these clips; what is learnt from them is where a clip's words would lie, no more. The numbers were checked against
quotations in later work, the article itself was not at hand; for ``relaxed`` no quotation was found, so calm's three are
the least certain. Neutral as zero is a convention, not a norm.

* CREMA-D: the mean of the coordinates over the votes of its voice-only raters, neutral counting as zero.
* RAVDESS: the coordinates of the intended emotion; for normal intensity half of them (a convention of this project), so
  that strong acting lies further out. Calm takes the coordinates of ``relaxed``.
* BAVED: three levels of arousal as activation -1, 0 and 1; valence and dominance are unknown.
* Corpora whose readers bring ratings keep them; for all others nothing is known.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stream_ser_training.clips import Clip, CorpusError

DIMENSIONS = ("activation", "valence", "dominance")
Rating = tuple[float, float, float]

COORDINATES: dict[str, Rating] = {  # activation (arousal), valence (pleasure), dominance
    "angry": (0.59, -0.51, 0.25),
    "calm": (-0.46, 0.68, 0.20),
    "disgust": (0.35, -0.60, 0.11),
    "fear": (0.60, -0.64, -0.43),
    "happy": (0.51, 0.81, 0.46),
    "neutral": (0.0, 0.0, 0.0),
    "sad": (-0.27, -0.63, -0.33),
    "surprise": (0.67, 0.40, -0.13),
}
VOTES = {"A": "angry", "D": "disgust", "F": "fear", "H": "happy", "N": "neutral", "S": "sad"}
NORMAL_INTENSITY = 0.5  # how far out a normally acted RAVDESS clip lies, of a strongly acted one
LEVELS = {"0": -1.0, "1": 0.0, "2": 1.0}


def _of_votes(row: dict[str, str]) -> Rating | None:
    counts = {emotion: float(row[f"voice_{letter}"] or 0) for letter, emotion in VOTES.items()}
    total = sum(counts.values())
    if not total:
        return None
    sums = [sum(n * COORDINATES[emotion][axis] for emotion, n in counts.items()) / total for axis in range(3)]
    return sums[0], sums[1], sums[2]


def read_votes(path: Path) -> dict[str, Rating]:
    """Ratings by clip name from CREMA-D's table of votes. Raises CorpusError when it cannot be read or lacks a column."""
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
        found = {row["stem"]: _of_votes(row) for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"cannot read {path}: {error}; the ratings are made from its votes") from error
    except (KeyError, ValueError) as error:
        raise CorpusError(f"{path} has no usable {error}; get the table of votes again") from error
    return {stem: rating for stem, rating in found.items() if rating is not None}


def rating_of(clip: Clip, votes: dict[str, Rating]) -> Rating | None:
    """What is known of one clip; NaN where a dimension is unknown, None where all are."""
    if clip.dimensions is not None:
        return clip.dimensions
    if clip.corpus == "crema_d":
        return votes.get(clip.path.stem)
    if clip.corpus == "baved" and clip.intensity in LEVELS:
        return LEVELS[clip.intensity], math.nan, math.nan
    if clip.corpus == "ravdess" and clip.label in COORDINATES and clip.intensity in ("normal", "strong"):
        share = 1.0 if clip.intensity == "strong" else NORMAL_INTENSITY
        activation, valence, dominance = (share * value for value in COORDINATES[clip.label])
        return activation, valence, dominance
    return None


def rated(clips: Sequence[Clip], root: Path) -> list[Clip]:
    """The clips with what is known of their dimensions. Raises CorpusError where CREMA-D has no table of votes."""
    votes: dict[str, Rating] = {}
    if any(clip.corpus == "crema_d" and clip.dimensions is None for clip in clips):
        votes = read_votes(root / "crema_d" / "labels_all.csv")
    return [replace(clip, dimensions=rating_of(clip, votes)) for clip in clips]
