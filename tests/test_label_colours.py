"""Labels are told apart by deuteranopes, can be read on their ground, and have the same colour on screen, page and pictures."""

from __future__ import annotations

import itertools
import re
from importlib import resources

import numpy as np
import numpy.typing as npt
import pytest

from stream_ser.label_colours import CONTRAST, DARK, LIGHT, LabelColours
from stream_ser.tui import palette
from stream_ser_models.card import find, read_card, shipped

Colour = npt.NDArray[np.float64]
LEAST = 20.0
# Machado, Oliveira and Fernandes 2009, deuteranomaly of severity 1, on linear RGB.
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])  # D65
EACH = pytest.mark.parametrize("colours", [LIGHT, DARK, CONTRAST], ids=["light", "dark", "contrast"])


def linear(text: str) -> Colour:
    values = np.array([int(text[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: Colour) -> Colour:
    """CIELAB of linear RGB."""
    ratio = XYZ @ rgb / WHITE
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def seen(text: str) -> Colour:
    """What a deuteranope sees of a colour, in CIELAB."""
    return lab(np.clip(DEUTERANOPIA @ linear(text), 0.0, 1.0))


def distance(one: str, other: str) -> float:
    """ΔE*ab between two colours as a deuteranope sees them."""
    return float(np.linalg.norm(seen(one) - seen(other)))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""
    low, high = sorted(float(np.array([0.2126, 0.7152, 0.0722]) @ linear(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def test_the_measure_knows_what_deuteranopes_mix_up() -> None:
    assert distance("#ffffff", "#000000") == pytest.approx(100, abs=0.1)
    assert distance("#b3140f", "#8f5a00") < 5, "a red and a brown that this project once used"
    assert float(np.linalg.norm(lab(linear("#b3140f")) - lab(linear("#8f5a00")))) > 40, "and others do not"


@EACH
def test_any_two_labels_differ_for_deuteranopes(colours: LabelColours) -> None:
    labels = {label for name in shipped() for label in read_card(find(name)).labels}
    assert labels <= colours.known.keys()
    pairs = itertools.combinations(colours.known.values(), 2)
    assert min(distance(one, other) for one, other in pairs) >= LEAST


@EACH
def test_labels_can_be_read_on_their_ground(colours: LabelColours) -> None:
    assert min(contrast(colour, colours.ground) for colour in [*colours.known.values(), *colours.others]) >= 4.5


@EACH
def test_other_labels_get_colours_that_none_of_the_known_ones_has(colours: LabelColours) -> None:
    made = colours.of(["angry", "calm", "happy", "fearful"])
    assert made["angry"] == colours.known["angry"]
    assert len(set(made.values())) == 4
    assert len(set(colours.of([f"label {at}" for at in range(40)]).values())) == len(set(colours.others))


def test_the_screen_has_these_colours() -> None:
    screens = (palette.LIGHT, palette.DARK, palette.CONTRAST)
    assert [each.labels for each in screens] == [LIGHT, DARK, CONTRAST]
    assert [each.ground for each in screens] == [LIGHT.ground, DARK.ground, CONTRAST.ground]


def test_the_page_has_these_colours() -> None:
    sheet = (resources.files("stream_ser.web") / "page.css").read_text("utf-8")
    light, dark = sheet.split("prefers-color-scheme: dark")
    for text, colours in ((light, LIGHT), (dark, DARK)):
        named = dict(re.findall(r"--label-([a-z0-9-]+): (#[0-9a-f]{6});", text))
        assert {label: named[label] for label in colours.known} == dict(colours.known)
        assert [named[f"other-{at}"] for at in range(4)] == list(colours.others[:4])
        card = re.findall(r"--card: (#[0-9a-f]{6});", text)[0]
        assert min(contrast(colour, card) for colour in named.values()) >= 4.5
