"""How votes, intensity and levels become three numbers."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from stream_ser_training.clips import Clip, CorpusError, read_manifest
from stream_ser_training.targets import COORDINATES, rated, rating_of, read_votes

HEADER = "stem,voice_A,voice_D,voice_F,voice_H,voice_N,voice_S\n"


def clip(corpus: str, label: str = "", intensity: str = "", name: str = "x.flac", **more: object) -> Clip:
    return Clip(corpus, Path(name), f"{corpus}/s", "", label, 1.0, name, intensity=intensity, **more)  # type: ignore[arg-type]


def test_votes_are_averaged_with_neutral_as_zero(tmp_path: Path) -> None:
    path = tmp_path / "labels_all.csv"
    path.write_text(HEADER + "one,3,0,0,0,1,0\nnobody,0,0,0,0,0,0\ntwo,0,0,0,1,0,1\n", "utf-8")
    votes = read_votes(path)
    assert votes["one"] == pytest.approx([0.75 * value for value in COORDINATES["angry"]])
    both = [(a + b) / 2 for a, b in zip(COORDINATES["happy"], COORDINATES["sad"], strict=True)]
    assert votes["two"] == pytest.approx(both)
    assert "nobody" not in votes
    assert rating_of(clip("crema_d", "sad", name="two.ogg"), votes) == votes["two"]  # heard, not intended
    assert rating_of(clip("crema_d", "sad", name="three.ogg"), votes) is None


def test_normal_acting_lies_half_as_far_out() -> None:
    strong, normal = (rating_of(clip("ravdess", "fear", how), {}) for how in ("strong", "normal"))
    assert strong == COORDINATES["fear"]
    assert normal == pytest.approx([value / 2 for value in COORDINATES["fear"]])
    assert rating_of(clip("ravdess", "neutral", "normal"), {}) == (0.0, 0.0, 0.0)


def test_levels_of_arousal_say_nothing_of_valence() -> None:
    ratings = [rating_of(clip("baved", "x", level), {}) for level in ("0", "1", "2")]
    assert [rating[0] for rating in ratings if rating] == [-1.0, 0.0, 1.0]
    assert all(rating and math.isnan(rating[1]) and math.isnan(rating[2]) for rating in ratings)


def test_ratings_of_the_corpus_itself_come_first_and_the_rest_is_unknown() -> None:
    own = (0.1, 0.2, 0.3)
    assert rating_of(clip("ravdess", "fear", "strong", dimensions=own), {}) == own
    assert rating_of(clip("emodb", "angry"), {}) is None
    assert rated([clip("emodb", "angry")], Path("nowhere"))[0].dimensions is None


def test_every_rating_is_on_the_scale() -> None:
    assert all(-1.0 <= value <= 1.0 for rating in COORDINATES.values() for value in rating)


@pytest.mark.parametrize(
    ("text", "words"),
    [("stem,voice_A\none,3\n", "no usable 'voice_D'"), (HEADER + "one,a,0,0,0,1,0\n", "no usable could not convert")],
)
def test_a_table_of_votes_that_cannot_be_used(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "labels_all.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(CorpusError, match=words):
        read_votes(path)


def test_a_missing_table_of_votes(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="the ratings are made from its votes"):
        rated([clip("crema_d", "sad")], tmp_path)


def test_real_votes() -> None:
    root = os.environ.get("STREAM_SER_DATA")
    if not root or not (Path(root) / "crema_d" / "labels_all.csv").is_file():
        pytest.skip("STREAM_SER_DATA names no folder that holds crema_d")
    clips = rated(read_manifest(Path(root) / "crema_d"), Path(root))
    known = [item.dimensions for item in clips if item.dimensions is not None]
    assert len(known) > 0.99 * len(clips)
    mean = {
        label: [d[1] for item in clips if item.label == label and (d := item.dimensions)] for label in ("happy", "sad")
    }
    assert sum(mean["happy"]) / len(mean["happy"]) > sum(mean["sad"]) / len(mean["sad"])
