"""What parsing a command line does here beyond argparse's: errors of one line that say what may have been meant.

Also, a command whose options cost time to gather (``serve`` has some hundred, with what they mean) gathers them when it is
asked for, so that every other one starts without them.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, cast

from stream_ser.cli.complaint import complain

Subcommands = argparse._SubParsersAction
ALIKE = 0.7  # of 1, how much of a word must be as it was typed
SOUND = re.compile(r"\.(wav|flac|ogg|oga|opus|mp3|m4a|mp4|webm|aiff?)", re.IGNORECASE)


def meant(word: str, known: Iterable[str]) -> str:
    """``did you mean X?`` where one of ``known`` is like ``word``, else nothing. Case and a lost hyphen do not matter."""
    plain = {_plain(name): name for name in known}
    near = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=ALIKE)
    return f"did you mean {plain[near[0]]}?" if near else ""


def _plain(word: str) -> str:
    return word.lower().replace("_", "-")


class Parser(argparse.ArgumentParser):
    """One command, or all of them. ``fill`` adds the options that are gathered late."""

    def __init__(
        self, *args: Any, fill: Callable[[argparse.ArgumentParser], None] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._fill = fill
        self.before: Callable[[Parser], None] = lambda _: None  # called before this one's words are parsed

    def gather(self) -> None:
        """Add what was left out until now."""
        fill, self._fill = self._fill, None
        if fill is not None:
            fill(self)

    @property
    def name(self) -> str:
        """The last word of what is typed to call it."""
        return self.prog.rpartition(" ")[2]

    @property
    def arguments(self) -> list[argparse.Action]:
        """All that it takes, but the commands below it."""
        self.gather()
        return [action for action in self._actions if not isinstance(action, Subcommands)]

    @property
    def own_options(self) -> list[argparse.Action]:
        """Its options without those that are gathered late, each once."""
        return [action for action in self._actions if action.option_strings]

    @property
    def flags(self) -> list[str]:
        """Every option as it is typed."""
        self.gather()
        return list(self._option_string_actions)

    @property
    def commands(self) -> dict[str, Parser]:
        """The commands below this one, by name."""
        for action in self._actions:
            if isinstance(action, Subcommands):
                return cast("dict[str, Parser]", dict(action.choices))
        return {}

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """See argparse."""
        self.before(self)
        self.gather()
        return super().parse_known_args(args, namespace)

    def format_help(self) -> str:
        """See argparse."""
        self.gather()
        return super().format_help()

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> Any:
        """See argparse; what is left over is told of with what may have been meant."""
        given = list(sys.argv[1:] if args is None else args)
        options, extra = self.parse_known_args(given, namespace)
        if extra:
            self._command(given)._refuse(extra[0])
        return options

    def error(self, message: str) -> NoReturn:
        """One line, and exit code 2."""
        complain(message if "; " in message else f"{message}; {self._help}")
        self.exit(2)

    @property
    def _help(self) -> str:
        return f"see {self.prog} --help"

    def _command(self, given: Sequence[str]) -> Parser:
        """The command that these words are for."""
        found = self
        for word in given:
            found = found.commands.get(word, found)
        return found

    def _refuse(self, word: str) -> NoReturn:
        name, is_option = word.partition("=")[0], word.startswith("-")
        kind = "option" if is_option else "argument"
        told = f"{self.prog} has no {kind} {name if is_option else repr(name)}"
        self.error(f"{told}; {(meant(name, self.flags) if is_option else '') or self._help}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        near = meant(str(value), known)
        if isinstance(action, Subcommands):
            fix = near or _as_sound(str(value)) or self._help
            raise argparse.ArgumentError(None, f"{self.prog} has no command {value!r}; {fix}")
        name = "/".join(action.option_strings) or action.metavar or action.dest
        raise argparse.ArgumentError(None, f"{name} {value!r} is none of {', '.join(known)}; {near or self._help}")


def _as_sound(word: str) -> str:
    """What to type for somebody who has named a file or an address, and no command."""
    if re.match(r"(wss?|https?)://", word):
        return f"to see a feed: stream-ser watch {word}"
    if os.path.exists(word) or SOUND.fullmatch(os.path.splitext(word)[1]):
        verb = "watch" if word.endswith(".jsonl") else "analyze" if os.path.isdir(word) else "replay"
        return f"for a {'folder' if verb == 'analyze' else 'file'}: stream-ser {verb} {word}"
    return ""
