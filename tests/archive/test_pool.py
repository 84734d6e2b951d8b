"""Recordings handed out, whatever becomes of those who take them."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.archive.analysis import Task
from stream_ser.archive.pool import At, Died, Done, Event, Failed, Ready, distribute, failure
from stream_ser.errors import ConfigError, EngineError, FeedError, SourceError, StreamSerError


def nobody_looks(*_: object) -> None:
    pass


class Members:
    """A pool whose members do what ``fate`` says of each recording: how often it takes its member with it."""

    def __init__(self, count: int, fate: dict[str, int], order: random.Random, stillborn: int = 0) -> None:
        self._count, self._order = count, order
        self._fate, self._stillborn = Counter(fate), stillborn
        self.given = Counter[str]()
        self._soon: list[Event] = []
        self._alive: set[int] = set()
        for member in range(count):
            self.replace(member)

    def members(self) -> range:
        return range(self._count)

    def replace(self, member: int) -> None:
        assert member not in self._alive
        if self._stillborn > 0:
            self._stillborn -= 1
            self._soon.append(Died(member, "early"))
            return
        self._alive.add(member)
        self._soon.append(Ready(member))

    def give(self, member: int, task: Task) -> None:
        assert member in self._alive, "it was given to nobody"
        self.given[task.name] += 1
        self._soon.append(At(member, task.name, 1.0, None))
        if self._fate[task.name] > 0:
            self._fate[task.name] -= 1
            self._alive.discard(member)
            self._soon.append(Died(member, "by signal SIGKILL"))
        else:
            self._soon.append(Done(member, {**task.entry, "to": ["csv"], "share": {}, "error": None}))

    def events(self) -> list[Event]:
        assert self._soon, "it would wait for ever"
        member = self._order.choice(sorted({event.member for event in self._soon}))  # what one says stays in order
        found = next(event for event in self._soon if event.member == member)
        self._soon.remove(found)
        return [found]


def tasks(count: int) -> list[Task]:
    return [Task(name, {"file": name}) for name in (f"{number}.wav" for number in range(count))]


@settings(deadline=None)
@given(
    st.integers(1, 5),
    st.dictionaries(st.integers(0, 11).map(lambda number: f"{number}.wav"), st.integers(0, 3)),
    st.integers(0, 2),
    st.randoms(use_true_random=False),
)
def test_each_recording_ends_exactly_once(
    count: int, fate: dict[str, int], stillborn: int, order: random.Random
) -> None:
    pool = Members(count, fate, order, stillborn)
    ended = list(distribute(pool, tasks(12), nobody_looks))
    assert sorted(task.name for task, _, _ in ended) == sorted(task.name for task in tasks(12))
    for task, entry, noted in ended:
        deaths = fate.get(task.name, 0)
        assert pool.given[task.name] == min(deaths, 1) + 1
        assert noted == (entry["error"] is None) == (deaths < 2)
        if deaths >= 2:
            assert entry["error"].startswith(f"{task.name} could not be analysed: its process ended twice")


def test_what_is_heard_is_passed_on() -> None:
    seen: list[tuple[str, float, float | None]] = []
    list(distribute(Members(1, {}, random.Random(0)), tasks(2), lambda *said: seen.append(said)))
    assert seen == [("0.wav", 1.0, None), ("1.wav", 1.0, None)]


def test_members_that_never_begin_end_the_run() -> None:
    with pytest.raises(
        EngineError, match=r"3 processes ended before they had loaded the model, the last early; .*--jobs"
    ):
        list(distribute(Members(2, {}, random.Random(0), stillborn=9), tasks(3), nobody_looks))


@pytest.mark.parametrize("kind", [ConfigError, EngineError, FeedError])
def test_what_concerns_all_is_raised_as_it_was(kind: type[StreamSerError]) -> None:
    class Broken(Members):
        def give(self, member: int, task: Task) -> None:  # noqa: ARG002
            self._soon.append(failure(member, kind("the disk is full", fix="make room")))

    with pytest.raises(kind, match=r"^the disk is full; make room$"):
        list(distribute(Broken(2, {}, random.Random(0)), tasks(3), nobody_looks))


def test_an_error_that_nobody_expected_is_told_all_the_same() -> None:
    told = failure(3, ZeroDivisionError("division by zero"))
    assert isinstance(told, Failed)
    assert (told.member, told.kind, "ZeroDivisionError: division by zero" in told.what) == (
        3,
        SourceError.__name__,
        True,
    )
