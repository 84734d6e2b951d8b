from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from selectors import EVENT_READ, EVENT_WRITE

import pytest

from stream_ser.server.bounded_selector import MOST_EVENTS, BoundedSelector


@pytest.fixture
def selector() -> Iterator[BoundedSelector]:
    with contextlib.closing(BoundedSelector()) as made:
        yield made


@pytest.fixture
def speaking() -> Iterator[list[socket.socket]]:
    """More sockets than one turn may answer, each of which has something to read."""
    pairs = [socket.socketpair() for _ in range(2 * MOST_EVENTS + 5)]
    for one, other in pairs:
        other.send(b"x")
        one.setblocking(False)
    yield [one for one, _ in pairs]
    for pair in pairs:
        for one in pair:
            one.close()


def test_each_is_told_of_once_before_any_is_told_of_again(
    selector: BoundedSelector, speaking: list[socket.socket]
) -> None:
    for one in speaking:
        selector.register(one.fileno(), EVENT_READ)
    turns = [[key.fd for key, _ in selector.select(None)] for _ in range(4)]
    assert [len(turn) for turn in turns] == [MOST_EVENTS, MOST_EVENTS, 5, MOST_EVENTS]
    assert sorted(fd for turn in turns[:3] for fd in turn) == sorted(one.fileno() for one in speaking)


def test_nobody_waits_while_events_are_left_over(selector: BoundedSelector, speaking: list[socket.socket]) -> None:
    for one in speaking:
        selector.register(one.fileno(), EVENT_READ)
    selector.select(None)
    for one in speaking:
        one.recv(1)  # a look without events would wait
    assert len(selector.select(3600.0)) == MOST_EVENTS


def test_what_is_left_over_of_a_socket_that_changed_is_dropped(
    selector: BoundedSelector, speaking: list[socket.socket]
) -> None:
    for one in speaking:
        selector.register(one, EVENT_READ, "before")
    first = {key.fd for key, _ in selector.select(None)}
    left = [one for one in speaking if one.fileno() not in first]
    closed, gone, other, changed, *rest = left
    for one in (closed, gone, other):
        selector.unregister(one)
    closed.close()
    other.recv(1)
    selector.register(other, EVENT_READ, "of another connection that has its number")
    selector.modify(changed, EVENT_READ | EVENT_WRITE, "after")
    told: list[int] = []
    while len(told) < len(rest):
        told += [key.fd for key, _ in selector.select(None)]
    assert sorted(told) == sorted(one.fileno() for one in rest)
    again = [(key.fd, key.data, mask) for _ in range(3) for key, mask in selector.select(0)]
    assert (changed.fileno(), "after", EVENT_READ | EVENT_WRITE) in again
    assert other.fileno() not in {fd for fd, _, _ in again}


def test_a_loop_with_it_answers_everybody(speaking: list[socket.socket]) -> None:
    async def all_are_heard() -> int:
        loop = asyncio.get_running_loop()
        heard = [0]

        def hear(one: socket.socket) -> None:
            heard[0] += len(one.recv(1))
            loop.remove_reader(one)

        for one in speaking:
            loop.add_reader(one, hear, one)
        for _ in range(10):
            before = heard[0]
            await asyncio.sleep(0)
            assert heard[0] - before <= MOST_EVENTS
        return heard[0]

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(BoundedSelector())) as runner:
        assert runner.run(all_are_heard()) == len(speaking)
