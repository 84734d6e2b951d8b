"""One call server in this process, in the foreground, with logs for machines."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from stream_ser.errors import ConfigError
from stream_ser.feed.address import page_url
from stream_ser.printable import printable_json
from stream_ser.server.config import ServeConfig
from stream_ser.server.log_limit import INTERVAL_S, STANDARD, LimitedHandler

OWN_COLLECTIONS = 700  # new objects before a collection, as Python's own is; a command line's start makes them rarer
YOUNG_COLLECTIONS = 3  # collections of new objects before one of those that outlived one; Python's own is 10
# Of these before one of all; Python's own is 10. At 50 a flood of requests held a turn for 23 ms, at 170 days of silence for
# 67 ms. Next to nothing is left for them: connections and handshakes that end break their own circles.
FULL_COLLECTIONS = 1000
SWITCH_S = 3e-4


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, text, and whatever else the record says. No speech, no secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        told = {key: value for key, value in vars(record).items() if key not in STANDARD}
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **told,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return printable_json(json.dumps(line, default=str, ensure_ascii=False))


def serve_one(config: ServeConfig, told: Callable[[str], None] | None = None) -> int:
    """Serve in this process. ``told`` gets the address once calls may come, in the place of whoever reads standard output."""
    try:
        from stream_ser.server.app import CallServer
    except ImportError as error:
        raise ConfigError(
            f"the call server needs {error.name}, which is not installed", fix="pip install 'stream-ser[cpu,serve]'"
        ) from error
    handler = LimitedHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("stream_ser.server.websockets").setLevel(logging.ERROR)  # scanners' broken handshakes are no news
    log = logging.getLogger("stream_ser.server")
    # Sound is analysed in many short calls outside Python's lock. Getting it back from another thread takes up to this long,
    # every time: at Python's own 5 ms, many calls would be analysed seconds late.
    sys.setswitchinterval(SWITCH_S)
    server = CallServer(config, os.environ)
    gc.disable()  # a first collection of all that a start makes, in the loop's thread, would hold who is served already
    try:
        server.start()
        # What is there now stays. Python's collector would go through all of it again and again, for tens of milliseconds in
        # which no socket is served.
        gc.collect()
        gc.freeze()
        # Nor all that has come since, as often as it would: it takes 20 ms where many connections are open, and finds next to
        # nothing, as what connections and calls leave behind has no circles. What is not quite new is looked at more often than
        # by default, and so less of it at a time: ten times as much takes 10 ms where a flood of connections comes and goes.
        gc.set_threshold(OWN_COLLECTIONS, YOUNG_COLLECTIONS, FULL_COLLECTIONS)
    finally:
        gc.enable()
    asked = threading.Semaphore(0)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.release())
    log.info(
        "serving",
        extra={
            "url": server.url,
            "model": config.model,
            "engine": server.services.inference.worker.engine,
            "pid": os.getpid(),
        },
    )
    if told is None:
        print(f"{server.url}\npage: {page_url(server.url)}", flush=True)
    else:
        told(server.url)
    while not asked.acquire(timeout=INTERVAL_S):
        handler.pass_on()
    log.info("draining", extra={"calls": server.services.tenants.calls, "seconds": config.drain_s})
    drained: list[bool] = []

    def stop() -> None:
        server.stop()
        drained.append(True)

    stopping = threading.Thread(target=stop, daemon=True)
    stopping.start()
    while stopping.is_alive():
        handler.pass_on()
        if asked.acquire(timeout=0.05):
            log.warning("stopped before the drain was over")
            return 1
    if not drained:
        log.error("stopped, but the drain failed")
        return 1
    log.info("stopped")
    return 0
