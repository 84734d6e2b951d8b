"""Corpora in the layout in which their owners hand them out, one file a corpus.

A reader takes the corpus's folder and the name of a label set and gives clips. ``read_corpus`` prefers a manifest, so
anyone may describe a corpus in their own words.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stream_ser_training.clips import Clip, CorpusError, read_manifest
from stream_ser_training.readers.iemocap import read_iemocap
from stream_ser_training.readers.librispeech import read_librispeech
from stream_ser_training.readers.msp_podcast import read_msp_podcast

READERS: dict[str, Callable[[Path, str], list[Clip]]] = {
    "iemocap": read_iemocap,
    "librispeech": read_librispeech,
    "msp_podcast": read_msp_podcast,
}


def read_corpus(root: Path, name: str, label_column: str = "emotion4") -> list[Clip]:
    """Clips of the corpus in ``root/name``: by its ``manifest.csv``, or else by the reader for the name's layout.

    ``label_column=""`` asks for all clips, without labels. Raises CorpusError when the folder is neither, or is
    incomplete.
    """
    folder = root / name
    if (folder / "manifest.csv").is_file() or name not in READERS:
        return read_manifest(folder, label_column)
    if not folder.is_dir():
        raise CorpusError(f"no corpus at {folder}; give the folder that holds the corpora with --data")
    return READERS[name](folder, label_column)
