"""Where a feed is, from whatever a person has at hand: the feed's address, the page's, or a host and a port. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

from stream_ser.errors import ConfigError, FeedError
from stream_ser.feed.admission import FEED_PATH

EVERYWHERE = frozenset({"0.0.0.0", "::"})
SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


def feed_url(text: str) -> str:
    """The address of the feed: ``127.0.0.1:8765`` and ``http://127.0.0.1:8765/`` become ``ws://127.0.0.1:8765/v1/feed``.

    A path is what a proxy puts the server under, a query is kept. Raises FeedError for what is no address.
    """
    try:
        parts = urlsplit(text if "://" in text else f"ws://{text}")
        scheme = SCHEMES.get(parts.scheme)
        if scheme is not None and parts.hostname and parts.port != 0 and not parts.username and not parts.fragment:
            path = parts.path.rstrip("/")
            path = path if path.endswith(FEED_PATH) else path + FEED_PATH
            return urlunsplit((scheme, parts.netloc, path, parts.query, ""))
        why = "it does not look like ws://HOST:PORT or https://HOST"
    except ValueError as error:
        why = str(error)
    raise FeedError(f"{text!r} is not the address of a feed: {why}", fix="give one like ws://127.0.0.1:8765")


def page_url(feed: str) -> str:
    """The address of the page that shows the feed at ``feed`` (ws://HOST:PORT/…).

    Of one that listens on all addresses, this machine's own name for itself: browsers let no other page of http listen.
    """
    parts = urlsplit(feed)
    place = f"localhost:{parts.port}" if parts.hostname in EVERYWHERE and parts.port else parts.netloc
    return urlunsplit(("https" if parts.scheme == "wss" else "http", place, "/", "", ""))


def feed_address(text: str) -> tuple[str, int] | None:
    """``HOST:PORT`` as a pair, None for ``off``. Raises ConfigError for anything else."""
    if text == "off":
        return None
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ConfigError(f"--feed {text!r} is not an address", fix="give HOST:PORT, as 127.0.0.1:8765, or off")
    return host.strip("[]"), int(port)
