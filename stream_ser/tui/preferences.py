"""What somebody has chosen of the screen, and finds again the next time: panels that are shown or not, and the theme.

Owned by the Textual event loop. The file is written by the screen and by nobody else; one that cannot be read, or holds
something else, counts as none, and one that cannot be written is told once and then left: no choice may end a screen.
"""

from __future__ import annotations

import json
import os
from itertools import count
from pathlib import Path


class Preferences:
    """Choices by name. ``path`` is where they are kept; None keeps them for this screen alone."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._told = False
        self.panels: dict[str, bool] = {}
        self.theme: str | None = None
        if path is not None:
            self._read(path)

    def choose(self, panel: str, shown: bool) -> str | None:
        """Note that a panel is to be shown, or not; why it cannot be kept, where that is so."""
        self.panels[panel] = shown
        return self._write()

    def choose_theme(self, name: str) -> str | None:
        """Note a theme; why it cannot be kept, where that is so."""
        self.theme = name
        return self._write()

    def _read(self, path: Path) -> None:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            panels, theme = found.get("panels", {}), found.get("theme")
            self.panels = {name: shown for name, shown in panels.items() if isinstance(shown, bool)}
            self.theme = theme if isinstance(theme, str) else None
        except (OSError, ValueError, AttributeError):
            return

    def _write(self) -> str | None:
        if self._path is None or self._told:
            return None
        text = json.dumps({"panels": self.panels, "theme": self.theme}, indent=1)
        part = self._path.with_name(f"{self._path.name}.part-{os.getpid()}")  # several screens may be open
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(text + "\n", encoding="utf-8")
            part.replace(self._path)
        except OSError as error:
            self._told = True
            return f"{self._path} cannot be written ({error.strerror}): the choice holds until you quit"
        return None


def write_new(folder: Path, stem: str, text: str, suffix: str = ".svg") -> Path:
    """Write to a file of that name, or with a number behind it where there is one already. Raises OSError."""
    for number in count(1):
        path = folder / (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            continue
        return path
    raise AssertionError  # there is always a next number
