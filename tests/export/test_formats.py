"""Each format, read again by somebody else's program."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas
import pytest
import textgrid
import webvtt
from matplotlib import image
from praatio import textgrid as praat
from pyannote.core import Annotation, Timeline
from pyannote.core import Segment as Stretch
from pyannote.database.util import load_rttm
from pyannote.metrics.diarization import DiarizationErrorRate
from pyannote.metrics.identification import IdentificationErrorRate

from stream_ser.errors import ConfigError
from stream_ser.export import curves, plot
from stream_ser.export.formats import FORMATS, by_names, by_suffix
from tests.export import scene
from tests.tui import wire

MESSAGES = scene.stream()


def written(tmp_path: Path, name: str, messages: Iterable[scene.Message] = MESSAGES) -> Path:
    path = tmp_path / f"call{FORMATS[name].suffix}"
    path.write_bytes(b"".join(FORMATS[name].write(messages)))
    return path


def test_csv_gives_pandas_every_number_of_every_point(tmp_path: Path) -> None:
    read = pandas.read_csv(written(tmp_path, "csv"))
    points = scene.points(MESSAGES)
    assert len(read) == len(points)
    for name in ("stream", "start", "end", "t", "state", "confidence", "speech_s", "level_dbfs", "peak_dbfs"):
        assert read[name].tolist() == [point[name] for point in points]
    for name in ("label", "text"):
        assert read[name].astype(object).where(read[name].notna(), None).tolist() == [point[name] for point in points]
    warming = [point["state"] == "warming" for point in points]
    assert True in warming
    for label in wire.LABELS:
        same(read[f"raw_{label}"], [point["raw"][label] for point in points])
        smoothed = [point["smoothed"][label] for point in points]
        same(read[f"smoothed_{label}"], [None if w else p for w, p in zip(warming, smoothed, strict=True)])
    for dimension in scene.DIMENSIONS:
        same(read[dimension], [point["dimensions"][dimension] for point in points])


@pytest.mark.parametrize("name", ["=1+1", "+49 30 1", "-1", "@sum", "\tx", "\nx", "＝1+1", "Müller"])
def test_no_spreadsheet_computes_a_name_that_a_publisher_chose(tmp_path: Path, name: str) -> None:
    messages = scene.of(name, scene.stream())
    read = pandas.read_csv(written(tmp_path, "csv", messages))
    assert set(read["stream"]) == {name if name == "Müller" else f"'{name}"}
    assert read["level_dbfs"].min() < 0  # numbers below zero stay numbers
    excel = written(tmp_path, "csv-excel", messages).read_bytes()
    assert excel == b"\xef\xbb\xbf" + written(tmp_path, "csv", messages).read_bytes()


def same(column: Any, values: list[float | None]) -> None:
    np.testing.assert_array_equal(column.to_numpy(dtype=float), np.array(values, dtype=float))


def test_textgrid_gives_praatio_the_trajectory(tmp_path: Path) -> None:
    grid = praat.openTextgrid(str(written(tmp_path, "textgrid")), includeEmptyIntervals=True)
    assert (grid.minTimestamp, grid.maxTimestamp) == (0, scene.LENGTH / scene.RATE)
    intervals = grid.getTier("expressed").entries
    assert all(before.end == after.start for before, after in pairwise(intervals))
    scene.check([tuple(i) for i in intervals if i.label], MESSAGES)
    missing = [tuple(i) for i in grid.getTier("missing").entries if i.label]
    assert missing == [(scene.GAP[0] / scene.RATE, scene.GAP[1] / scene.RATE, 'the device said "no"')]
    assert [tuple(point) for point in grid.getTier("alerts").entries] == [(7.5, "warning: anger rising")]
    marked = [(5.0, "first"), ((59 * scene.HOP + 321) / scene.RATE, "says no --> & <b>")]
    assert [tuple(point) for point in grid.getTier("marks").entries] == marked


def test_textgrid_is_read_by_another_library_too(tmp_path: Path) -> None:
    messages = [*MESSAGES[:-1], scene.alert("opened", 31, "b", 'a "quoted" rule'), MESSAGES[-1]]
    grid = textgrid.TextGrid.fromFile(str(written(tmp_path, "textgrid", messages)))
    scene.check([(i.minTime, i.maxTime, i.mark) for i in grid.getFirst("expressed") if i.mark], MESSAGES)
    assert [point.mark for point in grid.getFirst("alerts")] == ["warning: anger rising", 'warning: a "quoted" rule']


def test_quotes_are_doubled_in_a_textgrid_as_praat_wants_it(tmp_path: Path) -> None:
    texts = re.findall(r"(?:text|mark) = (.*)", written(tmp_path, "textgrid").read_text())
    assert '"the device said ""no"""' in texts
    assert all(re.fullmatch(r'"(?:[^"]|"")*"', text) for text in texts)


def test_two_alerts_at_one_time_are_one_point_of_the_tier(tmp_path: Path) -> None:
    messages = [*MESSAGES[:-1], scene.alert("opened", 30, "b", "two\nlines"), MESSAGES[-1]]
    grid = praat.openTextgrid(str(written(tmp_path, "textgrid", messages)), includeEmptyIntervals=True)
    (point,) = grid.getTier("alerts").entries
    assert point.label == "warning: anger rising; warning: two lines"


def test_webvtt_gives_its_reader_the_trajectory(tmp_path: Path) -> None:
    cues = webvtt.read(str(written(tmp_path, "vtt")))
    alerts = [cue for cue in cues if "c.alert" in cue.raw_text]
    assert [(cue.start_in_seconds, cue.text) for cue in alerts] == [(6, "warning: anger rising")]
    assert alerts[0].raw_text.startswith("<c.alert.warning>")
    marks = [cue for cue in cues if "c.mark" in cue.raw_text]
    assert [(cue.start_in_seconds, cue.raw_text) for cue in marks] == [
        (5, "<c.mark>first</c>"), (14, '<c.mark>says no --&gt; &amp; &lt;b&gt;</c>')
    ]  # fmt: skip
    others = [c for c in cues if c not in alerts and c not in marks]
    others = [(seconds(cue.start), seconds(cue.end), cue.text.split(" ")[0]) for cue in others]
    scene.check(others, MESSAGES)
    assert any(cue.raw_text.startswith("<c.speech.happy>happy</c> ") and cue.raw_text.endswith(" %") for cue in cues)
    assert [cue.start for cue in cues] == sorted(cue.start for cue in cues)


def test_webvtt_has_times_to_the_millisecond(tmp_path: Path) -> None:
    at_hops = {slot / 4 for slot in range(97)}
    for cue in webvtt.read(str(written(tmp_path, "vtt"))):
        assert {seconds(cue.start), seconds(cue.end)} <= at_hops | {
            10.077,
            11.299,
            14.77,
            16.77,
        }  # the gap's edges, a mark's


def seconds(clock: str) -> float:
    hours, minutes, rest = clock.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(rest)


def test_webvtt_cannot_be_broken_by_names(tmp_path: Path) -> None:
    labels = ["<b>-->", "a & b", "ü.x", "-"]
    messages = scene.stream("--> a\n\nNOTE <x>", label_names=labels)
    cues = webvtt.read(str(written(tmp_path, "vtt", messages)))
    said = {cue.raw_text for cue in cues if "c.speech" in cue.raw_text}
    assert all(text.startswith(("<c.speech.b>&lt;b&gt;--&gt;</c> ", "<c.speech.a-b>a &amp; b</c> ")) for text in said)
    assert len(cues) == len(webvtt.read(str(written(tmp_path, "vtt"))))


def test_rttm_gives_pyannote_the_labels(tmp_path: Path) -> None:
    ((name, annotation),) = load_rttm(str(written(tmp_path, "rttm"))).items()
    assert name == "call_1"
    turns = [(segment.start, segment.end, label) for segment, _, label in annotation.itertracks(yield_label=True)]
    assert {label for _, _, label in turns} == {"angry", "happy"}
    for moment, text in scene.told_at(MESSAGES):
        found = [label for start, end, label in turns if start <= moment < end]
        assert found == ([] if text.startswith("[") else [text])


def test_identification_error_rate_holds_emotions_to_their_names_and_der_does_not() -> None:
    """What docs/exports.md says of pyannote's two rates."""
    reference, swapped = Annotation(), Annotation()
    for annotation, labels in ((reference, ("angry", "sad")), (swapped, ("sad", "angry"))):
        for place, label in enumerate(labels):
            annotation[Stretch(place, place + 1.0)] = label
    part = Timeline([Stretch(0.0, 2.0)])
    assert DiarizationErrorRate()(reference, swapped, uem=part) == 0.0
    assert IdentificationErrorRate()(reference, swapped, uem=part) == 1.0
    assert IdentificationErrorRate()(reference, reference, uem=part) == 0.0


def test_rttm_has_the_ten_fields_of_its_standard(tmp_path: Path) -> None:
    messages = scene.stream("a b\tc", label_names=["very angry", "happy", "c", "d"])
    for line in written(tmp_path, "rttm", messages).read_text().splitlines():
        kind, file, channel, start, length, _, _, label, confidence, _ = fields = line.split(" ")
        assert (len(fields), kind, file, channel) == (10, "SPEAKER", "a_b_c", "1")
        assert label in ("very_angry", "happy")
        assert 0 <= float(start) < scene.LENGTH / scene.RATE
        assert float(length) > 0
        assert 0.3 < float(confidence) < 1


def test_audacity_labels_are_three_columns(tmp_path: Path) -> None:
    read = pandas.read_csv(written(tmp_path, "audacity"), sep="\t", header=None, quoting=3)
    rows = [tuple(row) for row in read.itertuples(index=False)]
    assert (6.0, 7.75, "warning: anger rising") in rows
    at = (59 * scene.HOP + 321) / scene.RATE
    assert (at, at, "says no --> & <b>") in rows
    scene.check([row for row in rows if "warning" not in row[2] and row[0] < row[1]], MESSAGES)


def test_jsonl_has_the_messages_with_numbers_of_their_own(tmp_path: Path) -> None:
    read = pandas.read_json(written(tmp_path, "jsonl"), lines=True)
    assert read["type"].tolist() == [message["type"] for message in MESSAGES]
    assert read["seq"].tolist() == list(range(len(MESSAGES)))


@pytest.mark.parametrize("dimensions", [[], scene.DIMENSIONS])
def test_the_picture_is_one_that_can_be_seen(tmp_path: Path, dimensions: list[str]) -> None:
    messages = scene.stream("$a$ \\frac _x", dimensions)
    pixels = image.imread(written(tmp_path, "png", messages))
    assert pixels.shape[1] == 1_800
    assert len(np.unique((255 * pixels[::4, ::4, :3]).astype(int) @ [65_536, 256, 1])) > 20
    told = "".join(ElementTree.parse(written(tmp_path, "svg", messages)).getroot().itertext())
    for word in ("$a$ \\frac _x", *wire.LABELS, "silence", "sound is missing", "uncertain", "anger rising", "min:s"):
        assert word in told
    assert ("valence" in told) == bool(dimensions)


@pytest.mark.parametrize("name", FORMATS)
def test_equal_streams_make_equal_files(name: str) -> None:
    first, second = (b"".join(FORMATS[name].write(scene.stream())) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", FORMATS)
def test_a_stream_in_which_nothing_was_heard(tmp_path: Path, name: str) -> None:
    nothing = [wire.hello(), wire.end("stopped") | {"duration_s": 0.0, "points": 0}]
    path = written(tmp_path, name, nothing)
    if name == "textgrid":
        assert praat.openTextgrid(str(path), includeEmptyIntervals=True).tierNames == (
            "expressed",
            "missing",
            "alerts",
            "marks",
        )
    if name in ("csv", "csv-excel"):
        assert pandas.read_csv(path).empty
    if name == "vtt":
        assert len(webvtt.read(str(path))) == 0


def test_a_long_trajectory_is_drawn_as_means() -> None:
    gatherer = curves.Gatherer()
    labels = ["a", "b"]
    asked = [wire.point(slot, "silence" if slot > 900 else "speech", (slot / 1000, 1 - slot / 1000), (0.5, 0.5), labels)
             for slot in range(1000)]  # fmt: skip
    for _ in gatherer([wire.hello(labels=labels), *asked]):
        pass
    thin = gatherer.curves(columns=100)
    assert thin.each == 10
    np.testing.assert_allclose(thin.smoothed["a"], np.arange(100) / 100 + 0.0045)
    assert np.isnan(thin.heard["a"][91:]).all()
    assert not np.isnan(thin.heard["a"][:91]).any()


def test_pictures_without_matplotlib_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plot, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'stream-ser\[plot\]'"):
        by_names("csv,png")
    with pytest.raises(ConfigError, match="matplotlib"):
        by_suffix(Path("a.SVG"))
    with pytest.raises(ConfigError, match="matplotlib"):
        list(plot.svg(MESSAGES))


def test_formats_are_told_by_name_and_by_suffix() -> None:
    assert [form.name for form in by_names("CSV, textgrid,csv")] == ["csv", "textgrid"]
    names = {"a.jsonl": "jsonl", "a": "jsonl", "a.TextGrid": "textgrid", "a.textgrid": "textgrid", "x.labels.txt": "audacity",
             "x.txt": "audacity", "x.VTT": "vtt", "x.rttm": "rttm", "x.png": "png", "a.b/c": "jsonl",
             "x.csv": "csv", "x.Excel.csv": "csv-excel", "x.audformat.csv": "audformat"}  # fmt: skip
    assert {path: by_suffix(Path(path)).name for path in names} == names
    for wrong in ("mov", "", "csv,,vtt"):
        with pytest.raises(ConfigError, match="choose from jsonl, csv"):
            by_names(wrong)
    with pytest.raises(ConfigError, match=r"\.mov is no format; .*\.csv"):
        by_suffix(Path("a.mov"))
