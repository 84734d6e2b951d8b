"""The shipped models as a list to choose from: what each costs, beside how good it is.

Pure but for reading the cards.
"""

from __future__ import annotations

import contextlib

from stream_ser.controls.capabilities import Choice
from stream_ser_models.card import DEFAULT, Card, CheckpointError, find, read_card, shipped

NAME, FIGURE, COST = 20, 8, 6  # columns: with a mark and the default's word they fit into 80, less a frame


def model_choices(current: str) -> list[Choice]:
    """Every model that can be read, under a line of headings; ``current`` is the digest of the one in use.

    Quality is the mean recall of classes, on the corpora for which all of them state it, on speakers that training never met.
    """
    cards = []
    for name in shipped():
        with contextlib.suppress(CheckpointError):
            cards.append((name, read_card(find(name))))
    recalls = [_recalls(card) for _, card in cards]
    corpora = sorted(set.intersection(*map(set, recalls))) if recalls else []
    heading = f"{'recall on:':<{NAME}}{''.join(f'{corpus:>{FIGURE}}' for corpus in corpora)}{'MMAC':>{COST}}"
    choices = [Choice("", heading, heading=True)] if cards else []
    for (name, card), known in zip(cards, recalls, strict=True):
        figures = "".join(f"{100 * known[corpus]:>{FIGURE - 2}.0f} %" for corpus in corpora)
        default = " default" if name == DEFAULT else ""
        text = f"{name:<{NAME}}{figures}{card.macs / 1e6:>{COST},.0f}{default}"
        choices.append(Choice(name, text, card.digest == current))
    return choices


def _recalls(card: Card) -> dict[str, float]:
    """The mean recall of classes by corpus."""
    found = {
        corpus: float(row["UA"])
        for part in ("test", "cross_corpus")
        for corpus, row in card.figures.get(part, {}).items()
        if isinstance(row, dict) and isinstance(row.get("UA"), int | float)
    }
    found.pop("pooled", None)  # of other corpora for each model
    return found
