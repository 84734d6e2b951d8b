from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from pathlib import Path

import pytest

from stream_ser.server.config import Limits
from stream_ser.server.loop_watch import LEAST_WAIT_S, LONGEST_TURN_S, LoopWatch, where
from tests.server.serving import Feed, dial, eventually, figures, serving
from tests.server.speaking import Plain, silence


class Clocks:
    """What the watch takes for time."""

    def __init__(self) -> None:
        self.now_ns, self.slept_ns = 1, 0
        self.watch = LoopWatch(lambda: self.now_ns, lambda: self.slept_ns)

    def pass_s(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)

    def turn(self, took_s: float, timeout: float | None = 0.02, rested_s: float = 0.0) -> None:
        self.watch.begins()
        self.pass_s(took_s)
        self.watch.rests(timeout)
        self.pass_s(rested_s)


def test_turns_are_counted_and_the_long_ones_held_against_what_ran(caplog: pytest.LogCaptureFixture) -> None:
    clocks = Clocks()
    for _ in range(10):
        clocks.turn(0.019)
    assert (clocks.watch.turns, clocks.watch.held) == (10, 0)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            clocks.turn(0.021)
    assert (clocks.watch.turns, clocks.watch.held) == (15, 5)
    assert clocks.watch.held_s == pytest.approx(0.105)
    assert clocks.watch.longest_s == pytest.approx(0.021)
    assert clocks.watch.held_by.by_reason() == {"not seen": 5}
    assert [record.message for record in caplog.records] == ["the event loop was held"], "one line for all of them"


def test_the_longest_turn_is_one_in_which_somebody_may_have_waited() -> None:
    """Those before a server is watched open its sockets and its store."""
    clocks = Clocks()
    clocks.turn(5.0)
    clocks.watch.begins()
    clocks.pass_s(3.0)
    clocks.watch.start()
    clocks.watch.stop()
    clocks.pass_s(1.0)
    clocks.watch.rests(0.02)
    assert (clocks.watch.longest_s, clocks.watch.longest_cpu_s) == (0.0, 0.0)
    clocks.turn(0.03)
    assert clocks.watch.longest_s == pytest.approx(0.03)


def test_how_long_a_turn_has_gone_on() -> None:
    clocks = Clocks()
    assert clocks.watch.turn_s == 0.0
    clocks.watch.begins()
    clocks.pass_s(0.01)
    assert clocks.watch.turn_s == pytest.approx(0.01)
    clocks.watch.rests(0.02)
    assert clocks.watch.turn_s == 0.0


@pytest.mark.parametrize(
    ("took", "rested", "slept", "stalled", "unseen"),
    [
        (0.01, 0.02, 0.0, 0.0, 0.0),
        (0.01, 0.20, 0.0, 0.0, 0.0),  # a loaded machine
        (0.01, 10.02, 0.0, 10.01, 0.0),  # stopped while it rested: what it did before is within its rest
        (10.0, 0.0, 0.0, 9.98, 0.0),  # stopped while it worked
        (0.01, 0.01, 60.0, 60.0, 60.0),  # suspended, which the monotonic clock does not notice
    ],
)
def test_time_that_the_loop_lacks_is_a_stall(
    took: float, rested: float, slept: float, stalled: float, unseen: float
) -> None:
    clocks = Clocks()
    clocks.turn(0.0, rested_s=0.02)
    clocks.turn(took, 0.02, rested)
    clocks.slept_ns += round(slept * 1e9)
    clocks.turn(0.0)
    stalls = clocks.watch.stalls
    assert stalls.total_ns / 1e9 == pytest.approx(stalled, abs=0.011)
    assert stalls.unseen_ns / 1e9 == pytest.approx(unseen)
    assert (stalls.ended_ns == clocks.now_ns) == bool(stalled)


def test_a_loop_that_waits_for_its_sockets_alone_does_not_stall() -> None:
    clocks = Clocks()
    clocks.turn(0.0, None, 3600.0)
    clocks.turn(0.0)
    assert clocks.watch.stalls.total_ns == 0


def test_what_holds_a_real_loop_is_seen_by_name() -> None:
    watch = LoopWatch()
    asked = threading.Event()

    def block() -> None:
        while watch._seen is None:  # until the watching thread has looked
            time.sleep(0.001)
        asked.set()

    async def hold() -> None:
        watch.start()
        await asyncio.sleep(0)
        block()
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=watch.new_loop) as runner:
        runner.run(hold())
    watch.stop()
    watch.stop()
    assert asked.is_set()
    (name,) = watch.held_by.by_reason()
    assert name.endswith("block")
    assert watch.longest_s > 0.02


def test_a_turn_is_looked_at_again_when_it_has_become_too_long() -> None:
    clocks = Clocks()
    assert clocks.watch.look() == LONGEST_TURN_S, "the loop rests"
    clocks.watch.begins()
    clocks.pass_s(0.25 * LONGEST_TURN_S)
    assert clocks.watch.look() == pytest.approx(0.75 * LONGEST_TURN_S)
    clocks.pass_s(0.75 * LONGEST_TURN_S)
    assert clocks.watch.look() == LEAST_WAIT_S, "never so soon that it would do nothing else"
    assert clocks.watch._seen is None
    clocks.pass_s(0.01 * LONGEST_TURN_S)
    assert clocks.watch.look() == LONGEST_TURN_S
    assert clocks.watch._seen is not None
    clocks.watch.rests(0.02)
    assert sum(clocks.watch.held_by.by_reason().values()) == 1


def test_stop_waits_until_the_thread_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    watch, looks, ended = LoopWatch(), threading.Event(), list[bool]()

    def look() -> float:
        looks.set()
        watch._leaving.wait(10.0)
        time.sleep(0.05)  # what it was doing takes a little longer
        ended.append(True)
        return 0.0

    monkeypatch.setattr(watch, "look", look)
    watch.start()
    assert looks.wait(10.0)
    watch.stop()
    assert ended == [True]


def test_our_innermost_function_is_what_holds() -> None:
    assert where(sys._getframe()).endswith("test_loop_watch.test_our_innermost_function_is_what_holds"), (
        "where nothing of ours runs, whatever does"
    )
    assert where(None) == "not seen"


async def test_a_stall_of_the_server_ends_no_call_and_is_counted(tmp_path: Path) -> None:
    """Sound that came while the server stood still is more than the burst, and nobody's fault."""
    speaker, stall_s = Plain("c-1"), 2.0
    limits = Limits(burst_s=0.5, idle_s=1.0)
    async with (
        serving(tmp_path, limits=limits) as server,
        Feed(server.url) as feed,
        dial(server, speaker.path) as connection,
    ):
        await connection.send(speaker.opening()[0])
        await feed.wait("call", kind="opened")
        before = server.services.watch.stalls.total_ns
        server._loop.call_soon_threadsafe(time.sleep, stall_s)
        for message in speaker.sound(silence(stall_s)):
            await connection.send(message)
        await eventually(lambda: server.services.watch.stalls.total_ns > before, "no stall was seen")
        await feed.wait("point", 3)
        found = await figures(server)
        await connection.send('{"type":"close"}')
        ended = (await feed.wait("call", kind="ended"))[0]
    assert ended["reason"] == "closed by the client"
    assert ended["summary"]["duration_s"] == stall_s
    assert found["loop_stalled_seconds_total"] >= stall_s - 0.1
    assert found["loop_longest_turn_seconds"] >= stall_s
    assert found["loop_turns_held_total"] >= 1


async def test_who_is_too_fast_without_a_stall_is_refused_all_the_same(tmp_path: Path) -> None:
    speaker = Plain("c-1")
    async with serving(tmp_path, limits=Limits(burst_s=0.5)) as server, Feed(server.url) as feed:
        async with dial(server, speaker.path) as connection:
            await connection.send(speaker.opening()[0])
            for message in speaker.sound(silence(600.0)):
                try:
                    await connection.send(message)
                except Exception:
                    break
        assert (await feed.wait("call", kind="ended"))[0]["reason"] == "refused: too-fast"
