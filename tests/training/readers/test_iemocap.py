"""IEMOCAP in its true layout."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_ser_training.clips import CorpusError
from stream_ser_training.readers.iemocap import LABEL_SETS, read_iemocap

HEAD = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
RATER = "C-E1:\tAnger;\t()\nA-E3:\tval 2; act 4; dom  4;\t()\n\n"
TURNS = (
    ("impro01", "F000", "hap"),
    ("impro01", "M000", "exc"),
    ("impro01", "F001", "xxx"),
    ("script01_1b", "M001", "ang"),
)


def tree(folder: Path) -> Path:
    """Four turns in each of five sessions; the woman wears the markers in all of them."""
    for session in range(1, 6):
        home = folder / f"Session{session}"
        for kind in ("impro01", "script01_1b"):
            dialogue = f"Ses0{session}F_{kind}"
            turns = [(turn, code) for where, turn, code in TURNS if where == kind]
            ratings = home / "dialog" / "EmoEvaluation" / f"{dialogue}.txt"
            words = home / "dialog" / "transcriptions" / f"{dialogue}.txt"
            sounds = home / "sentences" / "wav" / dialogue
            for place in (ratings.parent, words.parent, sounds):
                place.mkdir(parents=True, exist_ok=True)
            rated, said = HEAD, ""
            for turn, code in turns:
                rated += f"[6.2901 - 8.2357]\t{dialogue}_{turn}\t{code}\t[1.5000, 4.0000, 5.0000]\n{RATER}"
                said += f"{dialogue}_{turn} [006.2901-008.2357]: Excuse me.\n"
                level = 0.01 * session + 0.001 * len(list(sounds.iterdir())) + 0.0001 * (kind == "impro01")
                soundfile.write(sounds / f"{dialogue}_{turn}.wav", np.full(400, level, np.float32), 16_000)
            ratings.write_text(rated, "utf-8")
            words.write_text(said, "utf-8")
    return folder


def test_the_speaker_is_the_utterances_and_dimensions_are_put_in_order(tmp_path: Path) -> None:
    clip = next(clip for clip in read_iemocap(tree(tmp_path)) if clip.path.stem == "Ses01F_impro01_M000")
    assert (clip.speaker, clip.sex, clip.session, clip.label) == ("iemocap/Ses01M", "M", "Ses01", "happy")
    assert clip.dimensions == (0.5, -0.75, 1.0)  # activation 4, valence 1.5, dominance 5
    assert clip.duration_s == pytest.approx(1.9456)
    assert clip.transcript == "Excuse me."


@pytest.mark.parametrize(
    ("label_set", "counts"),
    [
        ("emotion4", {"happy": 10, "angry": 5}),
        ("emotion4_improvised", {"happy": 10}),
        ("emotion4_improvised_happy", {"happy": 5}),
        ("emotion", {"happy": 5, "excited": 5, "angry": 5}),
        ("", {"": 20}),
    ],
)
def test_label_sets(tmp_path: Path, label_set: str, counts: dict[str, int]) -> None:
    clips = read_iemocap(tree(tmp_path), label_set)
    assert Counter(clip.label for clip in clips) == counts
    assert len({clip.speaker for clip in read_iemocap(tmp_path, "")}) == 10


def test_an_unknown_label_set(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=f"no label set 'five'; choose one of {', '.join(LABEL_SETS)}"):
        read_iemocap(tree(tmp_path), "five")


def test_an_incomplete_session(tmp_path: Path) -> None:
    for path in (tree(tmp_path) / "Session4" / "dialog" / "EmoEvaluation").iterdir():
        path.unlink()
    with pytest.raises(CorpusError, match=r"no ratings in .*Session4.*must hold Session1 to Session5"):
        read_iemocap(tmp_path)


def test_a_missing_sound(tmp_path: Path) -> None:
    next(tree(tmp_path).rglob("Ses02F_script01_1b_M001.wav")).unlink()
    with pytest.raises(CorpusError, match=r"Ses02F_script01_1b_M001\.wav is not there, though it is rated"):
        read_iemocap(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"), [("\thap\t", " hap "), ("[1.5000, 4.0000", "[1.5000"), ("impro01_F000", "turn1")]
)
def test_a_malformed_line(tmp_path: Path, old: str, new: str) -> None:
    path = next(tree(tmp_path).rglob("EmoEvaluation/Ses03F_impro01.txt"))
    path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(CorpusError, match=r"Ses03F_impro01.txt, line 3 is .*expected \[start - end\]"):
        read_iemocap(tmp_path)
