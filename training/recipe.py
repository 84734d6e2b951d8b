"""A recipe: one small TOML file that says everything that decides what a training run makes."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from models.tfcnn import TFCNNConfig
from training.augment import AugmentConfig

RECIPES = Path(__file__).parent / "recipes"
TOML_KINDS: dict[str, tuple[type, ...]] = {  # what a TOML file may hold for a field of this type
    "int": (int,),
    "float": (float, int),
    "str": (str,),
    "list": (list,),
    "tuple": (list,),
    "dict": (dict,),
}


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


def _build(kind: type[Any], table: Any, where: str) -> Any:
    """Make a dataclass from a table, refusing unknown keys by name and values of another kind."""
    if not isinstance(table, dict):
        raise RecipeError(f"{where} is {table!r}; write a table of keys")
    known = {item.name: str(item.type) for item in fields(kind)}
    unknown = set(table) - set(known)
    if unknown:
        raise RecipeError(f"{where} has unknown key {', '.join(sorted(unknown))}; known are {', '.join(sorted(known))}")
    for key, value in table.items():
        wanted = TOML_KINDS.get(known[key].partition("[")[0])
        if wanted and type(value) not in wanted:
            raise RecipeError(f"{where} has {key} = {value!r}; write {known[key]}")
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
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{path} is not TOML: {error}; correct the file") from error
    try:
        data["model"] = TFCNNConfig.from_dict({"classes": len(data.get("labels", ())), **data.pop("model", {})})
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{path} [model]: {error}; correct the table") from error
    fit: FitConfig = _build(FitConfig, data.pop("fit", {}), f"{path} [fit]")
    if min(fit.epochs, fit.batch) < 1 or fit.draws < fit.batch:
        sizes = f"epochs = {fit.epochs}, batch = {fit.batch}, draws = {fit.draws}"
        raise RecipeError(f"{path} [fit] has {sizes}; an epoch needs at least one batch of draws")
    data["fit"] = fit
    data["augment"] = _build(AugmentConfig, data.pop("augment", {}), f"{path} [augment]")
    missing = {"paper", "corpora", "label", "labels", "protocol", "validation", "test"} - set(data)
    if missing:
        raise RecipeError(f"{path} lacks {', '.join(sorted(missing))}; add it")
    recipe: Recipe = _build(Recipe, {"name": path.stem, **data}, str(path))
    if recipe.model.classes != len(recipe.labels):
        raise RecipeError(
            f"{path} has {len(recipe.labels)} labels and [model] classes = {recipe.model.classes}; drop classes"
        )
    return recipe
