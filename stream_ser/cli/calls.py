"""``stream-ser calls``: look up, delete and expire stored calls, whether the server runs or not.

The store is the one that ``serve`` would use with the same file and environment, or ``--store``'s. Nothing here makes a store
where there is none. A running server lets go of what it still has in memory within a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_ser.cli.grammar import Parser, Subcommands
from stream_ser.cli.working import Working
from stream_ser.errors import ConfigError
from stream_ser.printable import printable, printable_json
from stream_ser.server.tokens import LOCAL

if TYPE_CHECKING:
    from stream_ser.store.records import CallRecord
    from stream_ser.store.store import Store

PAGE = 1000  # messages read at once
REST_S = 0.05  # between two steps of expiry: a server that writes has its turn
WIDEST = 48  # columns for a call's name in the list


def add_parser(commands: Subcommands[Parser]) -> None:
    """Add the command to the command line."""
    where = Parser(add_help=False)
    where.add_argument("--store", metavar="URL", help="the store (default: that of the settings, as for serve)")
    where.add_argument("--config", type=Path, metavar="FILE.toml", help="settings (default: STREAM_SER_CONFIG's)")
    whose = Parser(add_help=False, parents=[where])
    whose.add_argument("--tenant", default=LOCAL, metavar="NAME", help=f"whose calls (default: {LOCAL})")

    top = commands.add_parser("calls", help="look up, delete and expire stored calls")
    verbs = top.add_subparsers(dest="verb", metavar="list|show|delete|expire", required=True)
    listing = verbs.add_parser("list", parents=[whose], help="the newest calls, one a line")
    listing.add_argument("--state", choices=["open", "ended", "interrupted"], help="only those in this state")
    listing.add_argument("--limit", type=_count, default=100, metavar="N", help="how many at most (default: 100)")
    show = verbs.add_parser("show", parents=[whose], help="everything that is stored of a call, as JSON")
    show.add_argument("call", metavar="CALL", help="its name")
    show.add_argument(
        "--messages", action="store_true", help="every stored message, one a line, instead of the figures"
    )
    remove = verbs.add_parser("delete", parents=[whose], help="remove everything that is stored of a call that is over")
    remove.add_argument("call", metavar="CALL", help="its name")
    expire = verbs.add_parser("expire", parents=[where], help="remove the calls of all tenants that ended long ago")
    expire.add_argument("--days", type=_days, required=True, metavar="N", help="keep what ended within so many days")


def calls(options: argparse.Namespace) -> int:
    """Carry out the parsed command. Raises ConfigError and StoreError."""
    with _opened(options) as store:
        return {"list": _list, "show": _show, "delete": _delete, "expire": _expire}[options.verb](store, options)


def _list(store: Store, options: argparse.Namespace) -> int:
    for record in store.calls(options.tenant, state=options.state, limit=options.limit):
        took = "" if record.ended is None else f"{(record.ended - record.opened).total_seconds():.0f} s"
        print(
            f"{record.opened:%Y-%m-%d %H:%M:%S}  {record.state:<11} {took:>7}  consent {record.consent:<8} "
            f"{printable(record.call):<{WIDEST}}".rstrip()
        )
    return 0


def _show(store: Store, options: argparse.Namespace) -> int:
    record = _find(store, options)
    if options.messages:
        after = 0
        while rows := store.messages(options.tenant, after, PAGE, options.call):
            for row in rows:
                print(printable_json(row.text))
            after = rows[-1].seq
        return 0
    told: dict[str, Any] = {
        "tenant": record.tenant,
        "call": record.call,
        "state": record.state,
        "opened": record.opened.isoformat(),
        "ended": None if record.ended is None else record.ended.isoformat(),
        "consent": record.consent,
        "agents_purpose": record.purpose,
        "streams": {stream.stream: stream.role for stream in store.streams(options.tenant, options.call)},
        "summary": None if record.summary is None else json.loads(record.summary),
    }
    print(json.dumps(told, indent=1))
    return 0


def _delete(store: Store, options: argparse.Namespace) -> int:
    _find(store, options)
    removed = store.delete_call(options.tenant, options.call)
    print(f"removed {printable(options.call)}: {removed.streams} streams, {removed.messages} messages")
    print("a running server lets go of it within a minute; backups and files of subscribers are yours to clean")
    return 0


def _expire(store: Store, options: argparse.Namespace) -> int:
    before = datetime.now(UTC) - timedelta(days=options.days)
    gone = messages = 0
    with Working("removing calls"):
        while True:
            step = store.expire(before)
            gone, messages = gone + step.calls, messages + step.messages
            if not step.more:
                break
            time.sleep(REST_S)
    print(f"removed {gone} calls that ended before {before:%Y-%m-%d %H:%M} UTC, with {messages} messages")
    return 0


def _find(store: Store, options: argparse.Namespace) -> CallRecord:
    record = store.call(options.tenant, options.call)
    if record is None:
        raise ConfigError(
            f"the tenant {options.tenant!r} has no call {options.call!r} in {store.shown}",
            fix=f"see which there are: stream-ser calls list --tenant {options.tenant}",
        )
    return record


@contextmanager
def _opened(options: argparse.Namespace) -> Iterator[Store]:
    """Open the store that is meant, if there is one."""
    from stream_ser.server import settings

    flags = {} if options.store is None else {"store": options.store}
    url = settings.load(options.config, os.environ, flags).store
    if url == "off":
        raise ConfigError("the store is off, so no call is kept", fix="name one, as --store sqlite:///FILE")
    try:
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError

        from stream_ser.store.store import Store
    except ImportError as error:
        raise ConfigError(
            f"the store needs {error.name}, which is not installed", fix="pip install 'stream-ser[cpu,serve]'"
        ) from error
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None  # opening it says what is wrong, and shows no password
    if parsed is not None and parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
        raise ConfigError(f"there is no store at {parsed.database}", fix="name the file that serve uses, with --store")
    store = Store.open(url)
    try:
        yield store
    finally:
        store.close()


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of calls; give 1 to 1000000")
    return int(text)


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0.0 <= days <= 36_500.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days; give 0 to 36500, as 30 or 0.5")
    return days
