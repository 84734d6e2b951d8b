"""The demos that make what the repository shows, and a call. ``demos/subscribe.py`` is run by the tests of the feed."""

from __future__ import annotations

import asyncio
import json
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from demos import call, make_grid_picture, make_picture, make_recording, make_transcript, make_why_picture
from stream_ser.api import Monitor
from stream_ser.load.server import server
from stream_ser.tui.state.calm import CalmLabel
from stream_ser_models.card import DEFAULT, find, read_card
from tests.conftest import BUNDLED


def test_the_picture_is_drawn_from_the_bundled_recording(tmp_path: Path) -> None:
    make_picture.main(tmp_path / "screen.svg", speed=None)
    drawn = (tmp_path / "screen.svg").read_text("utf-8").replace("&#160;", " ")
    for words in ("expressed emotion", "conversation.flac", DEFAULT):
        assert words in drawn


def test_the_picture_of_several_recordings_has_a_tile_for_each(tmp_path: Path) -> None:
    make_grid_picture.main(tmp_path / "grid.svg")
    drawn = (tmp_path / "grid.svg").read_text("utf-8").replace("&#160;", " ")
    for words in ("4 streams", "monday.wav", "thursday.wav", "all recordings 0:12.5", "HAPPY", "SAD"):
        assert words in drawn


def test_the_picture_of_why_is_drawn_from_the_bundled_recording(tmp_path: Path) -> None:
    make_why_picture.main(tmp_path / "why.svg", speed=8.0)
    drawn = (tmp_path / "why.svg").read_text("utf-8").replace("&#160;", " ")
    for words in ("bottom-up: where the model looks", "W next map", "1 kHz"):
        assert words in drawn


def test_what_the_demo_prints_is_written_where_it_was_and_nowhere_else() -> None:
    lines = ["a recording", "00:03.0  silence", "00:04.0  speech", "00:11.0  silence", "finished: 1 s", "happy 9 %"]
    page = "# A\n\n```sh\nfinished: no\n```\n\n```\nfeed: x\nfinished: 2 s\nold\n```\n\n```\nfinished: 2 s\n```\nend\n"
    addresses = "\n".join(make_transcript.ADDRESSES)
    assert make_transcript.renewed(page, lines) == (
        f"# A\n\n```sh\nfinished: no\n```\n\n```\n{addresses}\na recording\n00:04.0  speech\n…\nfinished: 1 s\nhappy 9 %\n"
        "```\n\n```\nfinished: 1 s\nhappy 9 %\n```\nend\n"
    )
    pages = [page.read_text("utf-8") for page in make_transcript.PAGES]
    printed = make_transcript.printed()
    for text in pages:
        assert text.count("\nfinished: ") == make_transcript.renewed(text, printed).count("\nfinished: ") == 1


def test_how_calm_the_headline_is_is_written_where_it_was() -> None:
    told = "x.flac: 40.0 changes a minute of the newest point's word, 12.5 of the headline's"
    page = "Now the word changes 1.0 times a minute; one that followed would\nchange 2.0 times."
    expected = "Now the word changes 12.5 times a minute; one that followed would\nchange 40.0 times."
    assert make_transcript.changes(page, told) == expected
    real = make_transcript.HEADLINE.read_text("utf-8")
    assert make_transcript.changes(real, told) != real


def test_the_bundled_recording_has_true_silences_and_unheard_speakers() -> None:
    samples, rate = soundfile.read(BUNDLED)
    clips = json.loads(BUNDLED.with_name("conversation.labels.json").read_text("utf-8"))["clips"]
    held_out = read_card(find(DEFAULT)).split["test"]["crema_d"]
    assert {clip["speaker"] for clip in clips} <= set(held_out)
    assert {clip["intended"] for clip in clips} == {"happy", "sad"}
    spoken = np.zeros(len(samples), dtype=bool)
    for clip in clips:
        spoken[round(clip["start_s"] * rate) : round(clip["end_s"] * rate)] = True
    assert not samples[~spoken].any()
    assert 35 <= len(samples) / rate <= 45


def test_the_demo_agrees_with_its_true_labels_where_it_is_confident_and_is_calm() -> None:
    clips = json.loads(BUNDLED.with_name("conversation.labels.json").read_text("utf-8"))["clips"]
    with Monitor() as monitor:
        points, labels = monitor.analyze(BUNDLED).points, monitor.labels
    right, headline, shown = [], CalmLabel(), []
    for point in points:
        headline.take(point.t, point.state, point.label)
        if headline.label is not None and (not shown or shown[-1] != headline.label):
            shown.append(headline.label)
        told = [clip["intended"] for clip in clips if clip["start_s"] < point.t <= clip["end_s"]]
        if told and point.raw is not None and point.confidence >= 0.6:
            right.append(labels[point.smoothed.index(max(point.smoothed))] == told[0])
    true_changes = sum(a["intended"] != b["intended"] for a, b in pairwise(clips))
    assert len(right) >= 15
    assert np.mean(right) >= 0.9
    assert len(shown) - 1 <= 2 * true_changes


def test_the_bundled_recording_can_be_made_again(tmp_path: Path) -> None:
    corpus = Path(os.environ.get("STREAM_SER_DATA", "none")) / "crema_d"
    if not corpus.is_dir():
        pytest.skip("STREAM_SER_DATA names no folder with crema_d")
    make_recording.main(corpus, tmp_path)
    made, _ = soundfile.read(tmp_path / "conversation.flac", dtype="int16")
    shipped, _ = soundfile.read(BUNDLED, dtype="int16")
    np.testing.assert_array_equal(made, shipped)


def test_a_call_is_sent_and_its_points_are_printed(
    talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STREAM_SER_TOKEN", raising=False)
    with server(tmp_path, ["--limits-burst-s", "20"]) as running:
        asyncio.run(asyncio.wait_for(call.main(running.url, talk, speed=8.0), 30.0))
    told = capsys.readouterr().out
    assert "happy" in told
    assert "silence" in told
    assert '"duration_s": 12.0' in told
