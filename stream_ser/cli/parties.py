"""Options for which of a recording's sound is heard: its channels, its parties' roles, and which track of a video."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from stream_ser.errors import ConfigError

if TYPE_CHECKING:
    from stream_ser.calls.hearing import Heard
    from stream_ser.calls.recorded import CallOptions

PARTIES = ("mix", "left", "right", "split")  # of stream_ser.audio.parties and .calls.events, which take time to import
AGENTS = ("off", "turns", "emotion")
OF_SPLIT = ("roles", "agents", "agents_purpose", "rules")  # options that have a meaning only with two streams


def add_options(command: argparse.ArgumentParser) -> None:
    """Add them to a command that reads recordings."""
    group = command.add_argument_group("which sound of a recording")
    told = "two parties, one in each channel: mix (default), left, right, or split: two streams of one call"
    group.add_argument("--parties", default="mix", choices=PARTIES, help=told)
    group.add_argument("--roles", metavar="L,R", help="with split: who speaks left and right (default: customer,agent)")
    group.add_argument("--agents", choices=AGENTS, help="with split: what is heard of agents (default: off)")
    group.add_argument("--agents-purpose", metavar="TEXT", help="why it is heard how agents sound; emotion needs it")
    rules = "with split: alert rules (default: the shipped ones)"
    group.add_argument("--rules", type=Path, metavar="FILE.toml", help=rules)
    group.add_argument("--track", type=int, metavar="N", help="which sound of a video or other file that has several")


def heard(options: argparse.Namespace) -> Heard:
    """Which channels and track are heard. Raises ConfigError for options that say nothing without ``--parties split``."""
    if options.parties != "split":
        for name in OF_SPLIT:
            if getattr(options, name) is not None:
                flag = "--" + name.replace("_", "-")
                raise ConfigError(
                    f"{flag} was given, and the recording is not split into its parties", fix="add --parties split"
                )
    return {"parties": options.parties, "track": options.track}


def call_options(options: argparse.Namespace) -> CallOptions | None:
    """How a recording that is split is heard; None for one that is not. Raises ConfigError for what cannot be."""
    if getattr(options, "parties", "mix") != "split":
        return None
    from stream_ser.calls.recorded import CallOptions

    roles = ("customer", "agent") if options.roles is None else tuple(options.roles.split(","))
    return CallOptions(roles, options.agents or "off", options.agents_purpose or "", options.rules)
