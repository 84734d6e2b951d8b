"""What the keys do and what the letters mean, over the running screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType

from stream_ser.tui.pages import Page
from stream_ser.tui.palette import letters_of

TEXT = """\
Keys
{keys}

Shown is the emotion that the voice expresses, as a model hears it: not
what the speaker has inside. Without clear speech there is no label; the
last one is held, dimmed, for two seconds.
  compute    time in the model         age   from sound to result
  lag        captured sound that has no result yet

Signs of the trajectory
{letters}"""
STATES = (
    "· silence     ? uncertain: speech, no label is justified",
    "w warming     ~ stale: newest sound or result is missing",
    "p paused      x gap: sound was lost, ░ above it",
    "◆ change      ▲ alert, ━ its evidence     ⚑ mark",
    "┃ in the row of the whole recording: what is played now",
)
KEY, WORD = 12, 12  # columns for a key's name, and for its word


@dataclass(frozen=True, slots=True)
class Key:
    """What the keys ``names`` do: in the word that footer, help and palette have for it, and in a few more."""

    names: str
    word: str
    does: str


class Help(Page):
    """The keys that work here, and the signs of a model with these labels. Closed by the key that opens it, or escape."""

    title_of = "help"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark", "dismiss", "close", show=False)]

    def __init__(self, keys: Sequence[Key], labels: tuple[str, ...]) -> None:
        super().__init__()
        letters = [f"{letter} {label}" for label, letter in letters_of(labels).items()]
        rows = ["   ".join(letters[i : i + 4]) for i in range(0, len(letters), 4)]
        self._text = TEXT.format(
            keys="\n".join(f"  {key.names:<{KEY}} {key.word:<{WORD}} {key.does}".rstrip() for key in keys),
            letters="\n".join(f"  {row}" for row in (*rows, *STATES)),
        )

    def text(self) -> str:
        """All of it."""
        return self._text
