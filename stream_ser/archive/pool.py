"""Recordings handed out to whoever analyses them, each exactly once, until all are done.

A ``Pool`` has members: processes of this machine, or actors on many. A member that dies takes no other with it: another takes
its place, and the recording that it had is tried once more; if that ends in the same way, the recording is listed as bad.
All of this runs in the thread that iterates ``distribute``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from stream_ser.archive.analysis import Analysis, Task
from stream_ser.archive.figures import Tell
from stream_ser.errors import ConfigError, EngineError, FeedError, SourceError, StreamSerError, as_person_error
from stream_ser.export.index import IndexEntry

STILLBORN = 3  # members that died one after another before they had loaded the model


@dataclass(frozen=True, slots=True)
class Ready:
    """A member has loaded its model."""

    member: int


@dataclass(frozen=True, slots=True)
class At:
    """How far a member's recording is."""

    member: int
    name: str
    heard_s: float
    length_s: float | None


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a member's recording."""

    member: int
    entry: IndexEntry


@dataclass(frozen=True, slots=True)
class Failed:
    """A member has met what concerns all: an error, as it can be sent."""

    member: int
    kind: str
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class Died:
    """A member is no more."""

    member: int
    how: str


Event = Ready | At | Done | Failed | Died
KINDS: dict[str, type[StreamSerError]] = {
    kind.__name__: kind for kind in (ConfigError, EngineError, FeedError, SourceError)
}


class Pool(Protocol):
    """Members that analyse recordings beside each other. A context manager, which ends them all."""

    def members(self) -> Iterable[int]:
        """Those there are."""

    def give(self, member: int, task: Task) -> None:
        """Have a member that is ready, and has nothing to do, take a recording. A member that has died says so later."""

    def events(self) -> list[Event]:
        """Wait until something has happened, and say what."""

    def replace(self, member: int) -> None:
        """Start another in the place of one that died, under the same number."""


def answer(analysis: Analysis, member: int, task: Task) -> Done | Failed:
    """What a member says of a recording that it was given."""
    try:
        return Done(member, analysis.take(task))
    except Exception as error:
        return failure(member, error)


def failure(member: int, error: Exception) -> Failed:
    """An error that concerns all, as it can be sent."""
    told = as_person_error(error)
    return Failed(member, type(told).__name__, told.what, told.fix)


def distribute(pool: Pool, tasks: Iterable[Task], tell: Tell) -> Iterator[tuple[Task, IndexEntry, bool]]:
    """Each task with its entry, in the order in which they are done, and whether whoever did it has noted it.

    Raises EngineError, ConfigError and FeedError for what concerns all recordings.
    """
    waiting = deque(tasks)
    busy: dict[int, Task] = {}
    idle: list[int] = []
    lost: dict[str, str] = {}  # recordings that a member died with, and how
    stillborn, loading = 0, set(pool.members())
    while waiting or busy:
        while waiting and idle:
            member = idle.pop()
            busy[member] = waiting.popleft()
            pool.give(member, busy[member])
        for event in pool.events():
            match event:
                case Ready(member):
                    stillborn = 0
                    loading.discard(member)
                    idle.append(member)
                case At(_, name, heard_s, length_s):
                    tell(name, heard_s, length_s)
                case Done(member, entry):
                    idle.append(member)
                    yield busy.pop(member), entry, True
                case Failed(_, kind, what, fix):
                    raise KINDS.get(kind, EngineError)(what, fix=fix)
                case Died(member, how):
                    stillborn += member in loading
                    if stillborn >= STILLBORN:
                        raise EngineError(
                            f"{stillborn} processes ended before they had loaded the model, the last {how}",
                            fix="give --jobs 1, and see stream-ser doctor; perhaps there is too little memory",
                        )
                    if member in idle:
                        idle.remove(member)
                    task = busy.pop(member, None)
                    if task is not None and task.name in lost:
                        yield task, _lost(task, f"{lost[task.name]}, then {how}"), False
                    elif task is not None:
                        lost[task.name] = how
                        waiting.append(task)  # when the others have had their turn
                    loading.discard(member)
                    if len(waiting) > len(idle):
                        loading.add(member)
                        pool.replace(member)


def _lost(task: Task, how: str) -> IndexEntry:
    """The entry of a recording that twice took whoever had it with it."""
    what = (
        f"{task.entry['file']} could not be analysed: its process ended twice ({how}); try it alone: stream-ser analyze"
    )
    nothing = {"points": 0, "duration_s": None, "speech_s": None, "silence_s": None, "share": None}
    return {**task.entry, "to": [], **nothing, "error": what}
