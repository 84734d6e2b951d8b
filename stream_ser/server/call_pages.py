"""Requests about calls that are answered without a connection: what is stored of them, and that an alert was seen.

One event loop asks; the store is read in threads, a few at a time. Who asks sees the calls of the token's
tenant, and no others.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import unquote

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Response

from stream_ser.errors import ConfigError, FeedError
from stream_ser.feed.acknowledge import ACKNOWLEDGE_PATH, UnknownAlertError, acknowledge
from stream_ser.feed.loopback import host_name, is_loopback
from stream_ser.feed.message_types import AcknowledgementMessage
from stream_ser.server import call_history
from stream_ser.server.auth import Request, status
from stream_ser.server.rejection import Refusal
from stream_ser.server.services import Services
from stream_ser.server.tokens import Grant
from stream_ser.store.database import StoreError
from stream_ser.store.listing import list_calls
from stream_ser.store.store import Store
from stream_ser.web import assets

CALLS = "/v1/calls"
READERS = 2  # that read the store at once
WAITING = 30  # more are told to come later

_T = TypeVar("_T")
_log = logging.getLogger("stream_ser.server")


class CallPages:
    """The pages of one server. Raises nothing: what cannot be is a refusal, counted by name."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._readers = asyncio.Semaphore(READERS)
        self._asking = 0

    @staticmethod
    def has(path: str, method: str) -> bool:
        """Whether a request is for these pages."""
        below = path == CALLS or path.startswith(f"{CALLS}/")
        return path == ACKNOWLEDGE_PATH or (below and method != "DELETE")

    async def answer(self, connection: ServerConnection, request: Request, method: str) -> Response:
        """Answer a request that came the way that requests must come."""
        asked = dataclasses.replace(request, headers=assets.as_page(request.headers))
        refusal = self._wrong_host(asked)
        found: Grant | Refusal = self._services.auth.viewer(asked) if refusal is None else refusal
        if not isinstance(found, Refusal):
            due = "POST" if request.path == ACKNOWLEDGE_PATH else "GET"
            told = found, request
            if method != due:
                found = Refusal(
                    "wrong-method", f"this is asked for by {due}, and calls are deleted by DELETE {CALLS}/NAME"
                )
            else:
                answered = await (self._acknowledge(*told) if due == "POST" else self._history(*told))
                if not isinstance(answered, Refusal):
                    connection.close_timeout = assets.PATIENCE_S
                    return answered
                found = answered
            self._services.auth.refuse(found)
        return assets.answer_refusal(status(found), f"{found.reason}: {found.text}\n")

    def _wrong_host(self, request: Request) -> Refusal | None:
        """Without tokens only this machine may ask, so no foreign name that was made to point here may."""
        if self._services.config.tokens is not None:
            return None
        named = request.headers.get("Host", "")
        with contextlib.suppress(ValueError):
            if is_loopback(host_name(f"//{named}") or ""):
                return None
        text = f"this server is asked for as {named[:80]!r}, and answers to localhost; set tokens to let others ask"
        return self._services.auth.refuse(Refusal("wrong-host", text))

    async def _acknowledge(self, grant: Grant, request: Request) -> Response | Refusal:
        hub, query = self._services.tenants.get(grant.tenant).hub, request.target.partition("?")[2]
        try:
            told = acknowledge(hub, query, datetime.now(UTC))
        except UnknownAlertError as error:
            elsewhere = await self._acknowledge_elsewhere(grant, query)
            if elsewhere is None:
                return Refusal("unknown-alert", str(error))
            told = elsewhere
        except FeedError as error:
            return Refusal("bad-wish", str(error))
        _log.info("alert acknowledged", extra={"tenant": grant.tenant, "role": grant.role})
        return assets.answer_json(HTTPStatus.OK, told)

    async def _acknowledge_elsewhere(self, grant: Grant, query: str) -> AcknowledgementMessage | None:
        """Have the node do it that has the alert's call, in a cluster."""
        cluster = self._services.cluster
        if cluster is None:
            return None
        with contextlib.suppress(StoreError):
            return await asyncio.wrap_future(
                asyncio.run_coroutine_threadsafe(cluster.acknowledge(grant.tenant, query), cluster.bus.loop)
            )
        return None

    async def _history(self, grant: Grant, request: Request) -> Response | Refusal:
        store = self._services.tenants.store
        if store is None:
            return Refusal("history-off", "this server stores nothing: its setting store is off")
        try:
            asked = call_history.given(request.target.partition("?")[2])
            if asked.get("tenant", grant.tenant) != grant.tenant:
                return Refusal("wrong-tenant", f"this token is of the tenant {grant.tenant!r}; ask for its calls")
            names = [unquote(part, errors="strict") for part in request.path.removeprefix(CALLS).split("/")[1:]]
            if not names:
                wanted = call_history.wanted(asked)
                found = await self._read(partial(list_calls, store, grant.tenant, wanted))
                return assets.answer_json(HTTPStatus.OK, call_history.page(grant.tenant, found))
            return await self._one(store, grant.tenant, names, asked)
        except UnicodeDecodeError:
            return Refusal("unknown-call", "the name is not UTF-8, and no call's is so")
        except call_history.TooLargeError as error:
            return Refusal("too-large", str(error))
        except StoreError as error:
            return Refusal("store-unavailable", str(error))
        except (FeedError, ConfigError) as error:
            return Refusal("bad-wish", str(error))
        except _BusyError:
            return Refusal("too-many-readers", f"{WAITING} requests wait for the store; come later")

    async def _one(self, store: Store, tenant: str, names: list[str], asked: dict[str, str]) -> Response | Refusal:
        name, *kind = names
        run = call_history.run_of(asked)
        found: Any = None
        if name.isprintable() and not kind:
            found = await self._read(partial(call_history.call, store, tenant, name, run))
        elif name.isprintable() and kind == ["trajectory"]:
            stream = asked.get("stream", "")
            found = await self._read(partial(call_history.trajectory, store, tenant, name, stream, run))
        elif name.isprintable() and kind == ["export"]:
            stream, form = asked.get("stream", ""), asked.get("to", "csv")
            found = await self._read(partial(call_history.export, store, tenant, name, stream, form, run))
            if found is not None:
                return assets.answer_file(*found)
        if found is None:
            return Refusal("unknown-call", "there is no such call of this tenant, or no such stream of it")
        return assets.answer_json(HTTPStatus.OK, found)

    async def _read(self, work: Callable[[], _T]) -> _T:
        """Do what waits for a disk, when it is its turn."""
        if self._asking >= WAITING:
            raise _BusyError
        self._asking += 1
        try:
            async with self._readers:
                return await asyncio.get_running_loop().run_in_executor(None, work)
        finally:
            self._asking -= 1


class _BusyError(Exception):
    """Too many wait."""
