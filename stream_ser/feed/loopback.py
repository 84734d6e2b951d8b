"""Whether an address is this machine alone, and whether a request was meant for it. Pure.

A page of another site can have its own name point at 127.0.0.1 (DNS rebinding): the browser then takes what this machine
serves for that site's, and sends no ``Origin`` with plain requests. But it always says in ``Host`` by which name it asked, and
scripts cannot change that.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on ``host``: ``localhost``, 127.0.0.0/8, ::1, in any spelling."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    inner = getattr(address, "ipv4_mapped", None)  # as a socket of both versions shows 127.0.0.1
    return address.is_loopback if inner is None else inner.is_loopback


def is_foreign(asked: str | None, bound_to: str) -> bool:
    """Whether a request to ``bound_to``, an address of the loopback, named another host in its header ``Host``.

    Who names none is no browser. What is not bound to the loopback may have names that nobody here knows.
    """
    return asked is not None and is_loopback(bound_to) and not is_loopback(host_name(f"//{asked}") or "")


def host_name(url: str) -> str | None:
    """The host in a URL, without its port; None where there is none."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
