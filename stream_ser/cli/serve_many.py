"""``stream-ser serve --processes N``: several call servers behind one port, and what holds them together.

This process takes no connection. It keeps the port, starts the others, passes the word to stop on to them, and starts another
one where one has died. Each of them is a node of the cluster; the system deals new connections out among those that listen.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from stream_ser.cli.serve_one import JsonLines, serve_one
from stream_ser.errors import FeedError, StreamSerError
from stream_ser.feed.address import page_url
from stream_ser.server.config import ServeConfig

AGAIN_S = 1.0  # the least time between two starts of one
LOOK_S = 0.2
LAST_S = 15.0  # beyond the drain, until one that does not end is killed

_log = logging.getLogger("stream_ser.server")


@dataclass(slots=True)
class _Child:
    process: BaseProcess
    said: Connection
    began: float
    url: str = ""


def serve_many(config: ServeConfig) -> int:
    """Serve until SIGTERM or Ctrl-C, then have all drain; a second signal ends the drain at once. Raises FeedError."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    with _keep(config) as kept:
        config = replace(config, port=kept.getsockname()[1])
        asked = threading.Semaphore(0)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: asked.release())
        children = [_start(config) for _ in range(config.processes)]
        try:
            return _watch(config, children, asked)
        finally:
            for child in children:
                if child.process.is_alive():
                    child.process.kill()
                child.process.join()


def _watch(config: ServeConfig, children: list[_Child], asked: threading.Semaphore) -> int:
    announced = False
    while not asked.acquire(timeout=LOOK_S):
        for place, child in enumerate(children):
            if not child.url and child.said.poll():
                child.url = _hear(child)
            if child.process.is_alive():
                continue
            if not announced:  # what stops one at the start stops all
                return child.process.exitcode or 1
            if time.monotonic() - child.began > AGAIN_S:
                _log.error("a process has died, and another one is started", extra={"pid": child.process.pid})
                children[place] = _start(config)
        if not announced and all(child.url for child in children):
            announced = True
            print(f"{children[0].url}\npage: {page_url(children[0].url)}", flush=True)
    _log.info("draining", extra={"processes": len(children), "seconds": config.drain_s})
    for number in (signal.SIGTERM, signal.SIGTERM):
        for child in children:
            if child.process.is_alive() and child.process.pid is not None:
                os.kill(child.process.pid, number)
        if _ended(children, config.drain_s + LAST_S, asked):
            break
    return max((child.process.exitcode or 0 for child in children), default=0)


def _ended(children: list[_Child], within_s: float, asked: threading.Semaphore) -> bool:
    """Wait until all have ended; gives whether they have, before time is up or a second signal comes."""
    until = time.monotonic() + within_s
    while left := [child.process.sentinel for child in children if child.process.is_alive()]:
        wait(left, LOOK_S)
        if time.monotonic() > until or asked.acquire(blocking=False):
            return False
    return True


def _start(config: ServeConfig) -> _Child:
    spawning = multiprocessing.get_context("spawn")
    here, there = spawning.Pipe(duplex=False)
    process = spawning.Process(target=_child, args=(config, there), name="stream-ser serve")
    process.start()
    there.close()
    return _Child(process, here, time.monotonic())


def _child(config: ServeConfig, there: Connection) -> None:
    """One of them. Ctrl-C reaches all of a terminal's group, and only the one that started them is to take it."""
    os.setpgid(0, 0)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        code = serve_one(config, there.send)
    except StreamSerError as error:
        print(f"stream-ser: {error.what}; {error.fix}", file=sys.stderr)
        code = 2
    sys.exit(code)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


def _hear(child: _Child) -> str:
    try:
        return str(child.said.recv())
    except EOFError:
        return ""


def _keep(config: ServeConfig) -> socket.socket:
    """The port, for as long as any of them is to listen: so no other program gets it between two of them. Raises FeedError."""
    kept = socket.socket(socket.AF_INET6 if ":" in config.host else socket.AF_INET)
    try:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind((config.host, config.port))
    except (OSError, OverflowError) as error:
        kept.close()
        raise FeedError(
            f"cannot listen on {config.host}:{config.port}: {error}", fix="choose another host or port"
        ) from error
    return kept
