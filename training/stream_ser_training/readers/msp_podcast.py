"""MSP-Podcast as the University of Texas at Dallas hands it out: ``Audios`` and ``Labels``.

Speakers whom nobody identified are left out: no protocol could keep them on one side.
"""

from __future__ import annotations

from pathlib import Path

from stream_ser_training.clips import Clip, CorpusError, file_sha1, read_table

TABLES = ("labels_consensus.csv", "labels_concensus.csv")  # releases spell it both ways
COLUMNS = ("FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set")
FOUR = {"A": "angry", "H": "happy", "N": "neutral", "S": "sad"}
EIGHT = {**FOUR, "U": "surprise", "F": "fear", "D": "disgust", "C": "contempt"}
LABEL_SETS = {"emotion4": FOUR, "emotion": EIGHT}


def read_msp_podcast(folder: Path, label_set: str = "emotion4") -> list[Clip]:
    """Segments of one of ``LABEL_SETS`` (all, unlabelled, with ``""``) by known speakers, with raters' dimensions.

    Dimensions are the mean of the raters on 1 to 7, put on [-1, 1]; ``session`` is the corpus's own partition (Train,
    Development, Test1 ...). Raises CorpusError for an unknown set, an incomplete folder, and a row that cannot be read.
    """
    if label_set and label_set not in LABEL_SETS:
        raise CorpusError(f"MSP-Podcast has no label set {label_set!r}; choose one of {', '.join(LABEL_SETS)}")
    path = next((p for p in (folder / "Labels" / name for name in TABLES) if p.is_file()), None)
    if path is None or not (folder / "Audios").is_dir():
        raise CorpusError(
            f"{folder} is no MSP-Podcast: expected Audios and Labels/{TABLES[0]}; give the release's folder"
        )
    columns, table = read_table(path)
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise CorpusError(f"{path} has no column {', '.join(missing)}; it needs {', '.join(COLUMNS)}")
    codes = LABEL_SETS.get(label_set, {})
    clips = [
        _clip(folder, path, number, row, codes.get(row["EmoClass"], ""))
        for number, row in enumerate(table, 2)
        if (row["EmoClass"] in codes or not label_set) and row["SpkrID"] not in ("", "Unknown")
    ]
    if not clips:
        raise CorpusError(
            f"{path} has no segment of the label set {label_set!r} by a known speaker; get the file again"
        )
    return clips


def _clip(folder: Path, table: Path, number: int, row: dict[str, str], label: str) -> Clip:
    path = folder / "Audios" / (row["FileName"] or "")
    if not path.is_file():
        raise CorpusError(
            f"{table}, line {number} names {row['FileName']!r}, which is not in Audios; complete the corpus"
        )
    try:
        activation, valence, dominance = ((float(row[key]) - 4.0) / 3.0 for key in ("EmoAct", "EmoVal", "EmoDom"))
    except (TypeError, ValueError) as error:
        raise CorpusError(f"{table}, line {number} has no numbers in EmoAct, EmoVal and EmoDom: {error}") from error
    if not all(abs(value) <= 1.0 for value in (activation, valence, dominance)):
        raise CorpusError(f"{table}, line {number} rates outside 1 to 7; get the file again")
    return Clip(
        corpus="msp_podcast",
        path=path,
        speaker=f"msp_podcast/{row['SpkrID']}",
        sex={"Female": "F", "Male": "M"}.get(row["Gender"], ""),
        label=label,
        duration_s=0.0,
        fingerprint=file_sha1(path),
        session=row["Split_Set"] or "",
        dimensions=(activation, valence, dominance),
    )
