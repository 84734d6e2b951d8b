"""What several commands share: how their options are read."""

from __future__ import annotations

from stream_ser.controls.place import seconds_of
from stream_ser.errors import ConfigError

FEED = "127.0.0.1:8765"  # where the feed is, unless something else is there already
SPARE_PORTS = 99  # how many ports above that are tried
TOKEN = "STREAM_SER_TOKEN"  # the variable that may hold a viewer's token


def parse_speed(text: str) -> float | None:
    """``max`` as None, else times real time. Raises ConfigError for anything else."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.0 < speed < float("inf"):
        raise ConfigError(f"--speed {text!r} is not a speed", fix="give a number above 0, as 1 or 10, or max")
    return speed


def parse_place(text: str) -> float:
    """Seconds from ``1:23`` and the like. Raises ConfigError for anything else."""
    seconds = seconds_of(text)
    if seconds is None:
        raise ConfigError(f"--from {text!r} is no place", fix="give minutes and seconds, as 1:23, or seconds")
    return seconds
