"""The text branch from invented comments to a record, and the real corpus where it is there."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from stream_ser_models.mscnn import MSCNN, MSCNNConfig
from stream_ser_models.words import Vocabulary
from stream_ser_training.clips import CorpusError
from stream_ser_training.fit import FitError
from stream_ser_training.goemotions import FOLDER, GLOVE, frequent_words, glove_file, read_comments
from stream_ser_training.records import read_record
from stream_ser_training.text import LABELS, TextFitter, balanced, fit_text, say, text_figures, write_record

NAMES = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
TELLING = {"anger": "hate", "joy": "love", "neutral": "chair", "sadness": "cry"}
FILLERS = ("the", "a", "do", "not", "she", "is", "here", "now", "so", "very")
SMALL = MSCNNConfig(modality="text", filters=6, hidden=12, tokens=8, words=16, word_width=4)


def write_side(folder: Path, side: str, rows: list[tuple[str, str]]) -> None:
    text = "".join(f"{words}\t{labels}\t{side}{place}\n" for place, (words, labels) in enumerate(rows))
    (folder / f"{side}.tsv.gz").write_bytes(gzip.compress(text.encode()))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Comments of four words, one of which tells; no comment stands on two sides."""
    folder, glove = tmp_path / FOLDER, tmp_path / GLOVE
    folder.mkdir(parents=True)
    glove.mkdir(parents=True)
    (folder / "labels.txt").write_text("\n".join(NAMES), encoding="utf-8")
    rng = np.random.default_rng(0)
    for side, count in (("train", 320), ("dev", 80), ("test", 80)):
        rows = []
        for place in range(count):
            name = list(TELLING)[place % 4]
            words = [str(word) for word in rng.choice(FILLERS, 3)] + [f"{side}{place}", TELLING[name]]
            rows.append((" ".join(rng.permutation(words)), str(NAMES.index(name))))
        write_side(folder, side, rows)
    lines = [
        f"{word} {' '.join(str(v) for v in rng.normal(size=4).round(3))}" for word in (*FILLERS, *TELLING.values())
    ]
    (glove / "vectors.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_only_single_labels_of_the_four_classes_are_read(data: Path) -> None:
    rows = [
        ("I hate [NAME]", "0"),
        ("both", "0,5"),
        ("yuck", "1"),
        ("...", "3"),
        ("Love it!", "3"),
        ("so", "4"),
        ("cry", "5"),
    ]
    write_side(data / FOLDER, "test", rows)
    test = read_comments(data, LABELS)["test"]
    assert test.words == (("i", "hate", "hiddenname"), ("love", "it"), ("so",), ("cry",))
    assert [LABELS[label] for label in test.labels] == ["angry", "happy", "neutral", "sad"]
    vocabulary = Vocabulary(["i", "hate"])
    assert test.tokens(vocabulary, 4)[0].tolist() == [2, 3, 1, 0]


def test_no_two_sides_share_words(data: Path) -> None:
    plain = [("Thank you!", "3"), ("hate", "0"), ("chair", "4"), ("cry", "5"), ("only here", "3")]
    write_side(data / FOLDER, "test", plain[:4])
    write_side(data / FOLDER, "dev", [*plain, ("hate more", "0"), ("chairs", "4"), ("cried", "5")])
    train = [("thank you", "3"), ("ONLY, here", "3"), *(("new " + words, label) for words, label in plain)]
    write_side(data / FOLDER, "train", train)
    sides = read_comments(data, LABELS)
    assert sides["validation"].words == (("only", "here"), ("hate", "more"), ("chairs",), ("cried",))
    assert all(words[0] == "new" for words in sides["train"].words)
    assert len(sides["train"].words) == 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\t0\n", "line 1 is not a text, label numbers and an id"),
        (b"a\t0\tid\nb\tjoy\tid\n", "line 2 is not"),
        (b"a\t0\tid\n", "no test comment expresses happy, neutral, sad"),
    ],
)
def test_bad_files_are_refused(data: Path, content: bytes, message: str) -> None:
    (data / FOLDER / "test.tsv.gz").write_bytes(gzip.compress(content))
    with pytest.raises(CorpusError, match=message):
        read_comments(data, LABELS)


def test_missing_parts_are_named(data: Path) -> None:
    with pytest.raises(CorpusError, match="no label bored"):
        read_comments(data, ("angry", "bored"))
    (data / FOLDER / "dev.tsv.gz").write_bytes(b"not gzip")
    with pytest.raises(CorpusError, match=r"dev\.tsv\.gz.*get goemotions again"):
        read_comments(data, LABELS)
    (data / FOLDER / "labels.txt").write_text("anger\njoy\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"labels\.txt"):
        read_comments(data, LABELS)
    (data / GLOVE / "vectors.txt").unlink()
    with pytest.raises(CorpusError, match="0 files of word vectors"):
        glove_file(data)


def test_the_vocabulary_is_what_people_write_most(data: Path) -> None:
    train = read_comments(data, LABELS)["train"]
    vocabulary, vectors = frequent_words(train, glove_file(data), 6)
    counts = [sum(words.count(word) for words in train.words) for word in vocabulary.words]
    assert counts == sorted(counts, reverse=True)
    lines = dict(line.split(" ", 1) for line in glove_file(data).read_text(encoding="utf-8").splitlines())
    for number, word in enumerate(vocabulary.words, 2):
        np.testing.assert_allclose(vectors[number], [float(v) for v in lines[word].split()], atol=2e-3)
    assert (vectors[0] == 0).all()
    longer, more = frequent_words(train, glove_file(data), 15)
    assert longer.words[14] == "train0"  # which GloVe lacks
    assert (more[16] == more[1]).all()


def test_every_class_is_drawn_as_often() -> None:
    labels = np.array([0] * 90 + [1] * 9 + [2])
    drawn = labels[balanced(labels, 3000, np.random.default_rng(0))]
    assert (np.abs(np.bincount(drawn) - 1000) < 120).all()


def test_figures_by_hand() -> None:
    given = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7]])
    seen = text_figures(given, np.array([0, 0, 1, 1]), ["no", "yes"])
    assert seen["WA"] == seen["UA"] == 0.75
    assert seen["recall"] == {"no": 1.0, "yes": 0.5}
    assert seen["ECE"] == pytest.approx((0.1 + 0.2 + 0.6 + 0.3) / 4, abs=1e-3)


def test_a_fit_learns_and_leaves_a_record(data: Path, tmp_path: Path) -> None:
    record = fit_text(SMALL, data, tmp_path / "run", epochs=12, batch=8, learning_rate=5e-3, name="small")
    assert record.notes["test"]["UA"] > 0.9
    assert record.notes["bag_of_words"]["UA"] > 0.9
    assert record.notes["majority"]["UA"] == 0.25
    assert record.parameters == 4 * 14 * 6 + 4 * 6 + (72 + 8) * 12 + 12 + 13 * 4
    assert record.macs == 8 * 4 * 14 * 6 + 80 * 12 + 12 * 4
    again = read_record(write_record(tmp_path / "records", record))
    assert len(again.utterances) == 80 == again.sides["test"]["clips"]
    network = MSCNN(MSCNNConfig.from_dict({**SMALL.to_dict(), "words": 16}))
    weights = load_file(tmp_path / "run" / "best.safetensors")
    assert weights["vectors"].dtype == torch.float16
    network.load_state_dict(weights)
    vocabulary = Vocabulary.read(tmp_path / "run" / "words.txt")
    tokens = torch.from_numpy(np.stack([vocabulary.encode(f"so {word} now", 8) for word in TELLING.values()]))
    assert say(network.eval(), tokens).argmax(dim=1).tolist() == [0, 1, 2, 3]


def test_a_run_goes_on_as_if_never_stopped(data: Path, tmp_path: Path) -> None:
    whole = TextFitter(SMALL, data, tmp_path / "whole", seed=3)
    expected = whole.run(3).state_dict()
    TextFitter(SMALL, data, tmp_path / "parts", seed=3).run(1)
    resumed = TextFitter(SMALL, data, tmp_path / "parts", seed=3)
    assert len(resumed.curve) == 1
    seen = resumed.run(3).state_dict()
    assert all(torch.equal(seen[name], value) for name, value in expected.items())
    losses = [[line["loss"] for line in run.curve] for run in (whole, resumed)]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 3


def test_other_runs_and_configs_are_refused(data: Path, tmp_path: Path) -> None:
    TextFitter(SMALL, data, tmp_path / "run", seed=3).run(1)
    with pytest.raises(FitError, match="another run"):
        TextFitter(SMALL, data, tmp_path / "run", seed=4)
    (tmp_path / "run" / "state.pt").write_bytes(b"PK broken")
    with pytest.raises(FitError, match="cannot go on"):
        TextFitter(SMALL, data, tmp_path / "run", seed=3)
    with pytest.raises(ValueError, match="modality 'audio'"):
        TextFitter(MSCNNConfig(), data, tmp_path / "other", seed=1)


@pytest.mark.skipif("STREAM_SER_DATA" not in os.environ, reason="STREAM_SER_DATA names no folder of corpora")
def test_the_real_corpus_is_as_published() -> None:
    data = Path(os.environ["STREAM_SER_DATA"])
    if not (data / FOLDER).is_dir():
        pytest.skip(f"no {FOLDER} in STREAM_SER_DATA")
    sides = read_comments(data, LABELS)
    assert {side: len(one.labels) for side, one in sides.items()} == {
        "train": 34_267,
        "validation": 4_325,
        "test": 4_324,
    }
    assert np.bincount(sides["test"].labels).tolist() == [572, 1_863, 1_606, 283]
    assert not set(sides["train"].words) & (set(sides["test"].words) | set(sides["validation"].words))
