from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from statistics import stdev

import pytest

from stream_ser_training.plots import LARGEST
from stream_ser_training.records import Record, RecordError, write_record
from stream_ser_training.report import report
from tests.training.made_up import embedding, random_answers, record

EIGHT = ["angry", "calm", "disgust", "fear", "happy", "neutral", "sad", "surprise"]
SIX = ("1", "2", "3", "4", "5", "6")
NUMBER = re.compile(r"^\d+\.\d")


def cells(text: str, start: str) -> list[str]:
    """The cells of the first table row that starts with this."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {start}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def section(text: str, title: str) -> str:
    return text.partition(f"\n## {title}")[2].partition("\n## ")[0]


def of(recipe: str, protocol: str, fold: str, seed: int, **changes: object) -> Record:
    command = f"python -m training fit --recipe {recipe} --protocol {protocol} --folds {fold} --seeds {seed}"
    return record(recipe=recipe, protocol=protocol, fold=fold, seed=seed, command=command, **changes)


def ravdess(fold: str, right: int, seed: int = 1) -> Record:
    """A fold of eight clips, one a class, of which so many are right."""
    answers = [(f"ravdess/{fold}", "F", true, "ravdess", true if true < right else 0) for true in range(8)]
    return of("cnn_bilstm", "ravdess8", fold, seed, labels=EIGHT, utterances=record(answers, EIGHT).utterances)


def full_set() -> list[Record]:
    """Two of the papers' systems, a baseline, two sweeps, a regressor and a protocol without a column."""
    made = [ravdess(fold, 4 + int(fold) % 3) for fold in SIX]
    crossing = random_answers(7, 4, groups=("one", "two", "cross:far"))
    heads = of(
        "tfcnn_attention",
        "pooled4",
        "holdout",
        1,
        architecture="tfcnn",
        variant="attention head",
        utterances=record(crossing).utterances,
        windows={"one": {"UA": 0.5, "ECE": 0.1}, "two": {"UA": 0.4, "ECE": 0.2}, "cross:far": {"UA": 0.3, "ECE": 0.3}},
        notes={"window_ms": 3.21, "window_ms_how": "by a stopwatch"},
    )
    made += [heads, replace(heads, embedding=embedding(1, heads), seed=2)]
    svm = {"architecture": "svm", "variant": "statistics and SVM", "parameters": 0, "macs": 0, "curve": []}
    made.append(of("svm", "pooled4", "holdout", 1, utterances=record(random_answers(8, 4)).utterances, **svm))
    for depth in (0, 2, 5):
        name = "cnn_bilstm" if depth == 5 else f"cnn_bilstm_depth{depth}"
        rows = record(random_answers(depth, 4)).utterances
        made.append(of(name, "pooled4", "holdout", 1, variant=f"depth {depth}", utterances=rows))
    for height, width in ((10, 2), (4, 2), (2, 8)):
        variant = f"16 filters of {height} x {width} cells ({10 * height} Hz x {10 * width} ms)"
        rows = record(random_answers(height, 4)).utterances
        name = f"filters_{height}x{width}"
        made.append(
            of(name, "pooled4", "holdout", 1, architecture="tfcnn_first_layer", variant=variant, utterances=rows)
        )
    for seed, activation in ((1, 0.5), (2, 0.7)):
        dimensions = {"baved": {"activation": activation}}
        made.append(
            of(
                "cpc_frozen",
                "ratings",
                "1",
                seed,
                architecture="cpc",
                variant="frozen",
                dimensions=dimensions,
                utterances=heads.utterances,
            )
        )
    made.append(
        of("mscnn_text", "written", "all", 1, architecture="mscnn", variant="words", utterances=heads.utterances[:20])
    )
    return made


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """Folder of records, folder of the report, and its text."""
    root = tmp_path_factory.mktemp("report")
    for item in full_set():
        write_record(root / "records", item)
    report(root / "records", root / "out")
    return root / "records", root / "out", (root / "out" / "README.md").read_text("utf-8")


def test_the_same_records_give_the_same_bytes(built: tuple[Path, Path, str], tmp_path: Path) -> None:
    records, out, _ = built
    again = report(records, tmp_path)
    assert {path.relative_to(tmp_path) for path in again} == {p.relative_to(out) for p in out.rglob("*") if p.is_file()}
    assert len(again) == 1 + 9  # per protocol confusion, reliability, curves; t-SNE of one; two sweeps
    for path in again:
        assert path.read_bytes() == (out / path.relative_to(tmp_path)).read_bytes(), path.name
        assert path.suffix == ".md" or path.stat().st_size <= LARGEST


def test_figures_of_the_main_table_by_hand(built: tuple[Path, Path, str]) -> None:
    text = section(built[2], "All systems")
    row = cells(text, "CNN-BiLSTM + STL, depth 5")
    folds = [100.0 * right / 8 for right in (5, 6, 4, 5, 6, 4)]  # right clips of folds 1 to 6
    assert row[1:5] == ["12.3 k", "6.70 M", "–", f"62.5 ± {stdev(folds):.1f}"]
    assert row[5:7] == ["not run", "–"]
    assert cells(text, "TF-CNN, attention head")[3] == "3.2"
    assert "by a stopwatch" in text
    assert (
        "the best of the papers' systems, CNN-BiLSTM + STL, depth 5, has UA 62.5; it reaches the floor, not the aim"
        in text
    )
    assert "**EmoDB, 7 classes, leave one speaker out**: none of the papers' systems was run; floor 74.7" in text


def test_systems_that_were_not_run_have_a_row(built: tuple[Path, Path, str]) -> None:
    text = section(built[2], "All systems")
    for name in ("Area attention, `", "TF-CNN, `tfcnn_gap`", "TF-CNN, `tfcnn_bilinear`", "MSCNN-SPU, `"):
        row = cells(text, name)
        assert [cell for cell in row[1:] if NUMBER.match(cell)] == []
        assert "not run" in row
    assert "depth 2" not in text
    assert "16 filters" not in text


def test_missing_folds_and_seeds_are_said(tmp_path: Path) -> None:
    for item in (ravdess("1", 4), ravdess("1", 8, seed=2), ravdess("2", 2)):
        write_record(tmp_path, item)
    report(tmp_path, tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert f"50.0 ± {stdev([75.0, 25.0]):.1f} (2 of 6 folds)" in cells(text, "CNN-BiLSTM + STL, depth 5")
    assert "has UA 50.0, on 2 of 6 folds only; it stays 8.4 points below the floor" in text
    detail = cells(section(text, "RAVDESS, 8 classes"), "CNN-BiLSTM")
    assert detail[1:5] == ["2 × 1", f"50.0 ± {stdev([75.0, 25.0]):.1f}", "25.0", "75.0"]


def test_folds_with_few_classes_are_also_counted_together(tmp_path: Path) -> None:
    labels = ["angry", "bored", "disgust", "fear", "happy", "neutral", "sad"]
    first = [("emodb/03", "M", 0, "emodb", 0), ("emodb/03", "M", 1, "emodb", 1)]
    second = [("emodb/08", "F", 0, "emodb", 1), ("emodb/08", "F", 0, "emodb", 1), ("emodb/08", "F", 2, "emodb", 2)]
    for fold, answers in (("03", first), ("08", second)):
        write_record(
            tmp_path, of("cnn_bilstm", "emodb7", fold, 1, labels=labels, utterances=record(answers, labels).utterances)
        )
    report(tmp_path, tmp_path / "out")
    row = cells((tmp_path / "out" / "README.md").read_text("utf-8"), "CNN-BiLSTM")
    assert row[5] == f"75.0 ± {stdev([100.0, 50.0]):.1f} (2 of 10 folds)"
    assert row[6] == "77.8"  # recalls 1/3, 1 and 1


def test_sections_follow_the_records(built: tuple[Path, Path, str]) -> None:
    text = built[2]
    assert cells(section(text, "Activation, valence and dominance"), "frozen")[-1] == f"0.600 ± {stdev([0.5, 0.7]):.3f}"
    depths = section(text, "How many transformer layers")
    assert [line.split("|")[2].strip() for line in depths.splitlines() if line.startswith("| Pooled 4")] == [
        "0",
        "2",
        "5",
    ]
    shapes = section(text, "Shape of the first filters")
    assert [line.split("|")[2].strip() for line in shapes.splitlines() if line.startswith("| Pooled 4")] == [
        "2 × 8",
        "4 × 2",
        "10 × 2",
    ]
    assert "MSCNN-SPU, words" in section(text, "Other protocols: written")
    assert "Other protocols: ratings" not in text  # its labels were not learnt
    assert "(cross-corpus)" in section(text, "Four corpora pooled")
    assert "ComParE" in section(text, "Published figures")


def test_every_picture_is_shown_and_every_table_names_its_command(built: tuple[Path, Path, str]) -> None:
    _, out, text = built
    assert {out / name for name in re.findall(r"\]\((plots/[^)]+)\)", text)} == set((out / "plots").iterdir())
    blocks = text.split("\n\n")
    for place, block in enumerate(blocks):
        if block.startswith(("| ", "![")):
            after = "\n".join(blocks[place : place + 3])
            assert "python -m training" in after, block[:80]


def test_a_page_names_no_path_of_this_machine(built: tuple[Path, Path, str]) -> None:
    assert not re.search(r"/(home|tmp|work|opt|Users)/", built[2])


def test_rebuilding_takes_away_what_no_record_carries_and_links_what_people_wrote(tmp_path: Path) -> None:
    write_record(tmp_path / "records", ravdess("1", 4))
    out = tmp_path / "out"
    (out / "plots").mkdir(parents=True)
    (out / "plots" / "confusion_gone.png").write_bytes(b"")
    (out / "plots" / "streams_alerts.png").write_bytes(b"")
    (out / "discussion.md").write_text("why\n", encoding="utf-8")
    paths = report(tmp_path / "records", out)
    kept = out / "plots" / "streams_alerts.png"  # another page's
    assert sorted((out / "plots").iterdir()) == sorted([*paths[1:], kept])
    assert "[discussion.md](discussion.md)" in paths[0].read_text("utf-8")
    assert (out / "discussion.md").read_text("utf-8") == "why\n"


def test_an_embedding_of_another_length_names_the_record(tmp_path: Path) -> None:
    made = full_set()[6]
    write_record(tmp_path, replace(made, embedding=[[0.0, 1.0]]))
    with pytest.raises(
        RecordError, match=r"tfcnn_attention__pooled4__holdout__s1\.json has 1 rows of embedding for 40"
    ):
        report(tmp_path, tmp_path / "out")


def test_records_of_one_protocol_with_other_labels_are_named(tmp_path: Path) -> None:
    write_record(tmp_path, ravdess("1", 4))
    write_record(tmp_path, replace(ravdess("2", 4), labels=[*EIGHT[:7], "surprised"]))
    with pytest.raises(RecordError, match=r"ravdess8__1__s1.json and .*__2__s1.json have different labels"):
        report(tmp_path, tmp_path / "out")


def test_the_weakest_points_by_hand(tmp_path: Path) -> None:
    answers = [("one/a", "F", 0, "one", 0), ("one/a", "F", 1, "one", 1), ("one/a", "F", 2, "one", 2)]
    answers += [
        ("one/a", "F", 1, "one", 1),
        ("one/b", "M", 0, "one", 0),
        ("one/b", "M", 1, "one", 0),
        ("one/b", "M", 2, "one", 2),
    ]
    answers += [("far/c", "F", 0, "cross:far", 0), ("far/c", "F", 1, "cross:far", 2)]
    write_record(tmp_path, of("cnn_bilstm", "pooled4", "holdout", 1, utterances=record(answers).utterances))
    report(tmp_path, tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text("utf-8").partition("### Where each system is weakest")[2]
    row = cells(text, "CNN-BiLSTM")
    assert row[2:4] == ["happy (66.7)", "angry"]
    assert row[4:6] == ["male by 33.3", "one/b (66.7 of 85.7)"]
    assert row[6] == "-38.9"
