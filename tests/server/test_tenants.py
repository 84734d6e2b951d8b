"""Where results go, alone and in a cluster, and what a server holds of them in memory while others delete them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

import pytest

from stream_ser.calls.events import Leg, Opened, RefusedError
from stream_ser.feed import messages
from stream_ser.feed.history import History
from stream_ser.feed.hub import Hub
from stream_ser.server.tenants import Tenant, Tenants
from stream_ser.store.store import Store
from stream_ser.types import ResumePoint
from tests.feed.wire import call_message, end_message, make_info, point_message
from tests.server.serving import eventually
from tests.store.made_up import NOW, ended, opened, store_at, stored

TENANT, CALL, STREAM = "acme", "c1", "c1/customer"
HERE = 5  # messages that have a number


class Bus:
    """A cluster of one node: its log is a database of its own, and the store gets nothing by itself."""

    def __init__(self, log: Store) -> None:
        self.log, self._hub = log, Hub(History(), epoch="e1")

    def hub(self, _: str) -> Hub:
        return self._hub

    def feed(self, _: str) -> Hub:
        return self._hub

    async def resume_points(self, tenant: str) -> None:
        """No call goes on."""

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with store_at(tmp_path / "results.db") as made:
        yield made


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Store]:
    with store_at(tmp_path / "bus.db") as made:
        yield made


@pytest.fixture
def tenants(store: Store, log: Store) -> Iterator[Tenants]:
    made = Tenants(cast(Any, None), store, lambda _: None, cluster=cast(Any, Bus(log)))
    yield made
    made.write(5.0)
    made.close()


def talk(tenant: Tenant) -> None:
    leg, hub = Leg("customer", "customer"), tenant.hub
    tenant.begin(Opened(CALL, (leg,), 8_000, "plain", "given"), {STREAM: leg}, None, NOW)
    hub.publish(call_message(call=CALL))
    hub.publish(messages.hello(make_info(STREAM, CALL, "customer")))
    for k in range(2):
        hub.publish(point_message(k, STREAM))
    hub.publish(end_message(STREAM))
    hub.publish(call_message("ended", CALL))


def test_what_has_not_come_to_the_store_yet_is_not_taken_for_deleted(tenants: Tenants, store: Store) -> None:
    hub = tenants.get(TENANT).hub
    talk(tenants.get(TENANT))
    for last in (0, HERE - 1):
        if last:
            store.write([opened("c0"), stored(last, "c0")])
        assert tenants.forget() == 0
        assert hub.calls_kept() == {CALL}
    store.write([opened(CALL), ended(CALL), stored(HERE, CALL)])
    assert tenants.forget() == HERE - 1, "of these the store has deleted what came before"
    assert hub.calls_kept() == {CALL}
    assert store.delete_call(TENANT, CALL).messages == 1
    assert tenants.forget() == 1
    assert hub.calls_kept() == set()
    assert tenants.forget() == 0


def test_results_go_to_the_bus_and_not_by_themselves_to_the_store(tenants: Tenants, store: Store, log: Store) -> None:
    talk(tenants.get(TENANT))
    tenants.write(10.0)
    assert (log.last_seq(TENANT), store.last_seq(TENANT)) == (HERE, 0)


def test_subscribers_of_a_server_alone_get_what_is_stored(store: Store) -> None:
    tenants = Tenants(cast(Any, None), store, lambda _: None)
    try:
        tenant = tenants.get(TENANT)
        subscription = tenant.feed.subscribe()
        talk(tenant)
        tenants.write(10.0)
        assert store.last_seq(TENANT) == HERE
        assert [message["type"] for message in subscription.drain()] == [
            "call",
            "hello",
            "point",
            "point",
            "end",
            "call",
        ]
    finally:
        tenants.close()


class Broken:
    """A call that was let in, and fails when it is known where it goes on."""

    name, streams, begun = CALL, (STREAM,), False

    def __init__(self, error: Exception) -> None:
        self._error = error

    def hold(self) -> None:
        """Nothing comes."""

    def begin(self, _: dict[str, ResumePoint]) -> None:
        raise self._error


@pytest.mark.parametrize("error", [RefusedError("no-room", "full"), RuntimeError("a fault")])
async def test_a_call_that_fails_once_its_place_is_known_gives_its_name_back(error: Exception) -> None:
    tenant = Tenant(TENANT, cast(Any, None), Hub(History()), None)
    known, refused, logged = Future[dict[str, ResumePoint]](), list[tuple[str, str]](), list[dict[str, Any]]()
    tenant.share(lambda: tenant.hub, lambda *_: known, lambda call, told: refused.append((call, told.code)))
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
    tenant.enter(cast(Any, Broken(error)))
    assert tenant.calls.keys() == {CALL}
    known.set_result({})
    await eventually(lambda: not tenant.calls, "it leaves")
    assert refused == [(CALL, "no-room")]
    assert [context["exception"] for context in logged] == ([] if isinstance(error, RefusedError) else [error])
