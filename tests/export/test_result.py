"""A trajectory in memory: its formats are the command's files, and nothing is needed that is not used."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pandas
import pytest

import stream_ser
from stream_ser.errors import ConfigError, FeedError
from stream_ser.export import dataframe, plot
from stream_ser.export.html import html
from stream_ser.export.result import Trajectory
from stream_ser.feed.messages import encode
from tests.conftest import read_lines
from tests.conftest import trajectory as without_timings
from tests.export import scene

FILES = {
    "csv": "csv",
    "rttm": "rttm",
    "textgrid": "TextGrid",
    "webvtt": "vtt",
    "audformat": "audformat.csv",
    "audacity": "labels.txt",
}


@pytest.fixture(scope="module")
def result(talk: Path) -> Trajectory:
    return stream_ser.analyze(talk)


@pytest.fixture
def full() -> Trajectory:
    """All states, a gap, alerts, marks, dimensions."""
    return Trajectory([], [encode(message) for message in scene.stream()])


@pytest.mark.parametrize("name", FILES)
def test_every_format_is_the_commands_file(
    command: Callable[..., tuple[int, str, str]], talk: Path, tmp_path: Path, result: Trajectory, name: str
) -> None:
    out = tmp_path / f"command.{FILES[name]}"
    if name == "audacity":
        assert command("analyze", talk, "--out", tmp_path / "command.jsonl")[0] == 0
        assert command("export", tmp_path / "command.jsonl", "--to", "audacity", "--out", tmp_path)[0] == 0
    else:
        assert command("analyze", talk, "--out", out)[0] == 0
    ours = tmp_path / "ours"
    text = getattr(result, f"to_{name}")(ours)
    assert text.encode() == ours.read_bytes() == out.read_bytes()
    assert getattr(result, f"to_{name}")() == text


def test_jsonl_is_numbered_anew_and_says_what_the_messages_say(result: Trajectory, tmp_path: Path) -> None:
    result.to_jsonl(tmp_path / "a.jsonl")
    read = read_lines(tmp_path / "a.jsonl")
    assert [m["seq"] for m in read if m["type"] != "hello"] == list(range(1, len(read)))
    assert without_timings(read) == without_timings(list(result.messages()))


def test_the_data_frame_holds_every_number(full: Trajectory, tmp_path: Path) -> None:
    frame = full.to_dataframe()
    full.to_csv(tmp_path / "full.csv")
    read = pandas.read_csv(tmp_path / "full.csv")
    assert list(frame.columns) == list(read.columns)
    for column in frame.columns:
        missing = frame[column].isna()
        assert missing.tolist() == read[column].isna().tolist(), column
        assert frame[column][~missing].tolist() == read[column][~missing].tolist(), column
    assert frame["raw_happy"].dtype == frame["valence"].dtype == float


def test_what_is_not_installed_is_named(result: Trajectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataframe, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="pip install pandas"):
        result.to_dataframe()
    monkeypatch.setattr(plot, "find_spec", lambda _: None)
    for draw in (result.plot, result.to_png, result.to_svg):
        with pytest.raises(ConfigError, match=r"pip install 'stream-ser\[plot\]'"):
            draw()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert "<svg" in result._repr_html_(), "the small picture needs neither"


def test_a_place_that_cannot_be_written_is_an_error(result: Trajectory, tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="name a file in a folder"):
        result.to_csv(tmp_path / "nowhere" / "a.csv")


def test_plot_gives_a_figure_to_go_on_with(full: Trajectory, tmp_path: Path) -> None:
    figure = full.plot()
    assert len(figure.axes) == 3
    assert "how it sounds to" in figure.axes[0].get_title(loc="left")
    figure.savefig(tmp_path / "figure.png")
    assert full.to_png(tmp_path / "drawn.png")[:8] == (tmp_path / "figure.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_figures_and_runs(result: Trajectory) -> None:
    assert len(result) == len(list(result)) == 48
    assert result.duration_s == 12.0
    assert result.labels == ("angry", "happy", "neutral", "sad")
    assert sum(result.summary["share"].values()) == pytest.approx(1.0)
    assert {run.label for run in result.segments} == {None} | {point.label for point in result if point.label}
    assert result.segments[0].start_s == 0.0
    assert result.segments[-1].end_s == 12.0
    assert repr(result).startswith("<Trajectory 'talk.wav': 12.0 s, 48 points, happy ")


def picture(page: str) -> ElementTree.Element:
    return ElementTree.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])


def test_the_small_picture_shows_lines_runs_and_states(full: Trajectory) -> None:
    drawn = picture(full._repr_html_())
    words = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert set(full.labels) <= set(words)
    titles = {element.text for element in drawn.iter("{http://www.w3.org/2000/svg}title")}
    assert {"silence", "sound is missing", "warming up"} <= titles
    lines = [element.get("d", "") for element in drawn.iter("{http://www.w3.org/2000/svg}path")]
    assert sum(line.count("L") > 20 for line in lines) >= 2 * len(full.labels)
    assert any(line.count("M") > 1 for line in lines), "lines break where nothing is known"
    assert full._repr_html_() == full._repr_html_()


def test_names_cannot_become_markup() -> None:
    wicked = "<script>alert(1)</script>&"
    page = html(scene.stream(name=wicked, label_names=["<b>", "happy", "neutral", "sad"]))
    assert "<script" not in page
    assert "<b>" not in page
    picture(page)


def test_a_long_trajectory_has_a_small_picture() -> None:
    hello, point = scene.stream()[0], next(m for m in scene.stream() if m["type"] == "point")
    day = (
        {**point, "start": 4_000 * n, "end": 4_000 * (n + 1), "t": (n + 1) / 4, "state": "silence", "label": None}
        for n in range(40_000)
    )
    assert len(html([hello, *day])) < 150_000
