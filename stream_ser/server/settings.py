"""Read the settings: a TOML file, above it the environment (``STREAM_SER_*``), above that the command line.

A setting ``burst_s`` of the table ``[limits]`` is ``STREAM_SER_LIMITS_BURST_S`` in the environment and
``--limits-burst-s`` on the command line. Lists are TOML lists in the file and have commas between elsewhere. Relative paths
of the file begin at its folder. An empty environment variable counts as not set. Errors name the place, the key, the value
and what would do; values that may be secrets are not shown.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from stream_ser.errors import ConfigError
from stream_ser.server.config import ServeConfig, SettingError, show
from stream_ser.server.secret import Secret

PREFIX = "STREAM_SER_"
CONFIG = f"{PREFIX}CONFIG"  # the file, where no flag names it
ELSEWHERE = frozenset(  # of other parts of the program
    {CONFIG, *(PREFIX + name for name in ("DATA", "PRETRAINED", "NO_CUDA_GRAPH", "RAY", "FIT_DRIVEN_BY"))}
)
YES, NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, with its docstring."""

    name: str  # as ``limits.burst_s``
    kind: Any
    default: Any
    doc: str

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return PREFIX + self.name.replace(".", "_").upper()

    @property
    def flag(self) -> str:
        """Its flag."""
        return "--" + self.name.replace(".", "-").replace("_", "-")


@dataclass(frozen=True, slots=True)
class _Given:
    """A value, where it comes from for people, and the folder its relative paths begin at."""

    value: Any
    origin: str
    folder: Path | None = None


@cache
def settings() -> tuple[Setting, ...]:
    """Every setting, in the order of the docs."""
    return tuple(_settings(ServeConfig, ""))


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Give a command every setting as a flag, those of one table together. What is not given is absent from the namespace."""
    groups: dict[str, argparse._ArgumentGroup] = {}
    for setting in settings():
        table = setting.name.rpartition(".")[0]
        if table and table not in groups:
            groups[table] = parser.add_argument_group(f"settings of [{table}]")
        place = groups.get(table, parser)
        text = " ".join(setting.doc.split()).replace("%", "%%")
        options: dict[str, Any] = {"dest": setting.name, "default": argparse.SUPPRESS, "help": text}
        if setting.kind is bool:
            place.add_argument(setting.flag, action=argparse.BooleanOptionalAction, **options)
        else:
            place.add_argument(setting.flag, metavar=_metavar(setting), **options)


def load(path: Path | None, environ: Mapping[str, str], flags: Mapping[str, Any]) -> ServeConfig:
    """Read everything; ``flags`` is the namespace's dictionary, of which other entries are passed over.

    The file is ``path``, or what STREAM_SER_CONFIG names. Raises ConfigError.
    """
    if path is None and environ.get(CONFIG):
        path = Path(environ[CONFIG])
    given = {} if path is None else _from_file(path)
    given |= _from_environment(environ)
    given |= {
        setting.name: _Given(flags[setting.name], setting.flag) for setting in settings() if setting.name in flags
    }
    values = {name: _convert(_by_name()[name], found) for name, found in given.items()}
    try:
        made: ServeConfig = _make(ServeConfig, "", values)
        return made
    except SettingError as error:
        place = given[error.key].origin + ": " if error.key in given else ""
        raise ConfigError(f"{place}{error.key} {error.wrong}", fix=error.fix) from error


def _settings(kind: Any, prefix: str) -> list[Setting]:
    hints, docs, found = get_type_hints(kind), _docs(kind), []
    for item in fields(kind):
        if is_dataclass(hints[item.name]) and hints[item.name] is not Secret:
            found += _settings(hints[item.name], f"{item.name}.")
        else:
            default = None if item.default is MISSING else item.default
            found.append(Setting(prefix + item.name, hints[item.name], default, docs[item.name]))
    return found


def _docs(kind: Any) -> dict[str, str]:
    """The string below each field."""
    body = next(
        node.body
        for node in ast.parse(inspect.getsource(sys.modules[kind.__module__])).body
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__
    )
    return {
        field.target.id: doc.value.value
        for field, doc in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(doc, ast.Expr)
        and isinstance(doc.value, ast.Constant)
        and isinstance(doc.value.value, str)
    }


@cache
def _by_name() -> dict[str, Setting]:
    return {setting.name: setting for setting in settings()}


def _from_file(path: Path) -> dict[str, _Given]:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", fix="check the path") from error
    except (ValueError, RecursionError) as error:  # not TOML, or not text; its words may show a line: cut them
        raise ConfigError(f"{path} is not TOML: {str(error)[:200]}", fix="correct it") from error
    flat: dict[str, Any] = {}
    tables = {name.partition(".")[0] for name in _by_name() if "." in name}
    for key, value in data.items():
        if key in tables and isinstance(value, dict):
            flat |= {f"{key}.{inner}": item for inner, item in value.items()}
        else:
            flat[key] = value
    for key in flat:
        if key not in _by_name():
            beside = [name for name in _by_name() if name.partition(".")[0] == key.partition(".")[0]]
            known = ", ".join(beside or _by_name())
            raise ConfigError(f"{path}: the key {key[:80]!r} is unknown", fix=f"use {known}")
    return {key: _Given(value, str(path), path.parent) for key, value in flat.items()}


def _from_environment(environ: Mapping[str, str]) -> dict[str, _Given]:
    by_variable = {setting.variable: setting.name for setting in settings()}
    given: dict[str, _Given] = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable in ELSEWHERE:
            continue
        if variable not in by_variable:
            raise ConfigError(f"the environment variable {variable} is no setting", fix="correct or unset it")
        if text:
            given[by_variable[variable]] = _Given(text, variable)
    return given


def _convert(setting: Setting, given: _Given) -> Any:
    kind, value = setting.kind, given.value
    try:
        if Secret in get_args(kind):
            return Secret.parse(_text(value), given.folder)
        if Path in get_args(kind):
            path = Path(_text(value)).expanduser()
            return path if given.folder is None else given.folder / path
        if get_origin(kind) is tuple:
            items = (
                value if isinstance(value, list | tuple) else [item for item in _text(value).split(",") if item.strip()]
            )
            return tuple(_text(item).strip() for item in items)
        if get_origin(kind) is Literal:
            if value not in get_args(kind):
                raise ValueError("is unknown")
            return value
        if setting.name == "store":
            _refuse_password(_text(value), given)
        return {bool: _yes_or_no, int: _whole, float: _real, str: _text}[kind](value)
    except (ValueError, RuntimeError) as error:  # RuntimeError: no home folder
        hidden = Secret in get_args(kind) or setting.name == "store"
        shown = "" if hidden else f"= {show(value)} "
        raise ConfigError(f"{given.origin}: {setting.name} {shown}{error}", fix=_fix(setting)) from None


def _make(kind: Any, prefix: str, values: Mapping[str, Any]) -> Any:
    hints, arguments = get_type_hints(kind), {}
    for item in fields(kind):
        name = prefix + item.name
        if is_dataclass(hints[item.name]):
            arguments[item.name] = _make(hints[item.name], f"{item.name}.", values)
        elif name in values:
            arguments[item.name] = values[name]
    return kind(**arguments)


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("is not text")
    return value


def _yes_or_no(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = value.strip().lower() if isinstance(value, str) else ""
    if text not in (*YES, *NO):
        raise ValueError("is neither true nor false")
    return text in YES


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("is not a whole number")
    try:
        return int(value)
    except ValueError:
        raise ValueError("is not a whole number") from None


def _real(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("is not a number")
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise ValueError("is not a number") from None


def _refuse_password(url: str, given: _Given) -> None:
    try:
        password = urlsplit(url).password
    except ValueError:
        password = None
    in_environment = given.folder is None and given.origin.startswith(PREFIX)
    if password and not in_environment:
        raise ValueError("has a password, which others can read there; move it to PGPASSWORD or ~/.pgpass")


def _fix(setting: Setting) -> str:
    """What would do."""
    if setting.name == "store":
        return "give a URL as sqlite:///results.db or postgresql://user@host/database"
    if get_origin(setting.kind) is Literal:
        return f"choose one of {', '.join(get_args(setting.kind))}"
    if get_origin(setting.kind) is tuple:
        return "give a list of texts"
    if Secret in get_args(setting.kind):
        return "put the secret into a file or an environment variable, and name that"
    if Path in get_args(setting.kind):
        return "give a path"
    return {bool: "give true or false", int: "give digits", float: "give digits, as 0.5", str: "put it in quotes"}[
        setting.kind
    ]


def _metavar(setting: Setting) -> str:
    if get_origin(setting.kind) is Literal:
        return "|".join(get_args(setting.kind))
    if get_origin(setting.kind) is tuple:
        return "A,B"
    if Path in get_args(setting.kind):
        return "FILE"
    if Secret in get_args(setting.kind):
        return "file:PATH|env:NAME"
    return {int: "N", float: "N", str: "TEXT"}[setting.kind]
