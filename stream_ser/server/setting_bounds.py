"""Settings that are numbers, and what they lie between. Pure."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any

from stream_ser.server.setting_error import SettingError, show


def number(default: float, least: float, most: float) -> Any:
    """A field that is a number within bounds, both included."""
    return field(default=default, metadata={"least": least, "most": most})


def check_bounds(part: Any, prefix: str = "") -> None:
    """Raise SettingError where a ``number`` of the dataclass ``part`` is out of bounds; ``prefix`` comes before its name."""
    for item in fields(part):
        if "least" in item.metadata:
            value, least, most = getattr(part, item.name), item.metadata["least"], item.metadata["most"]
            if not least <= value <= most:  # so is NaN
                shown = f"{value:.6g}" if isinstance(value, float) else show(value)
                raise SettingError(
                    f"{prefix}{item.name}", f"= {shown} is out of range", fix=f"give {least:g} to {most:g}"
                )
