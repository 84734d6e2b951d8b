"""A recipe: one small TOML file that says everything that decides what a training run makes."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from models.tfcnn import TFCNNConfig
from training.augment import AugmentConfig

RECIPES = Path(__file__).parent / "recipes"


class RecipeError(Exception):
    """A recipe that cannot be used; the text names the key and the file."""


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How to fit; the recipe's ``[fit]`` table."""

    seed: int = 1
    epochs: int = 22
    draws: int = 2048  # windows an epoch, drawn with equal chance for every class
    batch: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.1
    average_decay: float = 0.99  # of the averaged weights, a step
    short_epochs: int = 0  # first epochs on shorter windows
    short_columns: int = 128
    patience: int = 8  # epochs without a better validation figure before stopping


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to train, on what, how, and what is held out."""

    name: str
    paper: str
    corpora: list[str]
    label: str
    labels: list[str]
    protocol: str
    validation: dict[str, list[str]]
    test: dict[str, list[str]]
    noise: str = ""
    model: TFCNNConfig = field(default_factory=TFCNNConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)


def _build(kind: type[Any], table: dict[str, Any], where: str) -> Any:
    """Make a dataclass from a table, refusing unknown keys by name."""
    known = {item.name for item in fields(kind)}
    unknown = set(table) - known
    if unknown:
        raise RecipeError(f"{where} has unknown key {', '.join(sorted(unknown))}; known are {', '.join(sorted(known))}")
    if kind is AugmentConfig:  # its lists are ranges; a recipe's own lists stay as they are
        table = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return kind(**table)


def read_recipe(name_or_path: str) -> Recipe:
    """Read a recipe by the name of a bundled one or by path.

    Raises RecipeError when it does not exist, is not TOML, or has missing or unknown keys.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = RECIPES / f"{name_or_path}.toml"
    if not path.is_file():
        bundled = ", ".join(sorted(item.stem for item in RECIPES.glob("*.toml")))
        raise RecipeError(f"no recipe {name_or_path!r}; bundled are {bundled}, or give a path that ends in .toml")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path} is not TOML: {error}") from error
    model = {"classes": len(data.get("labels", ())), **data.pop("model", {})}
    try:
        data["model"] = TFCNNConfig.from_dict(model)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{path} [model]: {error}") from error
    data["fit"] = _build(FitConfig, data.pop("fit", {}), f"{path} [fit]")
    data["augment"] = _build(AugmentConfig, data.pop("augment", {}), f"{path} [augment]")
    missing = {"paper", "corpora", "label", "labels", "protocol", "validation", "test"} - set(data)
    if missing:
        raise RecipeError(f"{path} lacks {', '.join(sorted(missing))}")
    return cast(Recipe, _build(Recipe, {"name": path.stem, **data}, str(path)))
