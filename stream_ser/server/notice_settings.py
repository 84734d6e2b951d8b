"""The settings of what people are told: whom a call is about, and where alerts and ends are sent. Pure.

Tables of ``ServeConfig``; each docstring is the help of its flag.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stream_ser.server.addresses import is_webhook
from stream_ser.server.secret import Secret
from stream_ser.server.setting_bounds import number
from stream_ser.server.setting_error import SettingError, show

Told = Literal["info", "warning", "critical", "none"]


@dataclass(frozen=True, slots=True)
class AboutSettings:
    """Which of a call's own parameters say whom it is about. No other parameter is shown or stored."""

    caller: str = ""
    """Name of the parameter with the caller's alias, shown on the page and stored with the call; nothing where empty. Choose an
    alias that says nothing to others."""

    queue: str = ""
    """Name of the parameter with the queue."""

    agent: str = ""
    """Name of the parameter with the agent's alias."""


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """Alerts and ends of calls, sent to an address of yours. Off while there is no address."""

    url: str = ""
    """https://… to which each is sent by POST; http:// only on this machine."""

    secret: Secret | None = None
    """What requests are signed with, as Standard Webhooks has it: whsec_ and base64. Required with ``url``."""

    tenant: str = ""
    """Whose alerts and calls are sent; everybody's where empty, and each says whose it is."""

    alerts: Told = "warning"
    """The least severity of alerts that are sent: info, warning, critical, or none."""

    ends: bool = True
    """Whether the end of a call is sent, with its summary."""

    queue: int = number(1000, 1, 100_000)
    """How many may wait while the other side does not answer; beyond that the oldest are dropped, and counted."""

    keep_h: float = number(6.0, 0.001, 168.0)
    """Hours for which one is tried again before it is given up."""

    def check(self) -> None:
        """Raise SettingError for an address that cannot be used, alone or without the secret."""
        if self.url and not is_webhook(self.url):
            fix = "give https://HOST/PATH, or http:// for this machine, without a user's name or a password"
            raise SettingError("webhook.url", f"= {show(self.url)} cannot be used", fix=fix)
        if bool(self.url) != (self.secret is not None):
            key, other = ("webhook.url", "webhook.secret") if self.url else ("webhook.secret", "webhook.url")
            raise SettingError(key, f"is set without {other}", fix="set both, or neither")


@dataclass(frozen=True, slots=True)
class CommandSettings:
    """Alerts and ends of calls, given to a program of yours, which may send e-mail. Off while there is no program."""

    run: tuple[str, ...] = ()
    """The program and its arguments. It gets each as one JSON object on standard input, and is to exit with 0."""

    tenant: str = ""
    """Whose alerts and calls it gets; everybody's where empty."""

    alerts: Told = "warning"
    """The least severity of alerts that it gets: info, warning, critical, or none."""

    ends: bool = False
    """Whether it gets the ends of calls, with their summaries."""

    timeout_s: float = number(30.0, 0.1, 600.0)
    """Seconds after which it is stopped."""

    queue: int = number(200, 1, 100_000)
    """How many may wait while it runs; beyond that the oldest are dropped, and counted."""

    keep_h: float = number(1.0, 0.001, 168.0)
    """Hours for which it is tried again before one is given up."""
