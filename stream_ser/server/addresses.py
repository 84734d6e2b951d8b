"""What an address says about itself: whether a browser could name it. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from stream_ser.feed.loopback import is_loopback


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


def is_webhook(text: str) -> bool:
    """Whether results may be sent there: encrypted, or to this machine, with nothing secret in the address."""
    try:
        parts = urlsplit(text)
        known = parts.hostname is not None and parts.port != 0
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.fragment) and text.isprintable() and " " not in text
    return (
        known and plain and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")))
    )
