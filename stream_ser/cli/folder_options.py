"""Options of ``analyze`` that are about a folder of recordings: where results go, in which formats, and who does the work."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from stream_ser.errors import ConfigError

if TYPE_CHECKING:
    from stream_ser.archive.run import Execution

URL = re.compile(r"[a-z][a-z0-9+.-]+://.", re.IGNORECASE)  # not one letter: that is a drive
OTHER = re.compile(r"(https?|wss?|file)://", re.IGNORECASE)  # of one recording, of a feed, of a path
MOST_JOBS = 1024
WHERE = ("here", "ray")


def add_folder_options(command: argparse.ArgumentParser, formats: str) -> None:
    """Add them to ``analyze``."""
    group = command.add_argument_group("of a folder")
    group.add_argument("--to", metavar="A,B", help=f"{formats} (default: jsonl)")
    group.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="recordings at a time, a process each (default: as many as there are cores)",
    )
    group.add_argument(
        "--on", choices=WHERE, default="here", help="who does it: this machine (default), or a Ray cluster's machines"
    )
    group.add_argument(
        "--address", metavar="HOST:PORT", help="the Ray cluster's (default: RAY_ADDRESS, or this machine)"
    )


def is_url(text: str) -> bool:
    """Whether this is a folder in object storage."""
    return URL.match(text) is not None and OTHER.match(text) is None


def parse_out(text: str) -> Path | str:
    """Where results go: a path, or a URL as it is."""
    return text if is_url(text) else Path(text)


def execution_of(options: argparse.Namespace) -> Execution:
    """Who does the work. Raises ConfigError for what cannot be."""
    from stream_ser.archive.run import Execution

    jobs = options.jobs
    if jobs is not None and not 1 <= jobs <= MOST_JOBS:
        raise ConfigError(f"--jobs {jobs} is no number of processes", fix=f"give 1 to {MOST_JOBS}, or leave it out")
    if options.address is not None and options.on != "ray":
        raise ConfigError(f"--address {options.address} was given, and no cluster is asked", fix="add --on ray")
    if options.feed != "off" and (options.on == "ray" or (jobs or 1) > 1):
        raise ConfigError(
            f"--feed {options.feed} was given, and several processes cannot have one feed",
            fix="give --jobs 1, or leave --feed out",
        )
    return Execution(jobs, options.on, options.address)


def refuse_for_files(options: argparse.Namespace) -> None:
    """Raise ConfigError for options that say nothing of single recordings."""
    if options.to is not None:
        raise ConfigError(
            f"--to {options.to} was given for a file", fix="let the name after --out say the format, as --out a.csv"
        )
    if isinstance(options.out, str):
        raise ConfigError(
            f"--out {options.out} is in object storage, and is for a folder of recordings",
            fix="write a file here, or analyse the folder that the recordings are in",
        )
    given = {"--jobs": options.jobs, "--address": options.address, "--on": None if options.on == "here" else options.on}
    for name, value in given.items():
        if value is not None:
            raise ConfigError(
                f"{name} {value} was given for single recordings",
                fix="name the folder that they are in, with --out FOLDER",
            )
