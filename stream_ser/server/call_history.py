"""What is told of stored calls: a page of them, one of them, a stream's whole trajectory, a file of it.

Waits for a disk: never for an event loop. All is read from the store, so it is the same for everybody and after any restart.

Raises FeedError for a query that makes no sense, StoreError where the database fails, and gives None for what there is not.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, get_args
from urllib.parse import parse_qs

from stream_ser.errors import FeedError
from stream_ser.export.curves import Gatherer, Values
from stream_ser.export.formats import by_names
from stream_ser.export.segments import outline
from stream_ser.feed.call_messages import about
from stream_ser.feed.filters import LONGEST_NAME, MOST_PARAMETERS
from stream_ser.feed.message_types import Message
from stream_ser.feed.messages import wall_time
from stream_ser.store.listing import Listed, Page, Place, Severity, Wanted, Which, run_messages
from stream_ser.store.records import CallRecord
from stream_ser.store.store import Store

READ = 1000  # messages read at once
MOST_BYTES = 64 * 1024 * 1024  # of a file that is given out
MOST_LISTED = 200
DIGITS = 4  # behind the point, of what a chart shows
HELLO_FIELDS = ("stream", "role", "call", "labels", "dimensions", "model", "engine", "source", "anchor")
LISTED_FIELDS = ("tenant", "from", "to", "label", "share", "alert", "state", "limit", "after")


class TooLargeError(FeedError):
    """More than a page may ask for at once."""


def given(query: str) -> dict[str, str]:
    """The parameters of a query, the last of each."""
    try:
        found = parse_qs(query, True, max_num_fields=MOST_PARAMETERS)
    except ValueError as error:
        raise FeedError(f"the address has more than {MOST_PARAMETERS} parameters", fix="leave some out") from error
    return {name: values[-1] for name, values in found.items()}


def wanted(asked: Mapping[str, str]) -> Wanted:
    """Which calls a query asks for."""
    unknown = next((name for name in asked if name not in LISTED_FIELDS), None)
    if unknown is not None:
        raise FeedError(f"{unknown[:40]}= is unknown", fix=f"use {', '.join(LISTED_FIELDS)}")
    share, limit = asked.get("share", "0"), asked.get("limit", "50")
    if not re.fullmatch(r"[01](\.[0-9]{1,9})?", share) or float(share) > 1:
        raise FeedError(f"share={share[:40]!r} is no share", fix="give 0 to 1, as 0.25")
    if "share" in asked and "label" not in asked:
        raise FeedError("share comes without a label", fix="give label as well, as label=angry")
    if not re.fullmatch(r"[0-9]{1,3}", limit) or not 1 <= int(limit) <= MOST_LISTED:
        raise FeedError(f"limit={limit[:40]!r} cannot be had", fix=f"give 1 to {MOST_LISTED}")
    label = asked.get("label")
    if label is not None and not 0 < len(label) <= LONGEST_NAME:
        raise FeedError(f"label= has {len(label)} characters", fix=f"give 1 to {LONGEST_NAME}, or leave it out")
    return Wanted(
        which=_one_of(asked.get("state", "any"), "state", get_args(Which)),
        since=_moment(asked, "from"),
        until=_moment(asked, "to"),
        label=label,
        share=float(share),
        alert=_one_of(asked["alert"], "alert", get_args(Severity)) if "alert" in asked else None,
        limit=int(limit),
        after=_place(asked["after"]) if "after" in asked else None,
    )


def page(tenant: str, found: Page) -> dict[str, Any]:
    """A page of calls as JSON says it."""
    following = None if found.next is None else _cursor(found.next)
    return {"tenant": tenant, "calls": [_listed(each) for each in found.calls], "next": following}


def call(store: Store, tenant: str, name: str, run: int | None = None) -> dict[str, Any] | None:
    """One call with its streams and its summary; the newest of its name, where no run is named."""
    record = _find(store, tenant, name, run)
    if record is None:
        return None
    first = [json.loads(text) for text in run_messages(store, tenant, name, record.run, None, 0, 1)]
    opened = first[0] if first and first[0]["type"] == "call" else None
    found = store.streams(tenant, name, record.run)
    streams = [{"stream": each.stream, "role": each.role} for each in found if each.hello]
    summary = None if record.summary is None else json.loads(record.summary)
    return _record(record, opened) | {"streams": streams, "summary": summary}


def trajectory(store: Store, tenant: str, name: str, stream: str, run: int | None = None) -> dict[str, Any] | None:
    """A stream from its begin to its end, thinned to what a chart can show; times in seconds of the stream."""
    messages = _messages(store, tenant, name, stream, run)
    if messages is None:
        return None
    gatherer, noted = Gatherer(), _Noted()
    told = outline(noted(gatherer(messages)))
    curves, hello = gatherer.curves(), told.hello
    shown = {key: value for key, value in hello.items() if key in HELLO_FIELDS}
    return {
        "hello": shown | {"hop_s": hello["hop"] / hello["sample_rate"]},
        "each": curves.each,
        "length_s": told.length / hello["sample_rate"],
        "t": _column(curves.seconds),
        "smoothed": {label: _column(values) for label, values in curves.heard.items()},
        "dimensions": {each: _column(values) for each, values in curves.dimensions.items()},
        "segments": [[each.start_s, each.end_s, each.state, each.label, each.confidence] for each in told.segments],
        **noted.found,
    }


def export(
    store: Store, tenant: str, name: str, stream: str, form: str, run: int | None = None
) -> tuple[bytes, str] | None:
    """A stream's file in a format of ``stream_ser.export``, and the file's name. Raises ConfigError for no format."""
    (chosen,) = by_names(form)
    messages = _messages(store, tenant, name, stream, run)
    if messages is None:
        return None
    pieces, size = [], 0
    for piece in chosen.write(messages):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_BYTES:
            raise TooLargeError(
                f"this file has more than {MOST_BYTES >> 20} MiB",
                fix=f"run stream-ser calls show {name} --messages on the server",
            )
    return b"".join(pieces), re.sub(r"[^A-Za-z0-9._-]+", "_", stream)[:100] + chosen.suffix


class _Noted:
    """What lies beside the numbers: the last message of each alert, acknowledgements, marks, notices, the end."""

    def __init__(self) -> None:
        self._alerts: dict[str, Message] = {}
        self._kept: dict[str, list[Message]] = {"acknowledgement": [], "mark": [], "notice": [], "end": []}

    def __call__(self, messages: Iterable[Message]) -> Iterator[Message]:
        """Hand the messages on."""
        for message in messages:
            if message["type"] == "alert":
                self._alerts[message["id"]] = message
            elif message["type"] in self._kept:
                self._kept[message["type"]].append(message)
            yield message

    @property
    def found(self) -> dict[str, Any]:
        kept = self._kept
        return {
            "alerts": list(self._alerts.values()),
            "acknowledgements": kept["acknowledgement"],
            "marks": kept["mark"],
            "notices": kept["notice"],
            "end": kept["end"][-1] if kept["end"] else None,
        }


def run_of(asked: Mapping[str, str]) -> int | None:
    """Which of the calls of one name a query asks for; None for the newest."""
    text = asked.get("run", "1")
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise FeedError(f"run={text[:40]!r} is no number", fix="give run as the list of calls has it, or leave it out")
    return int(text) if "run" in asked else None


def _find(store: Store, tenant: str, name: str, run: int | None) -> CallRecord | None:
    if run is None:
        return store.call(tenant, name)
    return next((each for each in store.runs(tenant, name) if each.run == run), None)


def _messages(store: Store, tenant: str, name: str, stream: str, run: int | None) -> Iterator[Message] | None:
    record = _find(store, tenant, name, run)
    streams = () if record is None else store.streams(tenant, name, record.run)
    hello = next((each.hello for each in streams if each.stream == stream), None)
    if record is None or hello is None:
        return None

    def read() -> Iterator[Message]:
        yield json.loads(hello)
        after = 0
        while texts := run_messages(store, tenant, name, record.run, stream, after, READ):
            for text in texts:
                message: Message = json.loads(text)
                yield message
            after = message["seq"]

    return read()


def _listed(each: Listed) -> dict[str, Any]:
    return _record(each.record, each.opened) | {"share": dict(each.share), "alerts": dict(each.alerts)}


def _record(record: CallRecord, opened: Mapping[str, Any] | None) -> dict[str, Any]:
    took = None if record.ended is None else (record.ended - record.opened).total_seconds()
    return {
        "call": record.call,
        "run": record.run,
        "state": record.state,
        "opened": wall_time(record.opened),
        "ended": None if record.ended is None else wall_time(record.ended),
        "duration_s": took,
        "consent": record.consent,
        "about": dict(about()) | ((opened or {}).get("about") or {}),
        "legs": (opened or {}).get("legs", []),
    }


def _column(values: Values) -> list[float | None]:
    return [None if math.isnan(value) else round(value, DIGITS) for value in values.tolist()]


def _one_of(text: str, name: str, allowed: Sequence[Any]) -> Any:
    if text not in allowed:
        raise FeedError(f"{name}={text[:40]!r} is unknown", fix=f"give one of {', '.join(allowed)}")
    return text


def _moment(asked: Mapping[str, str], name: str) -> datetime | None:
    if name not in asked:
        return None
    try:
        found = datetime.fromisoformat(asked[name])
        if found.tzinfo is None:
            raise ValueError("it has no zone")
        found.timestamp()
    except (ValueError, OverflowError) as error:
        fix = "give date, time and zone, as 2026-11-21T08:00:00Z"
        raise FeedError(f"{name}={asked[name][:40]!r} is no moment", fix=fix) from error
    return found


def _cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _place(text: str) -> Place:
    try:
        begin, name = json.loads(base64.b64decode(text, altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError) as error:
        raise FeedError(f"after={text[:40]!r} is no place", fix="give next as the page before had it") from error
    if not isinstance(begin, int) or abs(begin) > 2**53 or not isinstance(name, str) or not name.isprintable():
        raise FeedError(f"after={text[:40]!r} is no place", fix="give next as the page before had it")
    return begin, name
