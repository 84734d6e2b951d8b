"""The connection to the bus, for all of a process.

Thread ownership: one thread with one event loop, made by ``open`` and ended by ``close``. Coroutines of this package run in
that loop; ``call`` has one run there and waits for it, from any other thread.

The client comes back by itself when a server goes away, to whichever of them answers. Nothing is asked of a connection that is
not there, for the client would keep it and send it later: ``check`` says so instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import ssl
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError

from stream_ser.cluster.client import StrictClient, advice
from stream_ser.store.database import StoreError

CONNECT_S = 2.0  # how long a server may take to let us in
ANSWER_S = 2.0  # how long it may take to answer
AGAIN_S = 0.25  # between two attempts to come back
GOODBYE_S = 2.0
WRONG_LAST = 10071  # its code for: another message came in between

_T = TypeVar("_T")
_log = logging.getLogger("stream_ser.cluster")
FAILURES = (NatsError, OSError, TimeoutError, asyncio.TimeoutError)


@dataclass(frozen=True, slots=True)
class BusAddress:
    """Where the bus is, and who we are there. ``credentials`` is a file as ``nsc`` writes it."""

    servers: tuple[str, ...]  # as nats://host:4222
    credentials: Path | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    ca: Path | None = None  # who vouches for the servers, PEM; the system's authorities where it is None
    cert: Path | None = None  # what we show them
    key: Path | None = None

    @property
    def shown(self) -> str:
        """For people."""
        return ",".join(self.servers)


@dataclass(frozen=True, slots=True)
class Ack:
    """The bus has it. ``duplicate``: it had it before."""

    seq: int
    duplicate: bool


class WrongLastError(Exception):
    """The last message of the subject is not the one that was expected, so nothing was taken."""


class Bus:
    """A connection. ``open`` it, ``close`` it."""

    def __init__(self, address: BusAddress) -> None:
        self.address = address
        self.loop: asyncio.AbstractEventLoop
        self.client: Client
        self.js: JetStreamContext
        self._thread: threading.Thread | None = None
        self._ending: asyncio.Event
        self._acks: dict[str, asyncio.Future[Ack]] = {}
        self._numbers = itertools.count()
        self._inbox = ""
        self._given_up = False  # whether the client is to try no more
        self._why: Exception | None = None  # what kept it from connecting last
        self.sent = self.acknowledged = 0  # messages of calls; one that is sent again counts again
        self.took: Callable[[float], None] = lambda _: None  # gets the seconds until each was acknowledged, in the loop
        self.back: list[Callable[[], None]] = []  # called in the loop each time the connection is there again

    @property
    def connected(self) -> bool:
        """Whether a server answers, as far as is known."""
        return self._thread is not None and self.client.is_connected

    def open(self) -> None:
        """Connect. Raises StoreError where no server lets us in."""
        ready: Future[None] = Future()
        thread = threading.Thread(target=lambda: asyncio.run(self._run(ready)), name="bus", daemon=True)
        thread.start()
        try:
            ready.result()
        except BaseException:
            thread.join()
            raise
        self._thread = thread

    def close(self) -> None:
        """Disconnect and end the thread. May be called twice."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self.loop.call_soon_threadsafe(self._ending.set)
            thread.join()

    def call(self, coroutine: Coroutine[Any, Any, _T], within_s: float = 30.0) -> _T:
        """Have a coroutine run in the bus's loop, and wait for it there. Raises what it raises, StoreError when time is up."""
        if self._thread is None or threading.current_thread() is self._thread:
            coroutine.close()
            raise self.away("the connection is closed")
        asked = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return asked.result(within_s)
        except FAILURES as error:
            asked.cancel()
            raise self.away(error) from error

    def start(self, coroutine: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Have a coroutine run in the bus's loop; cancel what this gives to end it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def away(self, why: object) -> StoreError:
        """What to raise where the bus does not do what it should."""
        told = " ".join(str(why).split())[:200] or type(why).__name__
        return StoreError(f"the bus {self.address.shown} fails: {told}", fix=advice(self._why))

    def check(self) -> None:
        """Raise StoreError where no server is connected."""
        if not self.client.is_connected:
            raise self.away(self._why or "no server answers")

    async def publish(self, subject: str, data: bytes, message_id: str, after: int | None = None) -> Ack:
        """Have the bus take a message, and wait for its word that it has.

        ``after`` is the place of the message of this subject that is to be the last one before it, 0 for none.
        Raises WrongLastError where another one is, StoreError where the bus does not answer: then nobody knows.
        """
        answer = await self.send(subject, data, message_id, after)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await answer
        except FAILURES as error:
            raise self.away(error) from error

    async def send(self, subject: str, data: bytes, message_id: str, after: int | None = None) -> asyncio.Future[Ack]:
        """Send a message as ``publish`` does, and give what will have the bus's word. Cancel it where nobody waits any more."""
        self.check()
        name = str(next(self._numbers))
        answer: asyncio.Future[Ack] = self.loop.create_future()
        headers = {"Nats-Msg-Id": message_id}
        if after is not None:
            headers["Nats-Expected-Last-Subject-Sequence"] = str(after)
        self._acks[name], began = answer, self.loop.time()
        answer.add_done_callback(lambda done: self._answered(name, began, done))
        try:
            await self.client.publish(subject, data, reply=f"{self._inbox}.{name}", headers=headers)
        except FAILURES as error:
            answer.cancel()
            raise self.away(error) from error
        self.sent += 1
        return answer

    def _answered(self, name: str, began: float, answer: asyncio.Future[Ack]) -> None:
        self._acks.pop(name, None)
        if not answer.cancelled() and answer.exception() is None:
            self.acknowledged += 1
            self.took(self.loop.time() - began)

    async def request(self, subject: str, told: object, within_s: float = 1.0) -> Any:
        """Ask another node; None where nobody answers in time."""
        self.check()
        try:
            answer = await self.client.request(subject, json.dumps(told).encode(), timeout=within_s)
            return json.loads(answer.data)
        except (*FAILURES, ValueError):
            return None

    async def answer(self, subject: str, asked: Callable[[Any], Awaitable[Any]]) -> None:
        """Answer what others ask; nothing is answered where ``asked`` gives None."""

        async def take(message: Msg) -> None:
            try:
                given = await asked(json.loads(message.data))
            except Exception:
                _log.exception("a question of another node could not be answered")
                return
            if given is not None and message.reply:
                with contextlib.suppress(*FAILURES):
                    await message.respond(json.dumps(given).encode())

        await self.client.subscribe(subject, cb=take)

    async def _run(self, ready: Future[None]) -> None:
        self.loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        try:
            self.client = await self._connect()
            self.js = self.client.jetstream(timeout=ANSWER_S)
            self._inbox = self.client.new_inbox()
            await self.client.subscribe(f"{self._inbox}.*", cb=self._acknowledged)
        except Exception as error:
            ready.set_exception(self.away(self._why or error))
            return
        ready.set_result(None)
        await self._ending.wait()
        with contextlib.suppress(*FAILURES):
            async with asyncio.timeout(GOODBYE_S):
                await self.client.close()
        self._given_up = True
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _connect(self) -> Client:
        address, client = self.address, StrictClient()

        async def failed(error: Exception) -> None:
            if self._given_up:  # the client may have swallowed its cancellation, and would try for ever
                raise asyncio.CancelledError
            weak = isinstance(error, (BrokenPipeError, ConnectionResetError))  # as after an error that said more
            if not self.connected and not (weak and self._why):
                self._why = error
            _log.debug("the bus's client: %s", error)

        async def lost() -> None:
            if not self._ending.is_set():  # else it is we who leave
                _log.warning("the bus is away", extra={"bus": address.shown})

        async def returned() -> None:
            self._why = None
            _log.info("the bus is back", extra={"server": client.connected_url.netloc if client.connected_url else ""})
            for each in self.back:
                each()

        connecting = asyncio.create_task(
            client.connect(
                list(address.servers),
                name="stream-ser",
                error_cb=failed,
                disconnected_cb=lost,
                reconnected_cb=returned,
                connect_timeout=CONNECT_S,  # type: ignore[arg-type]  # it takes parts of a second
                reconnect_time_wait=AGAIN_S,  # type: ignore[arg-type]
                max_reconnect_attempts=-1,
                ping_interval=1,
                max_outstanding_pings=2,
                tls=_tls(address),
                **_login(address),
            )
        )
        done, _ = await asyncio.wait((connecting,), timeout=CONNECT_S * (len(address.servers) + 1))
        if not done:
            self._given_up = True
            connecting.cancel()
            raise TimeoutError("no server answers")
        connecting.result()
        return client

    async def _acknowledged(self, message: Msg) -> None:
        waiting = self._acks.get(message.subject.rpartition(".")[2])
        if waiting is None or waiting.done():
            return
        if message.headers and message.headers.get("Status") == "503":
            waiting.set_exception(TimeoutError("no stream answers there at the moment"))
            return
        told = json.loads(message.data)
        error = told.get("error")
        if error is None:
            waiting.set_result(Ack(told["seq"], told.get("duplicate", False)))
        elif error.get("err_code") == WRONG_LAST:
            waiting.set_exception(WrongLastError(error.get("description", "")))
        else:
            waiting.set_exception(APIError.from_error(error))


def _login(address: BusAddress) -> Mapping[str, Any]:
    given = {"user": address.user, "password": address.password, "token": address.token}
    given["user_credentials"] = None if address.credentials is None else str(address.credentials)
    return {name: value for name, value in given.items() if value is not None}


def _tls(address: BusAddress) -> ssl.SSLContext | None:
    if address.ca is None and address.cert is None and not any(each.startswith("tls:") for each in address.servers):
        return None
    context = ssl.create_default_context(cafile=None if address.ca is None else str(address.ca))
    if address.cert is not None:
        context.load_cert_chain(address.cert, address.key)
    return context
