"""The file with a person's own defaults for all commands, and ``stream-ser config``, which shows and begins it.

It is ``stream-ser/config.toml`` in the folder for configuration by the rules of the XDG base directories. A key is an option
without its hyphens in front: at the top of the file for every command that has it, in a table named after a command for
that one alone, which wins. What the command line says wins over both. The keys are those of the grammar, so there is no
list of them to keep. The call server's settings have a file of their own (``--config``, STREAM_SER_CONFIG).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream_ser.cli.grammar import Parser, meant
from stream_ser.errors import ConfigError

# What is of one run and no default: a file that each run would write over, words and place of one recording, a secret.
OF_ONE_RUN = frozenset({"help", "version", "out", "transcript", "from", "token", "days", "config"})
NOT_SHARED = {"analyze": frozenset({"feed"})}  # a feed for people who watch is none for work that nobody watches


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was read."""

    path: Path
    text: str
    data: dict[str, Any]

    def where(self, key: str, table: str = "") -> str:
        """The place of a key for people: file and line."""
        inside = ""
        for number, line in enumerate(self.text.splitlines(), 1):
            if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
                inside = header[1].strip("\"'")
                if not table and inside == key:
                    return f"{self.path}, line {number}"
            elif inside == table and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
                return f"{self.path}, line {number}"
        return str(self.path)


def config_path() -> Path:
    """Where the file is, or would be."""
    named = os.environ.get("XDG_CONFIG_HOME", "")
    root = Path(named) if os.path.isabs(named) else Path(os.path.expanduser("~/.config"))
    return root / "stream-ser" / "config.toml"


def apply(command: Parser, top: Parser) -> None:
    """Make what the file says the defaults of a command. Raises ConfigError for a file with anything in it that cannot be."""
    file = _read(config_path())
    if file is not None:
        check(file, top)
        command.set_defaults(**{action.dest: value for action, value in _values(file, command).values()})


def settings(command: Parser) -> dict[str, argparse.Action]:
    """The options of a command that may stand in the file, by key."""
    found: dict[str, argparse.Action] = {}
    for action in command.own_options:
        key = _key(action)
        if key is not None and key not in OF_ONE_RUN and not action.required:
            found[key] = action
    return found


def check(file: File, top: Parser) -> None:
    """Raise ConfigError for a key that no command has, or a value that it cannot take."""
    by_command = {name: settings(command) for name, command in top.commands.items()}
    shared = {key for known in by_command.values() for key in known}
    for key, value in file.data.items():
        if isinstance(value, dict):
            if key not in by_command:
                fix = (
                    meant(key, by_command)
                    or f"the tables are {', '.join(name for name, has in by_command.items() if has)}"
                )
                raise ConfigError(f"{file.where(key)}: there is no command {key!r}", fix=fix)
            for inner in value:
                if _named(inner) not in by_command[key]:
                    raise _unknown(file, inner, by_command[key], key)
        elif _named(key) not in shared:
            raise _unknown(file, key, shared)
    for command in top.commands.values():
        _values(file, command)


def config(options: argparse.Namespace, top: Parser) -> int:
    """Show the settings as they hold, begin a file of one's own, or say where it is."""
    path = config_path()
    if options.verb == "path":
        print(path)
        return 0
    if options.verb == "init":
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as out:
                out.write("\n".join(listing(top, None, begun=True)) + "\n")
        except FileExistsError:
            raise ConfigError(f"{path} is there already", fix="change it with an editor") from None
        except OSError as error:
            raise ConfigError(f"cannot write {path}: {error.strerror}", fix="make it by hand") from error
        print(path)
        if sys.stdout.isatty():
            print("open it with an editor: take away the # in front of what you change", file=sys.stderr)
        return 0
    file = _read(path)
    if file is not None:
        check(file, top)
    print("\n".join(listing(top, file)))
    return 0


def listing(top: Parser, file: File | None, begun: bool = False) -> Iterator[str]:
    """The file as it would be with everything in it: TOML, with a mark in front of what is not set.

    ``begun`` is for writing it, where there is none yet.
    """
    by_command = {name: settings(command) for name, command in top.commands.items()}
    uses = {key: [name for name in by_command if key in by_command[name]] for has in by_command.values() for key in has}
    state = "" if begun or file is not None else " (there is none yet: stream-ser config init)"
    yield f"# {config_path()}{state}"
    if begun:
        yield "# Take away the # in front of what you change; stream-ser config shows what holds."
    yield "# for every command that has the option, unless the command line says otherwise"
    said = (
        {} if file is None else {_named(key): value for key, value in file.data.items() if not isinstance(value, dict)}
    )
    for key, names in uses.items():
        if len(names) > 1:
            yield _line(by_command[names[0]][key], key, said.get(key))
    for name, has in by_command.items():
        table = {} if file is None else {_named(key): value for key, value in file.data.get(name, {}).items()}
        own = [key for key in has if len(uses[key]) == 1 or key in table]
        if own:
            yield f"\n[{name}]"
            for key in own:
                yield _line(has[key], key, table.get(key, said.get(key) if len(uses[key]) == 1 else None))


def _read(path: Path) -> File | None:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"cannot read {path}: {why}", fix="correct or remove it") from error
    import tomllib

    try:
        return File(path, text, tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not TOML: {str(error)[:200]}", fix="correct it") from error


def _values(file: File, command: Parser) -> dict[str, tuple[argparse.Action, Any]]:
    """What the file says for one command, converted."""
    known = settings(command)
    found: dict[str, tuple[argparse.Action, Any]] = {}
    table = file.data.get(command.name)
    for inside, data in (("", file.data), (command.name, table if isinstance(table, dict) else {})):
        for key, value in data.items():
            name = _named(key)
            shared = not inside and name in NOT_SHARED.get(command.name, ())
            if isinstance(value, dict) or name not in known or shared:
                continue
            found[name] = (known[name], _converted(file, known[name], value, key, inside))
    return found


def _converted(file: File, action: argparse.Action, value: Any, key: str, table: str) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    number = whole or isinstance(value, float)
    if action.nargs == 0:
        good, fix = isinstance(value, bool), "give true or false"
    elif action.type is int:
        good, fix = whole, "give a whole number"
    elif action.type is float:
        good, fix = number, "give a number"
    else:  # a number may stand for what is read as one later, as a speed
        good, fix = isinstance(value, str) or number, "put it in quotes"
        value = str(value)
        if action.choices is not None and value not in action.choices:
            good, fix = False, f"choose from {', '.join(map(str, action.choices))}"
    if not good:
        raise ConfigError(f"{file.where(key, table)}: {key} = {json.dumps(value, default=str)} cannot be", fix=fix)
    if action.type is Path:
        return file.path.parent / os.path.expanduser(value)
    return float(value) if action.type is float else value


def _unknown(file: File, key: str, known: Any, table: str = "") -> ConfigError:
    if table == "serve":
        fix = "the server's settings have a file of their own: stream-ser serve --config FILE.toml"
    else:
        fix = meant(key, known) or "stream-ser config lists what can be set"
    within = f" of {table}" if table else ""
    return ConfigError(f"{file.where(key, table)}: there is no setting {key!r}{within}", fix=fix)


def _key(action: argparse.Action) -> str | None:
    long = next((flag for flag in action.option_strings if flag.startswith("--")), None)
    return None if long is None else long.removeprefix("--no-" if action.const is False else "--")


def _named(key: str) -> str:
    return key.replace("_", "-")


def _line(action: argparse.Action, key: str, said: Any) -> str:
    """One setting, in TOML."""
    if said is not None:
        return f"{key} = {json.dumps(said, ensure_ascii=False)}"
    default = action.default
    if default is None:
        named = next(iter(action.choices), "") if action.choices else action.metavar or ""
        default = 0 if action.type in (int, float) else str(named)
    shown = json.dumps(default if isinstance(default, bool | int | float) else str(default), ensure_ascii=False)
    told = ("false: " if action.const is False else "") + (action.help or "").replace("%%", "%")
    return f"#{key} = {shown}".ljust(30) + f"  # {told}"
