"""A recipe: one small TOML file that says which network is trained and how; a protocol: another that says on what.

Any recipe can be run under any protocol, so that a table of systems differs in the systems alone. A recipe's
``[on.NAME]`` tables say what it does otherwise under the protocol NAME.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stream_ser_models.architectures import ARCHITECTURES, make_config
from stream_ser_models.config import Config
from stream_ser_models.frames import FrameHead
from stream_ser_training.augment import AugmentConfig
from stream_ser_training.feature_cache import StageConfig
from stream_ser_training.protocols import ProtocolConfig

RECIPES = Path(__file__).parent / "recipes"
PROTOCOLS = RECIPES / "protocols"
TABLES = ("model", "stage", "fit", "augment")


class RecipeError(Exception):
    """A recipe or protocol that cannot be used; the text names the key and the file."""


@dataclass(frozen=True)
class FitConfig(Config):
    """How to fit; the recipe's ``[fit]`` table."""

    epochs: int = 22
    draws: int = 2048  # windows an epoch, drawn with equal chance for every class
    batch: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    decay_vectors: bool = True  # decay biases and normalisation's gains too
    label_smoothing: float = 0.1
    mixup: float = 0.0  # both parameters of the beta distribution that mixes pairs of windows; none at 0
    average_decay: float = 0.99  # of the averaged weights, a step
    short_epochs: int = 0  # first epochs on a stretch of each window
    short_columns: int = 128
    patience: int = 8  # looks at validation without a better figure before stopping
    look_every: int = 1  # epochs between two looks at validation
    classes: float = 1.0  # weight of the cross-entropy over labels
    ratings: float = 0.0  # weight of one minus the concordance of activation, valence and dominance
    precision: str = "auto"  # auto, float32, bfloat16 or float16
    choose: str = "UA"  # validation figure that chooses the weights: UA, NLL (few clips: surer), or CCC
    consistency: float = 0.0  # weight of how far two copies of a clip are judged apart; then every clip comes twice
    cells: bool = False  # draw every cell of corpus and class equally often, instead of by the root of a corpus's size
    answers: dict[str, list[str]] = field(default_factory=dict)  # by corpus, the labels that its clips decide between

    def __post_init__(self) -> None:
        """Refuse sizes that make no step, and a precision that nobody has."""
        if min(self.epochs, self.batch, self.look_every) < 1 or self.draws < self.batch:
            sizes = f"epochs = {self.epochs}, batch = {self.batch}, draws = {self.draws}"
            raise ValueError(f"{sizes}; an epoch needs at least one batch of draws")
        if self.consistency and (self.batch % 2 or self.mixup):
            raise ValueError(
                f"consistency goes with an even batch and no mixup, not with {self.batch} and {self.mixup}"
            )
        if self.precision not in ("auto", "float32", "bfloat16", "float16"):
            raise ValueError(f"precision = {self.precision!r}; choose auto, float32, bfloat16 or float16")
        possible = [
            name for name, weight in (("UA", self.classes), ("NLL", self.classes), ("CCC", self.ratings)) if weight
        ]
        if self.choose not in possible:
            raise ValueError(f"choose = {self.choose!r} is not among what is learnt here: {', '.join(possible)}")


@dataclass(frozen=True)
class Task(Config):
    """What is learnt and on whom it is measured: the contents of a protocol file."""

    name: str = ""
    corpora: tuple[str, ...] = ()
    label_column: str = "emotion4"
    label: str = ""  # which label: intended or perceived, and by whom
    labels: tuple[str, ...] = ()
    about: str = ""  # the protocol in a sentence, for cards and tables
    protocol: ProtocolConfig = field(default_factory=ProtocolConfig)


@dataclass(frozen=True)
class Recipe(Config):
    """A network and how it is trained, for one task."""

    name: str = ""
    paper: str = ""
    architecture: str = ""
    variant: str = ""  # what sets it apart from the paper's other systems
    deviations: str = ""  # from the paper
    start: str = (
        ""  # whose weights this one starts from: RECIPE:PROTOCOL of a run, or shipped:MODEL; random where empty
    )
    model: Config = field(default_factory=Config)
    task: Task = field(default_factory=Task)
    stage: StageConfig = field(default_factory=StageConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)


def _read(name_or_path: str, folder: Path, what: str) -> tuple[Path, dict[str, Any]]:
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = folder / f"{name_or_path}.toml"
    if not path.is_file():
        bundled = ", ".join(sorted(item.stem for item in folder.glob("*.toml")))
        raise RecipeError(f"no {what} {name_or_path!r}; bundled are {bundled}, or give a path that ends in .toml")
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{path} is not TOML: {error}; correct the file") from error


def read_task(name_or_path: str) -> Task:
    """Read a protocol by the name of a bundled one or by path.

    Raises RecipeError when it does not exist, is not TOML, or has missing or unknown keys.
    """
    path, data = _read(name_or_path, PROTOCOLS, "protocol")
    missing = {"corpora", "label", "labels", "about", "protocol"} - set(data)
    if missing:
        raise RecipeError(f"{path} lacks {', '.join(sorted(missing))}; add it")
    try:
        return Task.from_dict({"name": path.stem, **data})
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{path}: {error}; correct the file") from error


def read_recipe(name_or_path: str, protocol: str = "pooled4") -> Recipe:
    """Read a recipe by the name of a bundled one or by path, for the protocol of that name or path.

    Raises RecipeError when either does not exist, is not TOML, or has missing or unknown keys.
    """
    task = read_task(protocol)
    path, data = _read(name_or_path, RECIPES, "recipe")
    others = data.pop("on", {})
    for key, values in (others.get(task.name) or {}).items():
        if key in TABLES and isinstance(values, dict):
            data[key] = {**data.get(key, {}), **values}
        elif key in ("start", "deviations"):
            data[key] = values
        else:
            raise RecipeError(f"{path} [on.{task.name}] has {key!r}; known are {', '.join(TABLES)}, start, deviations")
    missing = {"paper", "architecture"} - set(data)
    if missing:
        raise RecipeError(f"{path} lacks {', '.join(sorted(missing))}; add it")
    architecture = str(data["architecture"])
    where = ""
    try:
        where = " [model]"
        if architecture not in ARCHITECTURES:
            raise ValueError(f"architecture {architecture!r} is unknown, known are {', '.join(ARCHITECTURES)}")
        model = make_config(architecture, {"classes": len(task.labels), **data.pop("model", {})})
        if model.classes != len(task.labels):
            raise ValueError(f"classes = {model.classes}, the protocol has {len(task.labels)} labels; drop classes")
        tables: dict[str, Any] = {}
        for key, kind in (("stage", StageConfig), ("fit", FitConfig), ("augment", AugmentConfig)):
            where = f" [{key}]"
            tables[key] = kind.from_dict(data.pop(key, {}))
        if issubclass(ARCHITECTURES[architecture][1], FrameHead) and tables["fit"].mixup:
            raise ValueError("mixup does not go with histories of voices, which cannot be mixed; set mixup = 0")
        where = ""
        plain = Recipe.from_dict({"name": path.stem, **data})
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{path}{where}: {error}; correct the file") from error
    return replace(plain, model=model, task=task, **tables)
