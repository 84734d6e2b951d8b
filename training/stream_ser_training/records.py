"""One stored file for every fitted fold, so that tables and plots can be rebuilt and checked without training again.

A record holds what each test utterance was given, not only the figures made from it. Speakers are named as their corpus
names them; no record holds a path or the name of a machine.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

FORMAT = 1


class RecordError(Exception):
    """A record that cannot be read; the text names the file and what to do."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one fold and seed of one recipe gave."""

    recipe: str
    architecture: str
    variant: str  # what sets it apart from the paper's other systems
    paper: str
    protocol: str  # name of the protocol file
    about: str  # the protocol in a sentence
    fold: str
    seed: int
    target: str  # which label
    labels: list[str]
    sides: dict[str, dict[str, Any]]  # train, validation, test: speakers and number of clips
    parameters: int
    macs: int  # a window, front end excluded
    temperature: float  # fitted on the validation side
    utterances: list[list[Any]]  # speaker, sex, true index, group, probabilities; see ``utterance_row``
    windows: dict[str, dict[str, float]]  # by group: UA and ECE over 2 s windows
    curve: list[dict[str, Any]]  # one line an epoch
    best_epoch: int
    seconds: float
    deviations: str
    command: str
    hardware: str
    versions: dict[str, str]
    dimensions: dict[str, dict[str, float]] = field(default_factory=dict)  # group to CCC by dimension
    embedding: list[list[float]] = field(default_factory=list)  # of each utterance, where kept
    notes: dict[str, Any] = field(default_factory=dict)
    streams: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)  # by condition and group, ``streams``
    format: int = FORMAT

    @property
    def file_name(self) -> str:
        """Name of its file."""
        return file_name(self.recipe, self.protocol, self.fold, self.seed)


def file_name(recipe: str, protocol: str, fold: str, seed: int) -> str:
    """Name of the file of one fold and seed."""
    return f"{recipe}__{protocol}__{fold}__s{seed}.json"


def utterance_row(speaker: str, sex: str, truth: int, group: str, probabilities: Sequence[float]) -> list[Any]:
    """One utterance; ``group`` is its corpus, with ``cross:`` before it where no fold trained on that corpus."""
    return [speaker, sex, int(truth), group, [round(float(share), 4) for share in probabilities]]


def write_record(folder: Path, record: Record) -> Path:
    """Write a record through a neighbour file and a rename, so that no reader sees half of it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / record.file_name
    data = asdict(record)
    lines = [f" {json.dumps(name)}: {_value(name, value)}" for name, value in data.items()]
    partial = path.with_name(path.name + ".part")
    partial.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    os.replace(partial, path)
    return path


def _value(name: str, value: Any) -> str:
    """A value as JSON; long lists have one item a line, so that two versions can be compared."""
    if name in ("utterances", "curve", "embedding") and value:
        return "[\n  " + ",\n  ".join(json.dumps(item, ensure_ascii=False) for item in value) + "\n ]"
    return json.dumps(value, ensure_ascii=False)


def read_record(path: Path) -> Record:
    """Read one record. Raises RecordError when it is not JSON, has another format, field or kind of utterance."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(f"cannot read {path}: {error}; delete it and run its command again") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        seen = data.get("format") if isinstance(data, dict) else type(data).__name__
        raise RecordError(f"{path} has record format {seen!r}, this version reads {FORMAT}; run its command again")
    data = {"streams": {}, **data}  # which older records lack
    wrong = {item.name for item in fields(Record)} ^ set(data)
    if wrong:
        raise RecordError(f"{path} lacks or adds {', '.join(sorted(wrong))}; run its command again")
    record = Record(**data)
    problem = _problem(record)
    if problem:
        raise RecordError(f"{path} {problem}; delete it and run its command again")
    return record


def _problem(record: Record) -> str | None:
    """What makes a record's values unusable; tables rely on what passes."""
    for item in fields(Record):
        kind = {"list": list, "dict": dict, "str": str}.get(str(item.type).partition("[")[0], (int, float))
        if not isinstance(getattr(record, item.name), kind):
            return f"has {item.name} {getattr(record, item.name)!r}, which is no {item.type}"
    for number, row in enumerate(record.utterances, 1):
        match row:
            case [str(), str(), int(truth), str(), [*shares]] if 0 <= truth < len(record.labels) == len(shares):
                continue
        return f"has utterance {number} {row!r}, which does not fit its {len(record.labels)} labels"
    return None


def read_records(folder: Path) -> list[Record]:
    """All records of a folder, by file name. Raises RecordError when one cannot be read or there is none."""
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise RecordError(f"no record in {folder}; make some with: python -m training fit --recipe NAME")
    return [read_record(path) for path in paths]
