"""What a point rests on, on the screen: the picture, the keys, and that nothing is asked that nobody looks at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from rich.color import Color, ColorSystem
from textual.pilot import Pilot

from stream_ser.bench.screen_cost import MadeUp
from stream_ser.controls.capabilities import Explains
from stream_ser.feed import messages
from stream_ser.tui.palette import CONTRAST, DARK, LIGHT, Palette
from stream_ser.tui.panels.explanation import LEVELS, Why, _shades
from stream_ser.tui.state.explanation import read
from tests.feed.wire import problems
from tests.tui.explanations import Explaining, why
from tests.tui.wire import RATE, hello, point, screen, story, text_of

Compare = Callable[..., bool]
ALL = ["two", "time", "none"]


@pytest.mark.parametrize("kind", ALL)
def test_the_messages_of_these_tests_are_the_feed_s(kind: str) -> None:
    assert problems(why(100, kind=kind)) == []
    assert messages.encode(why(100, kind=kind))


def test_pictures_lie_where_they_say_on_one_axis() -> None:
    reason = read(why(100), RATE)
    bottom_up, top_down = reason.maps
    assert (reason.begin_s, reason.end_s) == (23.0, 25.0)
    assert bottom_up.peak() == (
        pytest.approx(0.6),
        pytest.approx(660.0),
    )  # row 5 is 600 to 720 Hz, column 14 at 0.58 to 0.62 s
    assert top_down.peak()[1] == pytest.approx(2460.0)
    hz, seconds = reason.rows_hz(40), reason.columns_s(60)
    assert hz[0] > hz[-1]
    found = bottom_up.sampled(hz, seconds)
    row, column = np.unravel_index(int(found.argmax()), found.shape)
    assert hz[row] == pytest.approx(660, abs=90)
    assert seconds[column] == pytest.approx(0.6, abs=0.04)
    assert not found[hz > 3960].any(), "above what the network hears"
    assert not bottom_up.sampled(hz, np.array([0.001, 1.999], np.float32)).any(), "beyond the map's columns"
    assert top_down.strength.min() == 0.0, "what speaks against the label is not lit"


def test_scores_that_are_all_below_zero_light_nothing() -> None:
    message = why(100)
    message["maps"][1] |= {"low": -3.0, "high": -1.0}
    assert not read(message, RATE).maps[1].strength.any()


@pytest.mark.parametrize("size", [(80, 24), (140, 45), (132, 60)])
async def test_w_opens_it_beside_the_rest_where_there_is_room_and_closes_it(size: tuple[int, int]) -> None:
    controls = Explaining(why(120))
    app = screen(story(), controls=controls)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert controls.asked == []
        await pilot.press("w")
        app.frame()
        await pilot.pause()
        text = "\n".join(text_of(app))
        assert controls.asked == ["demo"]
        assert "sad 62 %  0:28.0-0:30.0" in text
        assert "bottom-up: where the model looks" in text
        assert "most at 0:28.6, 660 Hz" in text
        assert all(name in text for name in ("8 kHz", "1 kHz", "╵0:29.0"))
        assert ("trajectory" in text) == (size[0] >= 140)
        await pilot.press("w")
        await pilot.pause()
        assert controls.asked == ["demo", None]
        assert "bottom-up" not in "\n".join(text_of(app))


async def test_shift_w_goes_through_the_maps_and_the_sound_alone() -> None:
    app = screen(story(), controls=Explaining(why(120)))
    seen = []
    async with app.run_test() as pilot:
        await pilot.press("w")
        for _ in range(4):
            app.frame()
            await pilot.pause()
            seen.append(next(line for line in text_of(app) if any(word in line for word in ("-up", "-down", "alone"))))
            await pilot.press("W")
    assert [line.strip(" │") for line in seen] == [
        "bottom-up: where the model looks",
        "top-down: what speaks for sad",
        "the sound alone",
        "bottom-up: where the model looks",
    ]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (why(120, kind="none"), ["this model has no attention to show: the sound alone"]),
        (why(120, kind="none", sound=False), ["this model has no attention to show"]),
        (why(120, kind="time"), ["attention: what weighs more", "weight", "most at 0:29.4"]),
        (why(120, sound=False), ["bottom-up: where the model looks", "most at 0:28.6, 660 Hz"]),
        (why(120, state="uncertain"), ["uncertain  0:28.0-0:30.0"]),
        (why(100), ["sad 62 %  0:23.0-0:25.0, 5 s ago"]),
    ],
)
async def test_what_is_there_is_said_and_nothing_is_made_up(message: dict[str, object], expected: list[str]) -> None:
    app = screen(story(), controls=Explaining(message))
    async with app.run_test() as pilot:
        await pilot.press("w")
        app.frame()
        await pilot.pause()
        text = "\n".join(text_of(app))
    for words in expected:
        assert words in text


async def test_it_moves_when_the_terminal_is_made_wider_or_narrower() -> None:
    app = screen(story(), controls=Explaining(why(120)))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("w")
        for width, beside in ((160, True), (100, False), (140, True)):
            await pilot.resize_terminal(width, 40)
            app.frame()
            await pilot.pause()
            rows = text_of(app)
            assert any("trajectory" in row for row in rows) == beside
            assert any("bottom-up" in row for row in rows)
            assert {len(row) for row in rows} == {width}


async def test_before_the_first_answer_it_waits() -> None:
    app = screen([hello(), point(8, "silence")], controls=Explaining())
    async with app.run_test() as pilot:
        await pilot.press("w")
        app.frame()
        await pilot.pause()
        assert "waiting for a window with speech" in "\n".join(text_of(app))


async def test_where_nobody_can_be_asked_there_is_no_key() -> None:
    app = screen(story())
    async with app.run_test() as pilot:
        await pilot.press("w")
        await pilot.pause()
        assert "why" not in "\n".join(text_of(app))


async def test_leaving_and_another_stream_end_the_asking() -> None:
    controls = Explaining(why(120))
    app = screen(story(), controls=controls)
    async with app.run_test() as pilot:
        await pilot.press("w")
        app.frame()
        app.streams.first.consume(hello(stream="other"), 100.0)
        app.frame()
        assert controls.asked == ["demo", "other"]
        assert app.state.reason is None, "what another stream rested on is forgotten"
    assert controls.asked[-1] is None


@pytest.mark.parametrize("kind", ["two", "time"])
@pytest.mark.parametrize("size", [(80, 24), (140, 45)], ids=["80x24", "140x45"])
def test_screen(snap_compare: Compare, kind: str, size: tuple[int, int]) -> None:
    app = screen(story(), controls=Explaining(why(120, kind=kind)))

    async def asked(pilot: Pilot[None]) -> None:
        await pilot.pause()
        await pilot.press("w")
        await pilot.pause()
        app.frame()
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=asked)


@pytest.mark.parametrize("palette", [DARK, LIGHT, CONTRAST])
def test_sixteen_colours_tell_attention_from_sound_and_loud_from_silent(palette: Palette) -> None:
    def named(colour: str) -> int | None:
        return Color.parse(colour).downgrade(ColorSystem.STANDARD).number

    shades = [named(colour) for colour in _shades(palette)]
    sound, lit = shades[:LEVELS], shades[2 * LEVELS :]
    assert len(set(sound)) >= 3
    assert sound[0] != sound[-1]
    assert set(sound).isdisjoint(lit)


def test_what_the_cost_is_measured_with_is_the_feed_s() -> None:
    made_up = MadeUp(10.0, past_s=5.0, seconds=60.0)
    assert isinstance(made_up, Explains)
    assert made_up.drain()
    assert made_up.reasons() == []
    made_up.ask_why("made up")
    (message,) = made_up.reasons()
    assert problems(message) == []
    assert [picture["name"] for picture in message["maps"]] == ["bottom_up", "top_down"]
    assert made_up.reasons() == [], "not before another half second"


def test_a_picture_is_drawn_in_a_few_milliseconds() -> None:
    panel = Why(id="why")
    state = screen(story()).state
    for message in [*story(), why(120)]:
        state.consume(message, 0.0)
    picture = panel.look(state, 0.0)
    rows = panel.draw(picture, 62, 38)
    assert len(rows) == 38
    assert {sum(len(text) for text, _ in row) for row in rows[2:36]} == {62}
    assert max(len(row) for row in rows) <= 63
