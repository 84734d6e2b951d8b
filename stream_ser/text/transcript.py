"""Words from a transcript that lies beside a recording, given out only when their end has been heard.

Three kinds of file, told apart by their names: ``.jsonl`` with ``start_s``, ``end_s`` and ``word`` a line; ``.csv`` and
``.tsv`` with these three columns, in any order under a header that names them, or in this order without one; ``.vtt`` and
``.srt`` subtitles. Where one entry holds several words, its time is shared out evenly among them.
"""

from __future__ import annotations

import bisect
import csv
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stream_ser.errors import ConfigError
from stream_ser.types import SAMPLE_RATE, Samples, Word

FIELDS = ("start_s", "end_s", "word")
KINDS = (".jsonl", ".csv", ".tsv", ".vtt", ".srt")
_TIME = r"(?:(\d+):)?(\d+):(\d+)[.,](\d{1,3})"
_CUE = re.compile(rf"{_TIME}\s+-->\s+{_TIME}(?:\s.*)?")
_TAG = re.compile(r"<[^>]*>|\{[^}]*\}")

TranscriptEntry = tuple[int, float, float, str]  # line, start and end in seconds, what was said


class Transcript:
    """A transcript as a recogniser that knows everything and tells nothing early. Read with ``read_transcript``."""

    name = "transcript"

    def __init__(self, words: list[Word]) -> None:
        self._words = sorted(words, key=lambda word: (word.end, word.start))
        self._ends = [word.end for word in self._words]

    def hear(self, samples: Samples, end: int) -> None:
        """Nothing: the words are known."""

    def rest(self) -> None:
        """Nothing."""

    def words(self, until: int, span: int) -> list[Word]:
        """See ``Recogniser.words``."""
        first, last = bisect.bisect_right(self._ends, until - span), bisect.bisect_right(self._ends, until)
        return self._words[first:last]

    def reset(self, at: int) -> None:
        """Nothing: what a recording lacks was said all the same."""

    def close(self) -> None:
        """Nothing is open."""


def read_transcript(path: Path) -> list[Word]:
    """The words of a transcript. Raises ConfigError for a file that is missing, of no known kind, or wrong in a line."""
    reader = {".jsonl": _json_lines, ".csv": _table, ".tsv": _table, ".vtt": _cues, ".srt": _cues}.get(
        path.suffix.lower()
    )
    if reader is None:
        raise ConfigError(f"{path} is no transcript that can be read", fix=f"give a file ending in {', '.join(KINDS)}")
    try:
        text = path.read_text("utf-8-sig")
        words = [word for entry in reader(text, path) for word in _share(path, *entry)]
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", fix="check the path") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} is not text: {error}", fix="give a transcript in UTF-8") from error
    if not words:
        raise ConfigError(f"{path} has no words", fix="give a transcript of this recording, or leave it out")
    return words


def _wrong(path: Path, line: int, seen: object, fix: str = f"give {', '.join(FIELDS)}") -> ConfigError:
    return ConfigError(f"{path} line {line} is not an entry: {str(seen)[:80]!r}", fix=fix)


def _share(path: Path, line: int, start_s: float, end_s: float, said: str) -> Iterator[Word]:
    """An entry's words, its time shared out evenly."""
    if not 0.0 <= start_s < end_s < math.inf:
        raise _wrong(path, line, f"{start_s:g} to {end_s:g} s", "give times in seconds, the end after the start")
    words = said.split()
    edges = [round((start_s + (end_s - start_s) * i / max(1, len(words))) * SAMPLE_RATE) for i in range(len(words) + 1)]
    for number, word in enumerate(words):
        yield Word(word, edges[number], edges[number + 1])


def _entry(path: Path, line: int, values: dict[str, Any], seen: object) -> TranscriptEntry:
    try:
        return line, float(values["start_s"]), float(values["end_s"]), str(values["word"])
    except (KeyError, TypeError, ValueError) as error:
        raise _wrong(path, line, seen) from error


def _json_lines(text: str, path: Path) -> Iterator[TranscriptEntry]:
    for line, written in enumerate(text.splitlines(), 1):
        if not written.strip():
            continue
        try:
            values = json.loads(written)
        except ValueError as error:
            raise _wrong(path, line, written) from error
        if not isinstance(values, dict):
            raise _wrong(path, line, written)
        yield _entry(path, line, values, written)


def _table(text: str, path: Path) -> Iterator[TranscriptEntry]:
    rows = csv.reader(text.splitlines(), delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    names: list[str] = list(FIELDS)
    for row in rows:
        if rows.line_num == 1 and set(FIELDS) <= set(row):
            names = row
        elif row:
            yield _entry(path, rows.line_num, dict(zip(names, row, strict=False)), row)


def _cues(text: str, path: Path) -> Iterator[TranscriptEntry]:
    """The cues of WebVTT or SRT: a line of two times, then lines of text up to an empty one."""
    lines = text.splitlines()
    for number, written in enumerate(lines):
        if "-->" not in written:
            continue
        cue = _CUE.fullmatch(written.strip())
        if cue is None:
            raise _wrong(path, number + 1, written, "give times such as 00:01.500 --> 00:03.000")
        end = next((i for i in range(number + 1, len(lines)) if not lines[i].strip()), len(lines))
        start_s, end_s = (_seconds(cue.groups()[i : i + 4]) for i in (0, 4))
        yield number + 1, start_s, end_s, _TAG.sub("", " ".join(lines[number + 1 : end]))


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in parts)
    return 3600 * int(hours) + 60 * int(minutes) + int(seconds) + float(f"0.{fraction}")
