from __future__ import annotations

import pytest
from rich.color import Color, ColorSystem

from stream_ser.tui.palette import CONTRAST, DARK, LIGHT, STATE_LETTERS, Palette, colours_of, letters_of

LABELS = ("angry", "happy", "neutral", "sad")
EACH = pytest.mark.parametrize("palette", [DARK, LIGHT, CONTRAST], ids=["dark", "light", "contrast"])


def of_16(colour: str) -> int | None:
    return Color.parse(colour).downgrade(ColorSystem.STANDARD).number


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2, from 1 to 21."""

    def luminance(colour: str) -> float:
        parts = [part / 255 for part in Color.parse(colour).get_truecolor()]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def inks(palette: Palette) -> list[str]:
    plain = [palette.text, palette.muted, palette.good, palette.warning, palette.error]
    return [*plain, *palette.labels.known.values(), *palette.labels.others]


@EACH
def test_text_can_be_read_on_its_ground(palette: Palette) -> None:
    assert min(contrast(colour, palette.ground) for colour in inks(palette)) >= 4.5


def test_high_contrast_is_what_its_name_says() -> None:
    colours = [*inks(CONTRAST), CONTRAST.frame]
    assert min(contrast(colour, CONTRAST.ground) for colour in colours) >= 7.0
    assert contrast(CONTRAST.text, CONTRAST.cursor) >= 7.0


@EACH
def test_the_cursor_is_seen(palette: Palette) -> None:
    assert contrast(palette.text, palette.cursor) >= 4.5
    assert len({of_16(palette.cursor), of_16(palette.ground), of_16(palette.text)}) == 3


@EACH
def test_nothing_vanishes_in_16_colours(palette: Palette) -> None:
    ground = of_16(palette.ground)
    assert ground not in {of_16(colour) for colour in [*inks(palette), palette.frame]}


@EACH
def test_the_usual_labels_differ_in_16_colours(palette: Palette) -> None:
    assert len({of_16(colour) for colour in palette.labels.known.values()}) == len(palette.labels.known)


@EACH
def test_other_labels_have_colours_of_their_own(palette: Palette) -> None:
    labels = (*LABELS, "fearful", "disgust", "surprised", "calm")
    assert len(set(colours_of(palette, labels).values())) == len(labels)


def test_there_may_be_more_labels_than_colours() -> None:
    labels = tuple(f"label {i}" for i in range(40))
    assert set(colours_of(DARK, labels)) == set(labels)


def test_letters_are_the_labels_own_where_they_can_be() -> None:
    assert letters_of(LABELS) == {"angry": "A", "happy": "H", "neutral": "N", "sad": "S"}
    assert letters_of(("sad", "surprised", "su")) == {"sad": "S", "surprised": "U", "su": "A"}
    assert letters_of(("愤怒", "über")) == {"愤怒": "A", "über": "B"}


def test_letters_are_unique_and_never_those_of_a_state() -> None:
    letters = letters_of(tuple(f"s{i}" for i in range(26)))
    assert len(set(letters.values())) == 26
    assert not set(letters.values()) & set(STATE_LETTERS.values())
    assert letters_of(tuple(f"s{i}" for i in range(27)))["s26"] == "*"
