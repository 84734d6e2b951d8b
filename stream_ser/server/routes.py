"""What is at which address: the feed, the page that shows it, the ways in for sound, and the pages for operators.

One event loop. Requests are judged before the handshake; whoever is let in finds its tenant in ``_granted`` when the
connection is handled.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections import Counter
from collections.abc import Awaitable, Sequence
from http import HTTPStatus
from urllib.parse import unquote
from weakref import WeakKeyDictionary

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request as HandshakeRequest
from websockets.http11 import Response
from websockets.typing import Subprotocol

from stream_ser.calls.events import CallProtocol, RefusedError
from stream_ser.calls.protocols.audiohook import AudioHook
from stream_ser.calls.protocols.chan_websocket import ChanWebSocket
from stream_ser.calls.protocols.plain import Plain
from stream_ser.calls.protocols.twilio import Twilio
from stream_ser.calls.protocols.vonage import Vonage
from stream_ser.errors import FeedError
from stream_ser.feed.acknowledge import ACKNOWLEDGE_PATH
from stream_ser.feed.filters import parse
from stream_ser.server.auth import SUBPROTOCOL, Request, status
from stream_ser.server.call_pages import CallPages
from stream_ser.server.media_server import MediaServer
from stream_ser.server.rejection import POLICY, RETRY_AFTER_S, UNREADABLE, Refusal, log_refusal
from stream_ser.server.services import Services
from stream_ser.server.tokens import Grant
from stream_ser.server.turn_queue import TurnQueue
from stream_ser.web import assets

FEED, AUDIO, TWILIO, AUDIOHOOK, ASTERISK = "/v1/feed", "/v1/audio", "/v1/twilio", "/v1/audiohook", "/v1/asterisk"
VONAGE = "/v1/vonage"
SOUND = (AUDIO, TWILIO, AUDIOHOOK, ASTERISK, VONAGE)
MEDIA = Subprotocol("media")  # Asterisk's
CALLS = "/v1/calls/"
ASKING = (assets.ADMISSION, assets.SOUND_ADMISSION)  # where the page asks how it would be answered
DELETIONS, DELETIONS_OF_TENANT = 4, 2  # at a time: each takes a thread, and others need one too
ADMITTED_AT_ONCE = 12  # in one turn of the loop: to judge and answer one takes some 0.2 ms
UNWELCOME = {POLICY: "read-only", **UNREADABLE}  # what a subscriber sent, by close code
HEALTH, READY, METRICS = "/healthz", "/readyz", "/metrics"

_log = logging.getLogger("stream_ser.server")


class Routes:
    """The addresses of one server."""

    def __init__(self, services: Services, media: MediaServer) -> None:
        self._services, self._media = services, media
        self._deleting: Counter[str] = Counter()  # by tenant
        self._pages = CallPages(services)
        self._queue = TurnQueue(ADMITTED_AT_ONCE)
        self._granted: WeakKeyDictionary[ServerConnection, Grant | None] = WeakKeyDictionary()

    async def admit(self, connection: ServerConnection, handshake: HandshakeRequest) -> Response | None:
        """Answer a request that leads to no connection, when it is its turn; None lets it in."""
        address = connection.remote_address
        request = Request(handshake.path, handshake.headers, str(address[0]) if address else "")
        await self._queue.wait(self._services.auth.address(request))
        answer = self._answer(connection, handshake, request)
        return await answer if isinstance(answer, Awaitable) else answer

    def _answer(
        self, connection: ServerConnection, handshake: HandshakeRequest, request: Request
    ) -> Response | Awaitable[Response] | None:
        if request.path in ASKING:
            request = dataclasses.replace(request, headers=assets.as_page(request.headers))
        refusal = None if request.path == HEALTH else self._services.auth.host(request)
        if refusal is None and request.path in (HEALTH, READY, METRICS):
            return self._page(connection, request)
        if refusal is None and self._services.leaving:
            refusal = self._services.auth.refuse(Refusal("draining", "this server stops; come back soon"))
        if refusal is None:
            refusal = self._services.auth.way(request)
            page = assets.answer(connection, handshake) if refusal is None else None
            if page is not None:
                return page
            if refusal is None and CallPages.has(request.path, handshake.method):
                return self._pages.answer(connection, request, handshake.method)
            if refusal is None and request.path.startswith(CALLS):
                return self._delete(connection, request)
            refusal = refusal or self._judge(connection, request)
        if request.path in ASKING:
            return self._tell_page(connection, request.path, refusal)
        if refusal is None:
            return None
        if request.path in SOUND:
            log_refusal(request.path, refusal.reason)
        return _refuse(connection, refusal)

    async def handle(self, connection: ServerConnection) -> None:
        """Serve one connection that was let in."""
        assert connection.request is not None
        request = Request(connection.request.path, connection.request.headers, "")
        grant = self._granted.pop(connection, None)
        if request.path == FEED:
            assert grant is not None
            hub = self._services.tenants.get(grant.tenant).feed
            filters = parse(request.target.partition("?")[2])
            if filters.why == "spectrogram":
                told = {
                    "tenant": grant.tenant,
                    "role": grant.role,
                    "purpose": self._services.config.spectrograms_purpose,
                }
                _log.info("spectrograms are given out", extra=told)
            await self._services.subscribers.serve(connection, hub, filters)
            closed = connection.protocol.close_sent
            if closed is not None and not connection.protocol.close_rcvd_then_sent and closed.code in UNWELCOME:
                self._services.auth.refuse(Refusal(UNWELCOME[closed.code], closed.reason))
            return
        address = connection.remote_address
        peer = dataclasses.replace(request, peer=str(address[0]) if address else "")
        await self._media.serve(connection, self._protocol(request), grant, self._services.auth.address(peer))

    def subprotocol(self, connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        """Choose ours where it is offered, and Asterisk's at its door; none otherwise: other systems name theirs, or none."""
        path = "" if connection.request is None else connection.request.path.partition("?")[0]
        ours = MEDIA if path == ASTERISK else Subprotocol(SUBPROTOCOL)
        return ours if ours in offered else None

    async def _delete(self, connection: ServerConnection, request: Request) -> Response:
        """Delete a call of whoever asks, in the store and in memory."""
        services = self._services
        found: Grant | Refusal = services.auth.admin(request)
        if not isinstance(found, Refusal) and (
            self._deleting[found.tenant] >= DELETIONS_OF_TENANT or self._deleting.total() >= DELETIONS
        ):
            text = f"{self._deleting[found.tenant]} calls of this tenant are being deleted; come again when one is"
            found = services.auth.refuse(Refusal("too-many-deletions", text))
        if isinstance(found, Refusal):
            return _refuse(connection, found)
        self._deleting[found.tenant] += 1
        removed: int | None = None
        try:
            call = unquote(request.path.removeprefix(CALLS), errors="strict")
            loop = asyncio.get_running_loop()
            known = call.isprintable()  # as every call's name is; some databases choke on others
            removed = await loop.run_in_executor(None, services.tenants.delete, found.tenant, call) if known else None
            if removed is None:
                raise RefusedError("unknown-call", "there is no such call of this tenant")
        except UnicodeDecodeError:
            refusal = Refusal("unknown-call", "the name is not UTF-8, and no call's is so")
        except RefusedError as error:
            refusal = Refusal(error.code, error.text)
        finally:
            self._deleting -= Counter((found.tenant,))  # and forgets tenants that have none
        if removed is not None:
            _log.info("call deleted", extra={"tenant": found.tenant, "messages": removed})
            return connection.respond(HTTPStatus.OK, f"deleted, with {removed} messages\n")
        services.auth.refuse(refusal)
        return _refuse(connection, refusal)

    def _page(self, connection: ServerConnection, request: Request) -> Response:
        path = request.path
        if path == METRICS and self._services.config.metrics:
            response = connection.respond(HTTPStatus.OK, self._services.metrics.text().decode())
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "text/plain; version=0.0.4; charset=utf-8"
            return response
        if path == METRICS:
            return connection.respond(HTTPStatus.NOT_FOUND, "metrics are off\n")
        why = None
        if path == READY:
            may_know = self._services.auth.may_know(request)
            why = self._services.ready if may_know else self._services.ready_for_strangers
        if why is not None:
            return _say(connection, HTTPStatus.SERVICE_UNAVAILABLE, f"{why}\n")
        crowded = self._media.crowded if path == READY else None
        return connection.respond(HTTPStatus.OK, "ok\n" if crowded is None else f"ok, but {crowded}\n")

    def _tell_page(self, connection: ServerConnection, path: str, refusal: Refusal | None) -> Response:
        """Tell the page how the feed, or the way in for sound, would answer."""
        answer = None if refusal is None else status(refusal)
        text = "" if refusal is None else f"{refusal.reason}: {refusal.text}"
        granted = self._granted.pop(connection, None)
        if path == assets.ADMISSION:
            history = refusal is None and self._services.tenants.store is not None
            tenant = None if granted is None else granted.tenant
            return assets.admission(answer, text, SUBPROTOCOL, tenant=tenant, history=history)
        config = self._services.config
        stored = None if config.store == "off" else config.retention_days
        return assets.sound_admission(answer, text, SUBPROTOCOL, at_once=False, stored_days=stored)

    def _judge(self, connection: ServerConnection, request: Request) -> Refusal | None:
        auth = self._services.auth
        match request.path:
            case "/v1/feed" | assets.ADMISSION:
                found: Grant | Refusal | None = self._viewer(request)
            case "/v1/audio" | "/v1/vonage":
                found = auth.publisher(request)
            case assets.SOUND_ADMISSION:
                found = auth.publisher(request) or auth.token(None, "publisher")  # the page shows its token here too
            case "/v1/twilio":
                found = auth.twilio(request)
            case "/v1/audiohook":
                found = auth.audiohook(request)
            case "/v1/asterisk":
                found = auth.asterisk(request)
            case _:
                offered = (
                    FEED,
                    AUDIO,
                    TWILIO,
                    AUDIOHOOK,
                    ASTERISK,
                    VONAGE,
                    CALLS,
                    ACKNOWLEDGE_PATH,
                    HEALTH,
                    READY,
                    METRICS,
                )
                ways = ", ".join(offered)
                return auth.refuse(
                    Refusal("not-offered", f"there is nothing at {request.path[:200]!r}; there is {ways}")
                )
        if isinstance(found, Refusal):
            return found
        full = self._media.no_place_outside(auth.address(request)) if found is None else None
        if full is not None:
            return auth.refuse(full)  # a handshake, and a goodbye after it, would cost several times as much
        self._granted[connection] = found
        return None

    def _viewer(self, request: Request) -> Grant | Refusal:
        services = self._services
        full = services.no_room_to_subscribe()
        if full is not None:
            return services.auth.refuse(full)
        try:
            filters = parse(request.target.partition("?")[2])
        except FeedError as error:
            return services.auth.refuse(Refusal("bad-wish", str(error)))
        found = services.auth.viewer(request)
        if filters.why is None or isinstance(found, Refusal):
            return found
        asking = sum(member.subscription.filters.why is not None for member in services.subscribers.members)
        if asking >= services.config.limits.why:
            return services.auth.refuse(Refusal("too-many-why", f"{asking} connections ask for reasons; come later"))
        return found if filters.why == "attention" else services.auth.spectrogram(found) or found

    def _protocol(self, request: Request) -> CallProtocol:
        if request.path == TWILIO:
            return Twilio()
        if request.path == AUDIOHOOK:
            return AudioHook(
                organization=request.headers.get("Audiohook-Organization-Id"),
                session=request.headers.get("Audiohook-Session-Id"),
            )
        if request.path == ASTERISK:
            return ChanWebSocket(request.target.partition("?")[2])
        return Vonage() if request.path == VONAGE else Plain()


def _refuse(connection: ServerConnection, refusal: Refusal) -> Response:
    return _say(connection, status(refusal), f"{refusal.reason}: {refusal.text}\n")


def _say(connection: ServerConnection, code: HTTPStatus, text: str) -> Response:
    """Answer with a text; where there is no room, with when to come again, here or elsewhere."""
    response = connection.respond(code, text)
    if code is HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response
