"""``stream-ser completion SHELL``: what a shell needs to complete the command line with Tab.

The script is made of the grammar by shtab and then stands alone: a Tab starts no Python. It knows the models and options
of the version that made it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from stream_ser.cli.folder_options import parse_out
from stream_ser.cli.grammar import Parser
from stream_ser.errors import ConfigError

SHELLS = ("bash", "zsh", "fish", "tcsh")
PLACES = {
    "bash": "~/.local/share/bash-completion/completions/stream-ser",
    "zsh": "~/.zfunc/_stream-ser",
    "fish": "~/.config/fish/completions/stream-ser.fish",
    "tcsh": "~/.stream-ser.tcsh",
}
FILES = frozenset({"file", "files", "target"})  # positional arguments that are files


def completion(options: argparse.Namespace, top: Parser) -> int:
    """Print the script, and to a person where it belongs. Raises ConfigError for a shell that nobody knows."""
    shell = options.shell or os.path.basename(os.environ.get("SHELL", ""))
    if shell not in SHELLS:
        raise ConfigError(f"the shell {shell or 'in SHELL'!r} is unknown", fix=f"name one of {', '.join(SHELLS)}")
    try:
        import shtab
    except ImportError as error:
        raise ConfigError("completion needs shtab, which is not installed", fix="pip install shtab") from error

    _describe(top, shtab.FILE)
    print(shtab.complete(top, shell))
    if sys.stdout.isatty():
        place = PLACES[shell]
        print(
            f"\nto use it: mkdir -p {os.path.dirname(place)} && stream-ser completion {shell} > {place}",
            file=sys.stderr,
        )
    return 0


def _describe(command: Parser, file: Mapping[str, object]) -> None:
    """Say of each argument what can stand there. The grammar is used for nothing else afterwards."""
    from stream_ser.engine.loading import ENGINES
    from stream_ser.export.formats import FORMATS
    from stream_ser_models.card import shipped

    words = {"model": shipped(), "engine": ENGINES, "to": FORMATS, "name": shipped()}
    for action in command.arguments:
        if action.choices is None and action.dest in words:
            action.choices = tuple(words[action.dest])
        elif action.type in (Path, parse_out) or (not action.option_strings and action.dest in FILES):
            action.complete = file  # type: ignore[attr-defined]
    for inner in command.commands.values():
        _describe(inner, file)
