"""What stands on the screen, read as text and cell by cell."""

from __future__ import annotations

import re

import pytest
from rich.color import ColorSystem

from stream_ser.tui.glyphs import large
from stream_ser.tui.palette import PALETTES, dimmed
from tests.tui.test_palette import contrast
from tests.tui.wire import LABELS, Message, alert, end, gap, hello, notice, point, rated, screen, story, text_of

EMOTIONS = ["angry", "happy", "neutral", "sad", "fearful", "disgust", "surprised"]
SITUATIONS: dict[str, list[Message]] = {
    "waiting": [],
    "warming": [hello(), point(1, "warming")],
    "speech": story(),
    "silence": [*story(), point(121, "silence")],
    "uncertain": [*story(), point(121, "uncertain", (0.31, 0.29, 0.25, 0.15))],
    "gap": [*story(), gap(480_000, 495_000), point(121, "stale")],
    "clipping": [*story(), point(121, level_dbfs=-2.0, peak_dbfs=0.0)],
    "ended": [*story(), end()],
    "failed": [*story(), end("error", "the microphone is gone; run stream-ser devices")],
}


async def drawn(messages: list[Message], size: tuple[int, int] = (80, 24)) -> str:
    app = screen(messages)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.frame()
        await pilot.pause()
        return "\n".join(text_of(app))


async def test_speech_shows_label_confidence_and_both_probabilities() -> None:
    text = await drawn([hello(), *(point(slot) for slot in range(8, 12))], (140, 45))
    assert "expressed emotion" in text
    assert "confidence 62 %" in text
    assert "A angry" in text
    assert "62 %  raw  75 %" in text
    assert "1.6 s of speech in the last 2 s" in text


async def test_source_speed_and_feed_are_named() -> None:
    text = await drawn(story())
    for part in (
        "recording clip.flac",
        "44.1 kHz, stereo",
        "0:30.0 / 0:40.1",
        "compute p50 3.1 ms",
        "age p95 4.0 ms",
        "lag 0.0 ms",
        "onnxruntime-cpu",
        "tfcnn-area  9f2c1ab0",
        "ws://127.0.0.1:8765",
        "resampling 44100 Hz to 16000 Hz",
    ):
        assert part in text


async def test_a_live_source_has_no_end() -> None:
    source = {"kind": "microphone", "name": "USB Audio", "rate": 48000, "channels": 1, "duration_s": None}
    text = await drawn([hello(source=source), point(8)])
    assert "microphone USB Audio  48 kHz, mono   0:02.0" in text
    assert " / 0:" not in text


async def test_a_long_name_gives_way_to_the_position() -> None:
    source = {"kind": "recording", "name": "n" * 200, "rate": 8000, "channels": 8, "duration_s": 10.0}
    first = (await drawn([hello(source=source), point(8)])).splitlines()[0]
    assert "nn…  8 kHz, 8 ch   0:02.0 / 0:10.0" in first
    assert first.startswith("  stream-ser")


async def test_the_timeline_has_a_letter_for_every_column() -> None:
    messages = [hello(), point(1, "warming"), point(2, "silence"), point(3), point(4, "uncertain")]
    messages += [gap(16_000, 20_000), point(6, "paused"), point(7, "stale"), point(9, smoothed=(0.1, 0.2, 0.6, 0.1))]
    row = next(row for row in (await drawn(messages, (140, 45))).splitlines() if "w·" in row)
    assert re.sub(r"(.)\1", r"\1", row.split()[1]) == "w·A?xp~N", "a hop of 0.25 s has a column or two"


async def test_a_label_is_never_shown_without_speech() -> None:
    app = screen([hello()])
    async with app.run_test() as pilot:
        await pilot.pause()
        for slot, state in enumerate(("warming", "silence", "uncertain", "stale", "paused"), 8):
            app.state.consume(point(slot, state), 100.0)
            app.frame()
            await pilot.pause()
            text = "\n".join(text_of(app))
            assert "confidence 62 %" not in text
            assert f" {state} ─╮" in text, "the state is a badge"
            assert large(state, 36)[0] not in text  # type: ignore[index]
            assert large("angry", 36)[0] not in text  # type: ignore[index]


async def test_the_headline_holds_a_label_for_two_seconds_and_keeps_its_size() -> None:
    app = screen([hello(), point(8)])
    angry = large("angry", 36)
    assert angry is not None
    async with app.run_test() as pilot:
        await pilot.pause()
        for slot in range(9, 17):
            app.state.consume(point(slot, "silence"), 100.0)
            app.frame()
            await pilot.pause()
            rows = text_of(app)
            held = slot < 16
            assert (angry[0] in rows[2]) == held
            assert ("angry is held from 0:02.0" in "\n".join(rows)) == held
            assert "· silence ─╮" in rows[1]


@pytest.mark.parametrize("size", [(80, 24), (140, 45), (200, 60)])
async def test_words_of_the_headline_have_one_size(size: tuple[int, int]) -> None:
    heights = set()
    labels = ["sad", "disappointed"]
    for word in ((0.9, 0.1), (0.1, 0.9), None):
        messages = [hello(labels=labels), point(8, "speech" if word else "silence", word or (0.5, 0.5), word, labels)]
        app = screen(messages)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            app.frame()
            headline = app.screen.headline  # type: ignore[attr-defined]
            rows = ["".join(part.text for part in headline.row(y)) for y in range(headline.size.height)]
            heights.add(next(y for y, row in enumerate(rows) if "confidence" in row or "nobody" in row))
    assert len(heights) == 1


async def test_what_is_held_is_dimmed_in_every_theme() -> None:
    for palette in PALETTES.values():
        for colour in (*palette.labels.known.values(), *palette.labels.others):
            assert dimmed(palette, colour) != colour or palette.muted == palette.text == colour
            assert contrast(dimmed(palette, colour), palette.ground) >= (7.0 if palette.muted == palette.text else 2.0)


async def test_uncertain_says_that_no_label_is_justified() -> None:
    text = await drawn([hello(), point(8, "uncertain", (0.31, 0.29, 0.25, 0.15))])
    assert "at most 31 %: no label is justified" in text


async def test_warming_and_waiting_show_no_probabilities() -> None:
    for messages in ([hello()], [hello(), point(1, "warming")]):
        text = await drawn(messages)
        assert "%" not in text.replace("100 %", "")
        assert text.count("–") >= len(LABELS)


async def test_a_gap_is_told_with_its_reason_until_the_window_is_whole_again() -> None:
    after = [*story(), gap(480_000, 488_000)]
    assert "gap: the device delivered" in await drawn([*after, point(123, "warming")])
    assert "gap: the device delivered" not in await drawn([*after, point(140, "warming")])


async def test_clipping_is_marked() -> None:
    assert "CLIPPING" in await drawn(SITUATIONS["clipping"])
    assert "CLIPPING" not in await drawn(SITUATIONS["speech"])


async def test_the_end_sums_up() -> None:
    text = await drawn(SITUATIONS["ended"])
    assert "finished at 0:40.1, 160 points" in text
    assert "speech 24.5 s, silence 13.5 s" in text
    assert "45 %" in text
    assert "share of the points with a label" in text


async def test_an_end_by_error_says_what_happened() -> None:
    assert "error: the microphone is gone; run stream-ser devices" in await drawn(SITUATIONS["failed"])


async def test_markup_in_names_is_only_text() -> None:
    text = await drawn([hello(stream="[red]"), notice("[bold]100 %[/] of [x") | {"stream": "[red]"}])
    assert "[bold]100 %[/] of [x" in text


@pytest.mark.parametrize("count", [1, 7])
async def test_every_label_has_its_bar_on_the_smallest_screen(count: int) -> None:
    labels = EMOTIONS[:count]
    share = tuple(1 / count for _ in labels)
    text = await drawn([hello(labels=labels), point(8, smoothed=share, raw=share, labels=labels)])
    assert all(f" {label}" in text for label in labels)
    assert "less likely" not in text


async def test_with_too_many_labels_the_likeliest_are_shown_and_the_rest_counted() -> None:
    labels = [f"label{i:02d}" for i in range(20)]
    values = tuple((i + 1) / 210 for i in range(20))
    text = await drawn([hello(labels=labels), point(8, smoothed=values, raw=values, labels=labels)])
    assert " label19 " in text
    assert " label13 " in text
    assert " label12 " not in text
    assert "and 13 less likely" in text


@pytest.mark.parametrize("situation", ["waiting", "gap", "ended"])
async def test_every_row_fills_the_screen_at_every_size(situation: str) -> None:
    app = screen(SITUATIONS[situation])
    async with app.run_test(size=(80, 24)) as pilot:
        for width, height in [(140, 45), (40, 12), (1, 1), (80, 24)]:
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            app.frame()
            rows = text_of(app)
            assert len(rows) == height
            assert {len(row) for row in rows} == {width}


@pytest.mark.parametrize("situation", ["gap", "clipping", "failed", "looked back"])
async def test_no_sign_vanishes_in_16_colours(situation: str) -> None:
    app = screen(SITUATIONS.get(situation) or rated([*story(), alert()]))
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.pause()
        await pilot.press(*["pageup"] * (situation == "looked back"))
        for _theme in range(3):
            await pilot.press("t")
            await pilot.pause()
            for strip in app.screen._compositor.render_strips():
                for text, style, _control in strip:
                    if text.strip(" █"):
                        assert style is not None
                        assert style.color is not None
                        assert style.bgcolor is not None
                        ink = style.color.downgrade(ColorSystem.STANDARD).number
                        ground = style.bgcolor.downgrade(ColorSystem.STANDARD).number
                        assert ink != ground, text
