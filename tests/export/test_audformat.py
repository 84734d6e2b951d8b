"""The table that audEERING's tools read."""

from __future__ import annotations

import configparser
import csv
import io
import shutil
from pathlib import Path

import pandas
import pytest

from stream_ser.export.audformat import audformat, time_delta
from stream_ser.types import SAMPLE_RATE
from tests.conftest import BUNDLED
from tests.export import scene
from tests.tui import wire

MESSAGES = scene.stream("sub/call, 1.wav")


def table(messages: list[scene.Message]) -> bytes:
    return b"".join(audformat(messages))  # type: ignore[arg-type]


def test_every_stretch_with_a_label_has_a_row_and_nothing_else_has() -> None:
    head, *rows = csv.reader(io.StringIO(table(MESSAGES).decode()))
    assert head == ["file", "start", "end", "emotion"]
    assert {row[0] for row in rows} == {"sub/call, 1.wav"}
    for moment, text in scene.told_at(MESSAGES):
        at = pandas.Timedelta(round(moment * 1e9), unit="ns")
        found = [row[3] for row in rows if pandas.Timedelta(row[1]) <= at < pandas.Timedelta(row[2])]
        assert found == ([] if text.startswith("[") else [text])


@pytest.mark.parametrize("position", [0, 1, 100_000, 36 * 3600 * SAMPLE_RATE + 15_999])
def test_times_are_exact(position: int) -> None:
    assert pandas.Timedelta(time_delta(position)).value == position * 62_500


def test_of_a_part_the_times_are_those_in_the_file() -> None:
    moved = [dict(message) for message in MESSAGES]
    moved[0]["source"] = {**moved[0]["source"], "offset_s": 30.0}
    first, later = (next(csv.DictReader(io.StringIO(table(given).decode()))) for given in (MESSAGES, moved))
    assert pandas.Timedelta(later["start"]) - pandas.Timedelta(first["start"]) == pandas.Timedelta(seconds=30)


def test_audformat_reads_it_as_a_segmented_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = pytest.importorskip(
        "audformat", reason="needs audformat, which brings pyarrow and changes what pandas gives"
    )
    monkeypatch.setattr("tqdm.tqdm.monitor_interval", 0)  # audformat's progress would leave a thread
    path = tmp_path / "call.audformat.csv"
    path.write_bytes(table(MESSAGES))
    emotions = read.utils.read_csv(str(path))
    assert read.index_type(emotions.index) == "segmented"
    assert emotions.name == "emotion"
    assert set(emotions) <= set(wire.LABELS)
    database = read.Database("calls")
    database.schemes["emotion"] = read.Scheme(labels=wire.LABELS)
    database["emotion"] = read.Table(emotions.index)
    database["emotion"]["emotion"] = read.Column(scheme_id="emotion")
    database["emotion"]["emotion"].set(emotions)
    database.save(str(tmp_path / "db"), storage_format="csv")
    again = read.Database.load(str(tmp_path / "db"))["emotion"]["emotion"].get()
    assert list(again.astype(str)) == list(emotions.astype(str))
    assert (again.index == emotions.index).all()


def test_nkululeko_loads_it_as_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nkululeko", reason="needs nkululeko, which wants an older pandas")
    from nkululeko.experiment import Experiment

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tqdm.tqdm.monitor_interval", 0)
    messages = scene.stream("call.wav")
    Path("call.audformat.csv").write_bytes(table(messages))
    shutil.copyfile(BUNDLED, "call.wav")
    config = configparser.ConfigParser()
    config.read_dict(
        {
            "EXP": {"root": "./", "name": "calls"},
            "DATA": {
                "databases": "['calls']",
                "calls": "./call.audformat.csv",
                "calls.type": "csv",
                "calls.absolute_path": "False",
                "target": "emotion",
                "labels": str(wire.LABELS),
            },
            "FEATS": {"type": "[]"},
            "MODEL": {"type": "xgb"},
        }
    )
    experiment = Experiment(config)
    experiment.load_datasets()
    loaded = experiment.datasets["calls"].df
    rows = list(csv.DictReader(io.StringIO(table(messages).decode())))
    assert list(loaded["emotion"]) == [row["emotion"] for row in rows]
    assert [start for _, start, _ in loaded.index] == [pandas.Timedelta(row["start"]) for row in rows]
