"""What is told outside: alerts that open and calls that end, by webhook and by command, as the settings say.

``sink`` is called inside a hub's ``publish`` and only queues. The threads belong to the deliveries: ``start`` and ``close``
them. A notice goes out when its message is published, also while the store cannot write.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from stream_ser.feed.call_messages import about
from stream_ser.feed.message_types import AboutMessage, AlertMessage, CallMessage, Message
from stream_ser.server.command_hook import CommandHook
from stream_ser.server.config import ServeConfig
from stream_ser.server.delivery import Delivery, Notice
from stream_ser.server.notice_settings import CommandSettings, WebhookSettings
from stream_ser.server.webhook import Webhook

SEVERITIES = ("info", "warning", "critical")
FIGURES = ("waiting", "delivered", "failed", "dropped")
NAMES = ("webhook", "command")
ALERT_FIELDS = ("id", "rule", "severity", "start", "end", "at", "t", "peak")
CALL_FIELDS = ("time", "reason", "consent", "legs", "summary")


@dataclass(frozen=True, slots=True)
class _Destination:
    delivery: Delivery
    wants: WebhookSettings | CommandSettings

    def wanted(self, tenant: str, severity: str | None) -> bool:
        """Whether an alert of that severity, or the end of a call (None), is to be told."""
        wants = self.wants
        if wants.tenant not in ("", tenant):
            return False
        if severity is None:
            return wants.ends
        return wants.alerts != "none" and SEVERITIES.index(severity) >= SEVERITIES.index(wants.alerts)


class Notices:
    """Made of settings. Raises ConfigError for a secret that is not there or cannot be used."""

    def __init__(self, config: ServeConfig, environ: Mapping[str, str]) -> None:
        hook, command = config.webhook, config.command
        self._destinations: list[_Destination] = []
        if hook.url and hook.secret is not None:
            sender = Webhook(hook.url, hook.secret.read(environ))
            self._destinations.append(_Destination(Delivery("webhook", sender, hook.queue, hook.keep_h * 3600), hook))
        if command.run:
            runner = CommandHook(command.run, command.timeout_s, environ)
            delivery = Delivery("command", runner, command.queue, command.keep_h * 3600)
            self._destinations.append(_Destination(delivery, command))
        self._lock = threading.Lock()
        self._about: dict[tuple[str, str], AboutMessage] = {}  # of the calls that are open

    def start(self) -> None:
        """Begin to deliver."""
        for each in self._destinations:
            each.delivery.start()

    def close(self, within_s: float) -> None:
        """Deliver what waits, as far as it is taken in time, and end the threads. Waits: not for an event loop."""
        until = time.monotonic() + within_s
        for each in self._destinations:
            each.delivery.close(max(0.0, until - time.monotonic()))

    def figures(self) -> dict[str, float]:
        """For the metrics: of each destination how many wait, were delivered, attempts that failed, and were dropped."""
        found = {f"{name}_{figure}": 0.0 for name in NAMES for figure in FIGURES}
        for each in self._destinations:
            found |= each.delivery.figures()
        return found

    def sink(self, tenant: str, message: Message) -> None:
        """Take a published message of a tenant into account."""
        if not self._destinations:
            return
        if message["type"] == "call":
            self._call(tenant, message)
        elif message["type"] == "alert" and message["kind"] == "opened":
            self._alert(tenant, message)

    def _call(self, tenant: str, message: CallMessage) -> None:
        key = tenant, message["call"]
        if message["kind"] == "opened":
            with self._lock:
                self._about[key] = message["about"]
            return
        with self._lock:
            told_about = self._about.pop(key, message["about"])
        told: dict[str, Any] = {"tenant": tenant, "call": message["call"], "about": told_about}
        told |= {name: value for name, value in message.items() if name in CALL_FIELDS}
        self._tell(tenant, None, f"call.{message['kind']}", told)

    def _alert(self, tenant: str, message: AlertMessage) -> None:
        with self._lock:
            told_about = self._about.get((tenant, message["call"] or ""), about())
        told: dict[str, Any] = {"tenant": tenant, "call": message["call"], "stream": message["stream"]}
        told |= {"role": message["role"], "about": told_about}
        told |= {name: value for name, value in message.items() if name in ALERT_FIELDS}
        self._tell(tenant, message["severity"], "alert.opened", told)

    def _tell(self, tenant: str, severity: str | None, kind: str, told: dict[str, Any]) -> None:
        due = [each for each in self._destinations if each.wanted(tenant, severity)]
        if not due:
            return
        now = time.time()
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        body = json.dumps({"type": kind, "timestamp": moment, "data": told}, ensure_ascii=False).encode()
        notice = Notice(f"msg_{uuid4().hex}", now, body)
        for each in due:
            each.delivery.put(notice)
