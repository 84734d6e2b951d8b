"""``stream-ser serve``, ``token`` and ``calls``."""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

from stream_ser.cli import calls
from stream_ser.cli.grammar import Parser, Subcommands


def add_parsers(commands: Subcommands[Parser]) -> None:
    """Add the commands to the command line."""
    serve = commands.add_parser(
        "serve",
        help="take telephone calls and show them on a page",
        usage="stream-ser serve [options]",
        description="Take telephone calls, and serve what is found as a feed and as a page. All settings can stand in a file; "
        "docs/operations.md explains them.",
        fill=_add_settings,
    )
    serve.add_argument("--config", type=Path, metavar="FILE.toml", help="settings (default: STREAM_SER_CONFIG's)")
    does = "make a token, with which somebody gets into the call server, and show it once"
    usage = "stream-ser token --tenant NAME --role ROLE [--days N] TOKENS.toml"
    token = commands.add_parser("token", usage=usage, help=does, description=f"{does[0].upper()}{does[1:]}.")
    token.add_argument("file", type=Path, metavar="TOKENS.toml", help="token file; made where there is none")
    token.add_argument("--tenant", required=True, metavar="NAME", help="whose calls it opens")
    told = "publisher sends sound, viewer reads, admin does both and deletes"
    token.add_argument("--role", required=True, choices=["publisher", "viewer", "admin"], help=told)
    token.add_argument("--days", type=float, metavar="N", help="days until it ends (default: it does not)")
    calls.add_parser(commands)


def _add_settings(serve: argparse.ArgumentParser) -> None:
    from stream_ser.server.settings import add_flags

    add_flags(serve)


def serve(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C, then drain; a second signal ends the drain at once."""
    from stream_ser.server import settings  # here, for every command line reads this file

    config = settings.load(options.config, os.environ, vars(options))
    if config.processes > 1:
        from stream_ser.cli.serve_many import serve_many

        return serve_many(config)
    from stream_ser.cli.serve_one import serve_one

    return serve_one(config)


def token(options: argparse.Namespace) -> int:
    """Make a token, write its hash to the file, and print it."""
    from datetime import timedelta

    from stream_ser.server.token_file import add
    from stream_ser.server.tokens import new_token

    expires = None if options.days is None else datetime.now(UTC) + timedelta(days=options.days)
    made = new_token(options.tenant, options.role, expires)
    add(options.file, made)
    print(made.secret)
    return 0
