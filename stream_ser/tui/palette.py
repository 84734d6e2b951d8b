"""Colours and letters. Colour never says anything alone: each label and each state has a letter too.

Pure. The colours are chosen so that on a terminal of 16 colours, where each becomes the nearest one, text still stands
out from its ground and the usual labels still differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from textual.theme import Theme

from stream_ser import label_colours
from stream_ser.label_colours import LabelColours
from stream_ser.tui.state.history import Mark

STATE_LETTERS: dict[Mark, str] = {
    "silence": "·",
    "uncertain": "?",
    "stale": "~",
    "missing": "~",
    "gap": "x",
    "warming": "w",
    "paused": "p",
    "unheard": " ",
}


DIM = 0.55  # what is kept of a colour that is dimmed: readable on white, even of yellow
Inked = Literal["text", "good", "warning", "error"]  # a colour by what it says, whatever the theme


@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """The colours of one theme, as ``#rrggbb``. Told apart by identity."""

    dark: bool
    ground: str
    text: str
    muted: str
    frame: str
    cursor: str  # the ground, under text, of the column that is looked at
    good: str
    warning: str
    error: str
    labels: LabelColours
    heat: tuple[str, ...]  # five shades of what a model looked at, over silence first, over loud sound last


DARK = Palette(
    dark=True,
    ground="#0c0f12",
    text="#e4e6e8",
    muted="#a0a6ac",
    frame="#4f585f",
    cursor="#4f585f",
    good="#3fb56b",
    warning="#e8c547",
    error="#ff6b61",
    labels=label_colours.DARK,
    heat=("#6e5a00", "#8c7200", "#b39100", "#dcb300", "#ffd83c"),
)
LIGHT = Palette(
    dark=False,
    ground="#ffffff",
    text="#15181b",
    muted="#545b61",
    frame="#a3a9ae",
    cursor="#a3a9ae",
    good="#0c7a3a",
    warning="#8f5600",
    error="#b3140f",
    labels=label_colours.LIGHT,
    heat=("#ffcc00", "#e0a800", "#b88600", "#8f6600", "#6e4e00"),
)
CONTRAST = Palette(
    dark=True,
    ground="#000000",
    text="#ffffff",
    muted="#ffffff",
    frame="#ffffff",
    cursor="#1f3fa8",
    good="#4dff7c",
    warning="#ffe600",
    error="#ff8f87",
    labels=label_colours.CONTRAST,
    heat=("#6e5a00", "#8c7200", "#b39100", "#dcb300", "#ffe600"),
)
PALETTES = {"stream-ser-dark": DARK, "stream-ser-light": LIGHT, "stream-ser-contrast": CONTRAST}  # by theme, in order


def palette_of(theme: Theme) -> Palette:
    """Return the palette of a theme; of one that is not ours, the nearest."""
    return PALETTES.get(theme.name, DARK if theme.dark else LIGHT)


@lru_cache(maxsize=8)
def colours_of(palette: Palette, labels: tuple[str, ...]) -> dict[str, str]:
    """Return a colour for each label, the same whenever the labels are the same."""
    return palette.labels.of(labels)


@lru_cache(maxsize=8)
def letters_of(labels: tuple[str, ...]) -> dict[str, str]:
    """Return one capital for each label: the first of its own letters that no earlier label took, else any free one.

    Beyond 26 labels, ``*``.
    """
    taken: dict[str, str] = {}
    for label in labels:
        wanted = [letter for letter in label.upper() if letter.isascii() and letter.isalpha()]
        free = [letter for letter in [*wanted, *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"] if letter not in taken.values()]
        taken[label] = free[0] if free else "*"
    return taken


@lru_cache(maxsize=64)
def dimmed(palette: Palette, colour: str) -> str:
    """Return the colour of what is held and not said now: nearer to the ground; where all is to stand out, the text's."""
    return palette.text if palette.muted == palette.text else mixed(palette.ground, colour, DIM)


def mixed(one: str, other: str, share: float) -> str:
    """Return a colour between two of ``#rrggbb``."""
    parts = ((int(one[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in parts)


def severity_colour(palette: Palette, severity: str) -> str:
    """Return the colour of an alert; one of a severity that is not known warns."""
    return {"info": palette.text, "critical": palette.error}.get(severity, palette.warning)


def make_theme(name: str) -> Theme:
    """Make the Textual theme for the palette of that name: frames, help and key footer take their colours from it."""
    palette = PALETTES[name]
    return Theme(
        name=name,
        primary=palette.labels.known["neutral"],
        foreground=palette.text,
        background=palette.ground,
        surface=palette.ground,
        panel=palette.ground,
        warning=palette.warning,
        error=palette.error,
        success=palette.good,
        accent=palette.labels.known["neutral"],
        dark=palette.dark,
        variables={
            "frame": palette.frame,
            "muted": palette.muted,
            "footer-background": palette.ground,
            "footer-foreground": palette.muted,
            "footer-key-foreground": palette.text,
            "footer-description-foreground": palette.muted,
            "footer-key-background": palette.ground,
            "footer-description-background": palette.ground,
        },
    )
