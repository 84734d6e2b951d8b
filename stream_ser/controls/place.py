"""How people write a place in a recording. Pure."""

from __future__ import annotations

import re


def seconds_of(text: str) -> float | None:
    """``1:02:03``, ``1:23.5`` or ``83`` as seconds; None for anything else."""
    found = re.fullmatch(r"(?:(?:([0-9]{1,3}):)?([0-9]{1,4}):)?([0-9]{1,6}(?:\.[0-9]{1,3})?)", text.strip())
    if found is None:
        return None
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds
