"""Recipes: whatever is not understood is refused, with the key and the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.conftest import LABELS, changed
from training.recipe import RECIPES, RecipeError, read_recipe

Recipes = Callable[..., Path]


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.toml")))
def test_every_bundled_recipe_reads(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.name == name
    assert recipe.model.classes == len(recipe.labels)
    assert set(recipe.validation) | set(recipe.test) <= set(recipe.corpora)
    for corpus in recipe.corpora:
        assert not set(recipe.validation[corpus]) & set(recipe.test[corpus])


def test_there_is_a_bundled_recipe() -> None:
    assert (RECIPES / "tfcnn_attention.toml").is_file()


def test_a_recipe_is_read_whole(write_recipe: Recipes) -> None:
    recipe = read_recipe(
        str(
            write_recipe(
                model="first = 3\nwidths = [4, 5, 6, 7]", fit="learning_rate = 1", augment="floor_db = [-90, -80]"
            )
        )
    )
    assert recipe.name == "tiny"
    assert tuple(recipe.labels) == LABELS
    assert recipe.validation == {"twovoices": ["B"]}
    assert (recipe.model.first, recipe.model.widths, recipe.model.classes) == (3, (4, 5, 6, 7), 4)
    assert (recipe.fit.epochs, recipe.fit.learning_rate, recipe.fit.seed) == (2, 1, 1)
    assert recipe.augment.floor_db == (-90, -80)


def refusal(path: Path | str) -> str:
    with pytest.raises(RecipeError) as caught:
        read_recipe(str(path))
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("table", "line", "words"),
    [
        ("top", "mood = 1", "has unknown key mood; known are augment, corpora"),
        ("fit", "momentum = 0.9", "[fit] has unknown key momentum; known are average_decay, batch"),
        ("augment", "reverb = 1", "[augment] has unknown key reverb"),
        ("model", "depth = 1", "[model]: "),
        ("model", "classes = 3", "has 4 labels and [model] classes = 3"),
        ("fit", "patience = 2.5", "[fit] has patience = 2.5; write int"),
        ("fit", "seed = true", "[fit] has seed = True; write int"),
        ("fit", 'weight_decay = "0.02"', "[fit] has weight_decay = '0.02'; write float"),
        ("augment", "floor_db = -80.0", "[augment] has floor_db = -80.0; write tuple[float, float]"),
        ("top", "noise = 3", "has noise = 3; write str"),
    ],
)
def test_what_is_not_understood_is_refused(write_recipe: Recipes, table: str, line: str, words: str) -> None:
    assert words in refusal(write_recipe(**{table: line}))


@pytest.mark.parametrize("key", ["paper", "corpora", "label", "labels", "protocol"])
def test_missing_keys_are_named(write_recipe: Recipes, key: str) -> None:
    path = write_recipe()
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith(f"{key} ")]
    path.write_text("\n".join(lines), "utf-8")
    assert f"lacks {key}; add it" in refusal(path)


def test_missing_tables_are_named(write_recipe: Recipes) -> None:
    path = changed(write_recipe(), "[validation]", "[model.frontend]")
    assert "twovoices" in refusal(path)
    path = changed(write_recipe(), '[test]\ntwovoices = ["C"]\n', "")
    assert "lacks test; add it" in refusal(path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('corpora = ["twovoices"]', 'corpora = "twovoices"', "has corpora = 'twovoices'; write list[str]"),
        ('labels = ["angry", "happy", "neutral", "sad"]', "labels = 4", "[model]: "),
        ("batch = 4", "batch = 9", "epochs = 2, batch = 9, draws = 8; an epoch needs at least one batch of draws"),
        ("batch = 4", "batch = 0", "batch = 0"),
        ("epochs = 2", "epochs = 0", "epochs = 0"),
        ("epochs = 2", "epochs 2", "is not TOML"),
        ("[augment]", "[fit]", "is not TOML"),
    ],
)
def test_values_that_cannot_be(write_recipe: Recipes, old: str, new: str, words: str) -> None:
    assert words in refusal(changed(write_recipe(), old, new))


def test_a_value_in_place_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "flat.toml").write_text("fit = 3\n", "utf-8")
    assert "[fit] is 3; write a table of keys" in refusal(tmp_path / "flat.toml")


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_bytes("paper = 'Müller'".encode("latin-1"))
    assert "is not TOML" in refusal(tmp_path / "old.toml")


def test_unknown_names(tmp_path: Path) -> None:
    assert "tfcnn_attention" in refusal("nonesuch")
    assert "ends in .toml" in refusal(tmp_path / "gone.toml")
