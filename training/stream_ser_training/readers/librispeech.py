"""LibriSpeech as OpenSLR hands it out: ``SPEAKERS.TXT`` beside ``train-clean-100`` and its sisters.

Read speech without emotion labels, for learning what speech sounds like before learning what it expresses.
"""

from __future__ import annotations

from pathlib import Path

from stream_ser_training.clips import Clip, CorpusError


def read_librispeech(folder: Path, label_set: str = "") -> list[Clip]:
    """Every utterance of every part that is there, with its words and without a label.

    The path stands for the sound as ``fingerprint``: no utterance is there twice, and hashing 6 GB takes minutes.
    Raises CorpusError when labels are asked for, the folder is something else, or a speaker or utterance is unknown.
    """
    if label_set:
        raise CorpusError(f"LibriSpeech has no labels {label_set!r}; use it for pre-training, without labels")
    sexes = _speakers(folder / "SPEAKERS.TXT")
    clips = []
    for path in sorted(folder.glob("*-*/*/*/*.trans.txt")):
        speaker = path.parent.parent.name
        if speaker not in sexes:
            raise CorpusError(
                f"{folder / 'SPEAKERS.TXT'} has no speaker {speaker} of {path.parent}; get the file again"
            )
        clips += _chapter(path, speaker, sexes[speaker])
    if not clips:
        raise CorpusError(f"no utterance in {folder}; expected train-clean-100/SPEAKER/CHAPTER/*.flac and *.trans.txt")
    return clips


def _speakers(path: Path) -> dict[str, str]:
    """Sex of every reader."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"cannot read {path}: {error}; give the folder LibriSpeech of the archive") from error
    sexes = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(";"):
            continue
        fields = [field.strip() for field in line.split("|", 4)]
        if len(fields) != 5 or not fields[0].isdigit() or fields[1] not in ("F", "M"):
            raise CorpusError(f"{path}, line {number} is {line!r}; expected ID | SEX | SUBSET | MINUTES | NAME")
        sexes[fields[0]] = fields[1]
    return sexes


def _chapter(transcripts: Path, speaker: str, sex: str) -> list[Clip]:
    clips = []
    for number, line in enumerate(transcripts.read_text(encoding="utf-8").splitlines(), 1):
        name, _, words = line.partition(" ")
        path = transcripts.parent / f"{name}.flac"
        if not words or not name.startswith(f"{speaker}-"):
            raise CorpusError(f"{transcripts}, line {number} is {line!r}; expected {speaker}-CHAPTER-NUMBER and words")
        if not path.is_file():
            raise CorpusError(f"{path} is not there, though it has a transcript; complete the corpus")
        fingerprint = f"librispeech/{name}"
        clips.append(Clip("librispeech", path, f"librispeech/{speaker}", sex, "", 0.0, fingerprint, transcript=words))
    return clips
