"""Who may enter the feed, decided before the websocket handshake from the request alone. Pure: no I/O, no state.

A page that some other site serves must not read the feed of a microphone through the browser of the person who speaks.
Browsers name the page's site in ``Origin``, which scripts cannot forge; programs that are no browser send none.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from stream_ser.errors import FeedError
from stream_ser.feed.filters import parse
from stream_ser.feed.loopback import host_name, is_foreign, is_loopback

FEED_PATH = "/v1/feed"
SOUND_PATH = "/v1/audio"
HEALTH_PATH = "/healthz"
DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

Answer = tuple[HTTPStatus, str]


def wrong_host(headers: Mapping[str, str], bound_to: str) -> Answer | None:
    """Answer a request for anything at all that named another host than this machine; None where it did not.

    ``bound_to`` is the address at which the request arrived.
    """
    asked = headers.get("Host")
    if not is_foreign(asked, bound_to):
        return None
    return (
        HTTPStatus.FORBIDDEN,
        f"{str(asked)[:200]!r} is not this machine, and this serves it alone. Ask for 127.0.0.1 or localhost.\n",
    )


def refusal(target: str, headers: Mapping[str, str], *, bound_to: str, full: int | None) -> Answer | None:
    """Answer a request that does not lead to a subscription, after ``wrong_host`` let it pass; None lets it in.

    ``target`` is the request's path with its query, ``bound_to`` the address at which it arrived, and ``full`` the number of
    subscribers where no more are let in.
    """
    path, _, query = target.partition("?")
    if path == HEALTH_PATH:
        return HTTPStatus.OK, "ok\n"
    if path != FEED_PATH:
        return HTTPStatus.NOT_FOUND, f"There is nothing at {path[:200]!r}. The feed is at {FEED_PATH}, its page at /.\n"
    origin = headers.get("Origin")
    if origin is not None and not same_host(origin, headers.get("Host", ""), bound_to):
        return (
            HTTPStatus.FORBIDDEN,
            f"A page of {origin[:200]!r} may not read this feed. Open one that is served from the feed's own host.\n",
        )
    try:
        parse(query)
    except FeedError as error:
        return HTTPStatus.BAD_REQUEST, f"{error}.\n"
    if full is not None:
        return HTTPStatus.SERVICE_UNAVAILABLE, f"The feed has {full} subscribers and takes no more. Try again later.\n"
    return None


def sound_refusal(headers: Mapping[str, str], *, bound_to: str, full: str | None) -> Answer | None:
    """Answer a request to bring sound that leads to nothing; None lets it in.

    A page may only where the feed's own server has served it: of the same host *and* port. ``full`` says why nobody more can.
    """
    origin = headers.get("Origin")
    if origin is not None and not same_origin(origin, headers.get("Host", ""), bound_to):
        return (
            HTTPStatus.FORBIDDEN,
            f"A page of {origin[:200]!r} may not bring sound. Open the page that this server serves, at /.\n",
        )
    return None if full is None else (HTTPStatus.SERVICE_UNAVAILABLE, f"{full}\n")


def same_host(origin: str, host: str, bound_to: str) -> bool:
    """Compare host names; ports may differ. All names of the loopback are one."""
    page, asked = host_name(origin), host_name(f"//{host}")
    if page is None or asked is None or is_foreign(host, bound_to):
        return False
    return page == asked or (is_loopback(page) and is_loopback(asked))


def same_origin(origin: str, host: str, bound_to: str) -> bool:
    """Compare host names as ``same_host`` does, and ports too: those of the scheme where none is named."""
    try:
        page, asked = urlsplit(origin), urlsplit(f"{urlsplit(origin).scheme}://{host}")
        ports = [parts.port or DEFAULT_PORTS.get(parts.scheme) for parts in (page, asked)]
    except ValueError:
        return False
    return ports[0] == ports[1] is not None and same_host(origin, host, bound_to)
