"""What several commands share: how their options are read."""

from __future__ import annotations

from stream_ser.errors import ConfigError

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
