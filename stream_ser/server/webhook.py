"""Send notices to an address by POST, signed as Standard Webhooks has it (standardwebhooks.com, version 1.0.0).

``webhook-signature`` is ``v1,`` and the base64 of HMAC-SHA256 over ``id.timestamp.body`` with the secret's bytes, so a receiver
knows who sent what and when, and may refuse what is old. Redirects are not followed: results go where the settings say.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import time
from urllib.parse import urlsplit

from stream_ser._version import __version__
from stream_ser.errors import ConfigError
from stream_ser.server.delivery import DeliveryError, Notice

PREFIX = "whsec_"
SHORTEST = 24  # bytes of a secret
ATTEMPT_S = 10.0  # all of one attempt, however slowly the other side drips
AGAIN = (408, 409, 425, 429)  # what may be taken later, besides whatever the other side's trouble is


class Webhook:
    """One address. Raises ConfigError for a secret that cannot be used."""

    def __init__(self, url: str, secret: str, attempt_s: float = ATTEMPT_S) -> None:
        self._url = urlsplit(url)
        self._key = _key(secret)
        self._attempt_s = attempt_s
        self._tls = ssl.create_default_context() if self._url.scheme == "https" else None
        self._lock = threading.Lock()
        self._connected: http.client.HTTPConnection | None = None
        self._aborted = False  # the library takes a head that was cut off for a whole one

    def send(self, notice: Notice) -> None:
        """See ``Sender``."""
        connection = self._connection()
        with self._lock:
            self._connected, self._aborted = connection, False
        watchdog = threading.Timer(self._attempt_s, self.abort)
        watchdog.start()
        try:
            target = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
            connection.request("POST", target, notice.body, self.headers(notice, int(time.time())))
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise DeliveryError(f"the webhook does not answer: {type(error).__name__}") from error
        finally:
            watchdog.cancel()
            with self._lock:
                self._connected, aborted = None, self._aborted
            connection.close()
        if aborted:
            raise DeliveryError(f"the webhook does not answer within {self._attempt_s:g} s")
        if not 200 <= status < 300:
            raise DeliveryError(f"the webhook answers {status}", final=300 <= status < 500 and status not in AGAIN)

    def abort(self) -> None:
        """See ``Sender``."""
        with self._lock, contextlib.suppress(OSError):
            self._aborted = True
            if self._connected is not None and self._connected.sock is not None:
                self._connected.sock.shutdown(socket.SHUT_RDWR)

    def headers(self, notice: Notice, now: int) -> dict[str, str]:
        """What is sent beside the body at a Unix time."""
        signed = f"{notice.id}.{now}.".encode() + notice.body
        signature = base64.b64encode(hmac.new(self._key, signed, hashlib.sha256).digest()).decode()
        return {
            "Content-Type": "application/json",
            "User-Agent": f"stream-ser/{__version__}",
            "webhook-id": notice.id,
            "webhook-timestamp": str(now),
            "webhook-signature": f"v1,{signature}",
        }

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._tls is None:
            return http.client.HTTPConnection(host, port, timeout=self._attempt_s)
        return http.client.HTTPSConnection(host, port, timeout=self._attempt_s, context=self._tls)


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:  # without the text: it is a secret
        key = b""
    if not secret.startswith(PREFIX) or len(key) < SHORTEST:
        fix = (
            f"make one: python -c \"import base64, os; print('{PREFIX}' + base64.b64encode(os.urandom(32)).decode())\""
        )
        raise ConfigError(f"webhook.secret is not {PREFIX} and the base64 of {SHORTEST} bytes or more", fix=fix)
    return key
