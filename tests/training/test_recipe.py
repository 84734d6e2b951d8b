"""Recipes and protocols: whatever is not understood is refused, with the key and the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stream_ser_training.recipe import PROTOCOLS, RECIPES, RecipeError, read_recipe, read_task
from tests.training.conftest import LABELS, changed

Writer = Callable[..., Path]


@pytest.mark.parametrize("protocol", sorted(path.stem for path in PROTOCOLS.glob("*.toml")))
def test_every_bundled_recipe_reads_under_every_bundled_protocol(protocol: str) -> None:
    task = read_task(protocol)
    assert task.name == protocol
    for path in RECIPES.glob("*.toml"):
        recipe = read_recipe(path.stem, protocol)
        assert recipe.name == path.stem
        assert recipe.task == task
        assert recipe.model.to_dict()["classes"] == len(task.labels)
        assert recipe.paper


def test_every_paper_has_a_recipe() -> None:
    architectures = {read_recipe(path.stem).architecture for path in RECIPES.glob("*.toml")}
    assert {"tfcnn", "area_attention", "mscnn", "cnn_bilstm", "cpc"} <= architectures


def test_nobody_is_held_out_twice() -> None:
    for path in PROTOCOLS.glob("*.toml"):
        protocol = read_task(path.stem).protocol
        for corpus, speakers in protocol.validation.items():
            assert not set(speakers) & set(protocol.test.get(corpus, []))


def test_who_is_held_out_in_pooled4_is_held_out_before_it_too() -> None:
    before, after = read_task("before").protocol, read_task("pooled4").protocol
    for corpus in ("nemo", "crema_d"):
        assert before.validation[corpus] == after.validation[corpus]
        assert before.test[corpus] == after.test[corpus]


def test_a_recipe_is_read_whole(write_recipe: Writer, write_protocol: Writer) -> None:
    path = write_recipe(
        model="first = 3\nwidths = [4, 5, 6, 7]",
        fit="learning_rate = 1",
        augment="floor_db = [-90.0, -80.0]",
        stage="vtlp = [0.9, 1.1]",
    )
    recipe = read_recipe(str(path), str(write_protocol()))
    assert recipe.name == "tiny"
    assert recipe.task.labels == LABELS
    assert recipe.task.protocol.validation == {"twovoices": ["B"]}
    model = recipe.model.to_dict()
    assert (model["first"], model["widths"], model["classes"]) == (3, (4, 5, 6, 7), 4)
    assert (recipe.fit.epochs, recipe.fit.learning_rate) == (2, 1.0)
    assert recipe.augment.floor_db == (-90.0, -80.0)
    assert (recipe.stage.copies, recipe.stage.vtlp) == (2, (0.9, 1.1))


def test_what_a_recipe_does_otherwise_under_one_protocol(write_recipe: Writer, write_protocol: Writer) -> None:
    special = '[on.voices]\nstart = "a:b"\n[on.voices.fit]\nepochs = 9'
    path = write_recipe(top=special)
    assert (read_recipe(str(path), str(write_protocol())).fit.epochs, read_recipe(str(path)).fit.epochs) == (9, 2)
    assert (read_recipe(str(path), str(write_protocol())).start, read_recipe(str(path)).start) == ("a:b", "")
    path = write_recipe(top="[on.voices.moods]\nepochs = 9")
    with pytest.raises(RecipeError, match=r"\[on\.voices\] has 'moods'; known are model, stage, fit, augment, start"):
        read_recipe(str(path), str(write_protocol()))


def refusal(path: Path | str, protocol: Path | str = "pooled4") -> str:
    with pytest.raises(RecipeError) as caught:
        read_recipe(str(path), str(protocol))
    return str(caught.value)


@pytest.mark.parametrize(
    ("table", "line", "words"),
    [
        ("top", "mood = 1", "unknown key mood; known are name, paper"),
        ("fit", "momentum = 0.9", "[fit]: unknown key momentum; known are epochs"),
        ("augment", "reverb = 1", "[augment]: unknown key reverb"),
        ("model", "depth = 1", "[model]: unknown key depth"),
        ("model", "classes = 3", "[model]: classes = 3, the protocol has 4 labels"),
        ("fit", "patience = 2.5", "[fit]: patience is 2.5, not int"),
        ("fit", "patience = true", "[fit]: patience is True, not int"),
        ("fit", 'weight_decay = "0.02"', "[fit]: weight_decay is '0.02', not float"),
        ("fit", 'precision = "half"', "[fit]: precision = 'half'; choose auto"),
        (
            "fit",
            "consistency = 1.0\nmixup = 0.2",
            "[fit]: consistency goes with an even batch and no mixup, not with 4",
        ),
        ("augment", "floor_db = -80.0", "[augment]: floor_db is -80.0, not tuple"),
        ("stage", "noise = 3", "[stage]: noise is 3, not str"),
    ],
)
def test_what_is_not_understood_is_refused(write_recipe: Writer, table: str, line: str, words: str) -> None:
    path = write_recipe(**{table: line})
    assert words in refusal(path)
    assert str(path) in refusal(path)


@pytest.mark.parametrize("key", ["paper", "architecture"])
def test_missing_keys_of_a_recipe_are_named(write_recipe: Writer, key: str) -> None:
    path = write_recipe()
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith(f"{key} ")]
    path.write_text("\n".join(lines), "utf-8")
    assert f"lacks {key}; add it" in refusal(path)


@pytest.mark.parametrize("key", ["corpora", "label", "labels", "about"])
def test_missing_keys_of_a_protocol_are_named(write_recipe: Writer, write_protocol: Writer, key: str) -> None:
    path = write_protocol()
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith(f"{key} ")]
    path.write_text("\n".join(lines), "utf-8")
    assert f"lacks {key}; add it" in refusal(write_recipe(), path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('corpora = ["twovoices"]', 'corpora = "twovoices"', "corpora is 'twovoices', not tuple"),
        ('kind = "holdout"', 'kind = "random"', "kind 'random' is unknown"),
        ('kind = "holdout"', 'kind = "speakers"\nvalidation_speakers = 0', "validation_speakers is 0"),
        ('about = "one', 'moods = 3\nabout = "one', "unknown key moods"),
        ("[protocol.test]", "[protocol.test", "is not TOML"),
    ],
)
def test_protocols_that_cannot_be(write_recipe: Writer, write_protocol: Writer, old: str, new: str, words: str) -> None:
    assert words in refusal(write_recipe(), changed(write_protocol(), old, new))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("batch = 4", "batch = 9", "epochs = 2, batch = 9, draws = 8; an epoch needs at least one batch of draws"),
        ("batch = 4", "batch = 0", "batch = 0"),
        ("epochs = 2", "epochs = 0", "epochs = 0"),
        ("epochs = 2", "epochs 2", "is not TOML"),
        ("[augment]", "[fit]", "is not TOML"),
        ('architecture = "tfcnn"', 'architecture = "lstm"', "architecture 'lstm' is unknown, known are tfcnn"),
    ],
)
def test_values_that_cannot_be(write_recipe: Writer, old: str, new: str, words: str) -> None:
    assert words in refusal(changed(write_recipe(), old, new))


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_bytes("paper = 'Müller'".encode("latin-1"))
    assert "is not TOML" in refusal(tmp_path / "old.toml")


def test_unknown_names(tmp_path: Path) -> None:
    assert "cnn_bilstm" in refusal("nonesuch")
    assert "ends in .toml" in refusal(tmp_path / "gone.toml")
    assert "no protocol 'nonesuch'; bundled are" in refusal("cnn_bilstm", "nonesuch")
