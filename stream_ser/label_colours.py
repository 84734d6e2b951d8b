"""One colour for each label, the same on the screen, on the page and in pictures. Pure.

Colour never says anything alone: labels have letters on the screen, and patterns of dashes elsewhere. The four that shipped
models give are told apart by deuteranopes too, on light ground and on dark: ``tests/test_label_colours.py`` measures it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle


@dataclass(frozen=True, slots=True, eq=False)
class LabelColours:
    """Colours as ``#rrggbb``, for one ground. Told apart by identity."""

    ground: str
    known: Mapping[str, str]  # labels that have a colour of their own
    others: tuple[str, ...]  # given to other labels in order; those of known labels come last

    def of(self, labels: Sequence[str]) -> dict[str, str]:
        """The colour of each label, the same whenever the labels are the same."""
        used = {self.known.get(label) for label in labels}
        spare = cycle([colour for colour in self.others if colour not in used] or self.others)
        return {label: self.known[label] if label in self.known else next(spare) for label in labels}


LIGHT = LabelColours(
    ground="#ffffff",
    known={"angry": "#800000", "happy": "#a36a00", "neutral": "#187a7a", "sad": "#0e1e87"},
    others=("#8b1f96", "#0c7a3a", "#6b4a1e", "#545b61", "#187a7a", "#0e1e87", "#a36a00", "#800000"),
)
DARK = LabelColours(
    ground="#0c0f12",
    known={"angry": "#ff6258", "happy": "#ffd84f", "neutral": "#5cc8c0", "sad": "#6f8cff"},
    others=("#d07bd8", "#4cc46f", "#e08a3c", "#b8bec4", "#5cc8c0", "#6f8cff", "#ffd84f", "#ff6258"),
)
CONTRAST = LabelColours(
    ground="#000000",
    known={"angry": "#ff8f87", "happy": "#ffe600", "neutral": "#3dfff0", "sad": "#a9bcff"},
    others=("#ff9df5", "#4dff7c", "#ffb870", "#ffffff", "#3dfff0", "#a9bcff", "#ffe600", "#ff8f87"),
)
