"""What an address says about itself: whether a browser could name it. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit


def is_origin(text: str) -> bool:
    """Whether a browser could send this as ``Origin``."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    return (
        bool(host)
        and text == f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")
        and (
            parts.scheme in ("http", "https")
            and not any(character.isspace() or character in "*," for character in host)
        )
    )
