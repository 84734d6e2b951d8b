"""IEMOCAP as the University of Southern California hands it out: ``Session1`` to ``Session5``.

The speaker is read from the utterance's name (``..._F012``), never from the dialogue's, whose letter only says who wore
the markers. Its "four classes" are three different sets in the literature; each has a name here.
"""

from __future__ import annotations

import re
from pathlib import Path

from stream_ser_training.clips import Clip, CorpusError, file_sha1

SESSIONS = ("Session1", "Session2", "Session3", "Session4", "Session5")
MERGED = {"ang": "angry", "hap": "happy", "exc": "happy", "neu": "neutral", "sad": "sad"}
HAPPY_ONLY = {"ang": "angry", "hap": "happy", "neu": "neutral", "sad": "sad"}
ALL = {
    **HAPPY_ONLY, "exc": "excited", "fru": "frustrated", "fea": "fear", "sur": "surprise", "dis": "disgust", "oth": "other",
}  # fmt: skip
# Label set: what the corpus's codes become, and whether improvised dialogues alone count.
LABEL_SETS: dict[str, tuple[dict[str, str], bool]] = {
    "emotion4": (MERGED, False),  # 5531 utterances: happy with excited
    "emotion4_improvised": (MERGED, True),  # 2943
    "emotion4_improvised_happy": (HAPPY_ONLY, True),  # 2280: without excited
    "emotion": (ALL, False),
}
SUMMARY = re.compile(
    r"\[(?P<start>[\d.]+) - (?P<end>[\d.]+)\]\t(?P<name>\S+)\t(?P<code>\w+)\t"
    r"\[(?P<valence>[\d.]+), (?P<activation>[\d.]+), (?P<dominance>[\d.]+)\]"
)
NAME = re.compile(r"(?P<dialogue>Ses(?P<session>\d\d)[FM]_(?P<kind>impro|script)\w*)_(?P<sex>[FM])\w*\d")
WORDS = re.compile(r"(?P<name>Ses\S+) \[[\d.]+-[\d.]+\]:\s*(?P<text>.*)")


def read_iemocap(folder: Path, label_set: str = "emotion4") -> list[Clip]:
    """Utterances of one of ``LABEL_SETS`` (all of them, unlabelled, with ``""``), with raters' dimensions and words.

    Dimensions are the mean of the raters on 1 to 5, put on [-1, 1]. Raises CorpusError for an unknown set, a session
    or a sound that is missing, and a line that cannot be read.
    """
    if label_set and label_set not in LABEL_SETS:
        raise CorpusError(f"IEMOCAP has no label set {label_set!r}; choose one of {', '.join(LABEL_SETS)}")
    codes, improvised = LABEL_SETS.get(label_set, ({}, False))
    clips: list[Clip] = []
    for session in SESSIONS:
        ratings = folder / session / "dialog" / "EmoEvaluation"
        files = sorted(path for path in ratings.glob("Ses*.txt") if not path.name.startswith("."))
        if not files:
            raise CorpusError(f"no ratings in {ratings}; {folder} must hold {SESSIONS[0]} to {SESSIONS[-1]} complete")
        for path in files:
            clips += _dialogue(folder / session, path, codes, improvised, bool(label_set))
    if not clips:
        raise CorpusError(f"no utterance of the label set {label_set!r} in {folder}; get the corpus again")
    return clips


def _dialogue(session: Path, ratings: Path, codes: dict[str, str], improvised: bool, labelled: bool) -> list[Clip]:
    words = _transcript(session / "dialog" / "transcriptions" / ratings.name)
    clips = []
    for number, line in enumerate(ratings.read_text(encoding="latin-1").splitlines(), 1):
        if not re.match(r"\[\s*\d", line):  # the heading, one rater's own line, or nothing
            continue
        found = SUMMARY.fullmatch(line.strip())
        name = NAME.fullmatch(found["name"]) if found else None
        if not found or not name:
            raise CorpusError(
                f"{ratings}, line {number} is {line!r}; expected [start - end], utterance, emotion and "
                "[valence, activation, dominance] between tabs: get the file again"
            )
        if (labelled and found["code"] not in codes) or (improvised and name["kind"] != "impro"):
            continue
        clips.append(_clip(session, found, name, codes.get(found["code"], ""), words.get(found["name"], "")))
    return clips


def _clip(session: Path, found: re.Match[str], name: re.Match[str], label: str, words: str) -> Clip:
    path = session / "sentences" / "wav" / name["dialogue"] / f"{found['name']}.wav"
    if not path.is_file():
        raise CorpusError(f"{path} is not there, though it is rated; complete the corpus")
    activation, valence, dominance = (
        max(-1.0, min(1.0, (float(found[key]) - 3.0) / 2.0)) for key in ("activation", "valence", "dominance")
    )
    return Clip(
        corpus="iemocap",
        path=path,
        speaker=f"iemocap/Ses{name['session']}{name['sex']}",
        sex=name["sex"],
        label=label,
        duration_s=float(found["end"]) - float(found["start"]),
        fingerprint=file_sha1(path),
        session=f"Ses{name['session']}",
        transcript=words,
        dimensions=(activation, valence, dominance),
    )


def _transcript(path: Path) -> dict[str, str]:
    """Words by utterance; nothing where the dialogue has no transcript."""
    if not path.is_file():
        return {}
    found = [WORDS.fullmatch(line.strip()) for line in path.read_text(encoding="latin-1").splitlines()]
    return {item["name"]: item["text"] for item in found if item}
