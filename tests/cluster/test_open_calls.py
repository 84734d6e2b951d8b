"""Which calls are open, as the bus has it: all of them, each once, as they stand now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from nats.errors import TimeoutError as NatsTimeoutError

from stream_ser.cluster.connection import Bus, BusAddress
from stream_ser.cluster.following import AT_ONCE
from stream_ser.cluster.numbering import Keeping
from stream_ser.cluster.open_calls import OpenCallEntry, OpenCalls
from stream_ser.store.database import StoreError
from tests.cluster.nats_server import NatsServer, needs_nats

pytestmark = needs_nats


@pytest.fixture
def bus(nats_server: NatsServer) -> Iterator[Bus]:
    made = Bus(BusAddress((nats_server.url,)))
    made.open()
    yield made
    made.close()


def entry(tenant: str, call: str, place: int = 0) -> OpenCallEntry:
    return OpenCallEntry(tenant, call, "n-1", "n-1.5", 5, "given", hellos={f"{call}/a": (1, "hello")}, place=place)


def test_all_open_calls_are_told_however_many_there_are(bus: Bus) -> None:
    calls, names = OpenCalls(bus, Keeping()), [f"c-{number}" for number in range(AT_ONCE + 20)]

    async def put() -> None:
        for name in names:
            await calls.put(entry("acme", name))
        await calls.put(entry("other", "c-1"))

    bus.call(put())
    assert sorted(each.call for each in bus.call(calls.all("acme"))) == sorted(names)
    assert bus.call(calls.all("other")) == [entry("other", "c-1")]
    assert len(bus.call(calls.all())) == len(names) + 1


def test_a_call_is_told_as_it_stands_now_and_no_more_once_it_is_over(bus: Bus) -> None:
    calls = OpenCalls(bus, Keeping())
    assert bus.call(calls.all()) == []
    for name in ("c-1", "c-2", "c-3"):
        bus.call(calls.put(entry("acme", name)))
    bus.call(calls.put(entry("acme", "c-1", place=7)))
    bus.call(calls.remove("acme", "c-2"))
    assert {each.call: each.place for each in bus.call(calls.all())} == {"c-1": 7, "c-3": 0}


@pytest.mark.parametrize("left", [0, 1])
def test_calls_that_end_while_they_are_read_are_passed_over(
    bus: Bus, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, names = OpenCalls(bus, Keeping()), ["c-1", "c-2", "c-3"]
    for name in names:
        bus.call(calls.put(entry("acme", name)))
    bind = bus.js.pull_subscribe_bind

    async def end_and_bind(*given: Any) -> Any:
        """The bus has said how many there are by now."""
        for name in names[left:]:
            await calls.remove("acme", name)
        return await bind(*given)

    monkeypatch.setattr(bus.js, "pull_subscribe_bind", end_and_bind)
    assert [each.call for each in bus.call(calls.all())] == names[:left]


@pytest.mark.parametrize(
    "late", [TimeoutError, NatsTimeoutError]
)  # the client has both, by the moment at which it gives up
@pytest.mark.parametrize("gone", [True, False])
def test_what_has_gone_is_not_missed_and_a_bus_that_does_not_answer_is_not_taken_for_an_empty_one(
    bus: Bus, gone: bool, late: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = OpenCalls(bus, Keeping())
    bus.call(calls.put(entry("acme", "c-1")))
    bind = bus.js.pull_subscribe_bind

    async def nothing(*_: Any, **__: Any) -> Any:
        raise late

    async def bind_late(*given: Any) -> Any:
        if gone:
            await calls.remove("acme", "c-1")
        asking = await bind(*given)
        monkeypatch.setattr(asking, "fetch", nothing)
        return asking

    monkeypatch.setattr(bus.js, "pull_subscribe_bind", bind_late)
    if gone:
        assert bus.call(calls.all()) == []
    else:
        with pytest.raises(StoreError):
            bus.call(calls.all())
