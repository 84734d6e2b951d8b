"""Records put in order: which system, protocol and fold each belongs to, beside what papers and floors say.

A system is a recipe; its records under one protocol are folds and seeds. Seeds of a fold are averaged before folds are.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from stream_ser_models.config import Config
from stream_ser_training.metrics import Predictions, Spread, predictions, spread
from stream_ser_training.records import Record

PUBLISHED = Path(__file__).parent / "published.toml"
DEPTH = re.compile(r"^depth (\d+)$")
SHAPE = re.compile(r"filters of (\d+) x (\d+) cells")

Figure = Callable[[Predictions], float]


@dataclass(frozen=True)
class Paper(Config):
    """One of the papers, the networks that implement it, and the recipes that a full table has."""

    name: str = ""
    cite: str = ""
    architectures: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column(Config):
    """A protocol as the tables show it. ``floor`` and ``aim`` are UA in per cent; zero where there is none."""

    key: str = ""
    title: str = ""
    short: str = ""
    folds: int = 1
    together: bool = False
    floor: float = 0.0
    aim: float = 0.0
    aim_of: str = ""


@dataclass(frozen=True)
class Idea(Config):
    """What a paper proposes, by the recipes on its own front end and on a pre-trained encoder; "" where there is none."""

    name: str = ""
    own: str = ""
    encoder: str = ""


@dataclass(frozen=True)
class Published(Config):
    """A figure from elsewhere and whether it can be held against ours."""

    protocol: str = ""
    system: str = ""
    value: str = ""
    how: str = ""
    comparable: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """The contents of ``published.toml``."""

    papers: list[Paper]
    columns: list[Column]
    figures: list[Published]
    ideas: list[Idea]
    rated: list[str]  # protocols whose labels only balance what is drawn, so that UA says nothing


@dataclass(frozen=True, slots=True)
class System:
    """One recipe with its records under every protocol; without records where it was not run."""

    paper: str
    recipe: str
    records: list[Record] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Paper and variant, as tables name it."""
        variant = self.records[0].variant if self.records else f"`{self.recipe}`"
        return ", ".join(part for part in (self.paper, variant) if part)

    def under(self, protocol: str) -> list[Record]:
        """Its records with labelled utterances under one protocol."""
        return [record for record in self.records if record.protocol == protocol and record.utterances]


def read_reference(path: Path = PUBLISHED) -> Reference:
    """Papers, protocols and published figures. Raises TypeError or ValueError for unknown keys."""
    data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return Reference(
        [Paper.from_dict(item) for item in data["paper"]],
        [Column.from_dict(item) for item in data["protocol"]],
        [Published.from_dict(item) for item in data["figure"]],
        [Idea.from_dict(item) for item in data.get("idea", [])],
        list(data["rated"]),
    )


def natural(text: str) -> tuple[tuple[int, str], ...]:
    """A sort key that has 2 before 10."""
    return tuple((int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", text) if part)


def by_recipe(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Records of each recipe, in the order of protocol, fold and seed."""
    groups: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda item: (item.recipe, item.protocol, natural(item.fold), item.seed)):
        groups.setdefault(record.recipe, []).append(record)
    return groups


def systems_of(records: Sequence[Record], reference: Reference) -> list[System]:
    """The rows of the main table: the papers in order, run or not, then everything else that is no part of a sweep."""
    groups = by_recipe(records)
    rows = []
    for paper in reference.papers:
        found = [name for name, own in groups.items() if own[0].architecture in paper.architectures]
        others = [name for name in found if name not in paper.recipes and not _of_sweep(groups[name][0])]
        rows += [System(paper.name, name, groups.get(name, [])) for name in (*paper.recipes, *others)]
    known = {architecture for paper in reference.papers for architecture in paper.architectures}
    rows += [
        System("", name, own)
        for name, own in groups.items()
        if own[0].architecture not in known and not _of_sweep(own[0]) and not on_encoder(own[0])
    ]
    return rows


def on_encoder(record: Record) -> bool:
    """Whether the system stands on a pre-trained encoder; such have tables of their own (``ideas``)."""
    return record.architecture.startswith("frames_")


def _of_sweep(record: Record) -> bool:
    return bool(DEPTH.search(record.variant) or SHAPE.search(record.variant))


def depths_of(records: Sequence[Record]) -> list[tuple[int, System]]:
    """Recipes that differ in the number of transformer layers, fewest first."""
    found = [(DEPTH.search(own[0].variant), System("", name, own)) for name, own in by_recipe(records).items()]
    return sorted(((int(match[1]), own) for match, own in found if match), key=lambda item: item[0])


def shapes_of(records: Sequence[Record]) -> list[tuple[int, int, System]]:
    """Recipes that differ in the shape of the first filters: height and width in cells, ascending."""
    found = [(SHAPE.search(own[0].variant), System("", name, own)) for name, own in by_recipe(records).items()]
    shapes = [(int(match[1]), int(match[2]), own) for match, own in found if match]
    return sorted(shapes, key=lambda item: item[:2])


def by_fold(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Records of each fold, one a seed."""
    folds: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda item: (natural(item.fold), item.seed)):
        folds.setdefault(record.fold, []).append(record)
    return folds


def heard(records: Sequence[Record], *, cross: bool = False) -> Predictions:
    """Test utterances of all folds and seeds together: of known corpora, or of those that no fold trained on."""
    together = predictions(records)
    return together.crossed() if cross else together.known()


def over_folds(records: Sequence[Record], figure: Figure, *, cross: bool = False) -> Spread | None:
    """Mean of a figure over folds, each the mean of its seeds; over seeds where there is one fold. None without clips."""
    folds = []
    for own in by_fold(records).values():
        sides = [heard([record], cross=cross) for record in own]
        values = [figure(side) for side in sides if len(side)]
        if values:
            folds.append(values)
    if not folds:
        return None
    return spread(folds[0] if len(folds) == 1 else [fmean(values) for values in folds])


def seeds_of(records: Sequence[Record]) -> int:
    """The smallest number of seeds of a fold."""
    return min((len(own) for own in by_fold(records).values()), default=0)


def missing(records: Sequence[Record], column: Column) -> str:
    """Which share of the folds is there, where it is not all of them."""
    there = len(by_fold(records))
    return f"{there} of {column.folds} folds" if there < column.folds else ""
