"""``stream-ser doctor``: is everything here that a live monitor needs, and if not, what to do."""

from __future__ import annotations

import platform
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import stream_ser
from stream_ser.audio.devices import choose_device, list_devices
from stream_ser.cli.options import FEED, SPARE_PORTS
from stream_ser.cli.working import Working
from stream_ser.engine.backend import warm_up
from stream_ser.engine.loading import fallback_chain, load_card
from stream_ser.errors import StreamSerError
from stream_ser.feed.address import feed_address
from stream_ser.feed.server import FeedServer
from stream_ser.printable import printable
from stream_ser.text.choice import describe

PACKAGES = (
    "numpy",
    "soundfile",
    "soxr",
    "sounddevice",
    "websockets",
    "textual",
    "onnxruntime",
    "onnxruntime-gpu",
    "torch",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. ``needed`` says whether the program is of no use without it."""

    what: str
    good: bool
    text: str
    needed: bool = True


def examine(model: str, engine: str, feed: str | None) -> Iterator[Finding]:
    """Look at one thing after another. Yields at least one finding each and raises nothing expected."""
    yield Finding("python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.system()}")
    yield Finding("stream-ser", True, f"{stream_ser.__version__}; {_versions()}")
    yield _look("engine", lambda: _engine(model, engine))
    yield _look("feed", lambda: _feed(feed))
    # A recording can be replayed without one, so its absence is told but is no failure.
    yield _look("microphone", _microphone, needed=False)
    # Models that read words go by sound alone without one.
    yield _look("words", describe, needed=False)
    encoding = (sys.stdout.encoding or "ascii").lower()
    unicode = encoding.startswith("utf")
    yield Finding("terminal", unicode, f"{encoding}" if unicode else f"{encoding}: set LANG=C.UTF-8", needed=False)


def report(model: str, engine: str, feed: str | None) -> bool:
    """Print the findings; True when nothing that is needed is missing."""
    healthy = True
    for finding in examine(model, engine, feed):
        mark = "ok" if finding.good else "MISSING" if finding.needed else "none"
        print(f"{finding.what:<11} {mark:<8} {printable(finding.text)}")
        healthy = healthy and (finding.good or not finding.needed)
    return healthy


def _look(what: str, examine_it: Callable[[], str], needed: bool = True) -> Finding:
    try:
        with Working(f"looking at the {what}"):
            return Finding(what, True, examine_it(), needed)
    except StreamSerError as error:
        return Finding(what, False, str(error), needed)


def _versions() -> str:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _engine(model: str, engine: str) -> str:
    began = time.monotonic()
    folder, card = load_card(model)
    engines = fallback_chain(folder, card, engine)
    backend = engines.next()
    difference = warm_up(backend, card)
    took = time.monotonic() - began
    passed = "".join(f"; not {step.engine}: {step.reason}" for step in engines.steps)
    told = (
        f"{backend.name} computes {card.name} as trained (largest difference {difference:.1e}); ready in {took:.2f} s"
    )
    return told + passed


def _feed(feed: str | None) -> str:
    address = feed_address(feed or FEED)
    if address is None:
        return "off"
    from stream_ser.feed.hub import Hub

    server = FeedServer(Hub(), *address, spare_ports=SPARE_PORTS if feed is None else 0)
    server.start()
    server.stop()
    moved = "" if server.moved_from is None else f"; {server.moved_from} is in use, live and replay pass over it"
    return f"{server.url} is free (this is {socket.gethostname()}){moved}"


def _microphone() -> str:
    devices = list_devices()
    device = choose_device(devices, None)
    shown = f"{device.index} {device.name!r} ({device.host}), {device.rate} Hz, {device.channels} ch"
    return f"{shown}; the default of {len(devices)}"
