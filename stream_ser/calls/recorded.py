"""A call that was recorded, one party in each channel: two streams of one call, as the call server has them.

The same streams, alerts, turns and summary as of a call that comes over a connection, and the same rule about the agent's
side: nothing of it is heard unless the policy says so and states a purpose. The two sides advance together, sample for
sample, so the result does not depend on the machine.

``drive`` runs in the thread that calls it; ``start`` gives it a thread of its own. ``stop`` may be called from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, get_args

from stream_ser.audio.parties import SidedSource
from stream_ser.calls.call import Call, Policy
from stream_ser.calls.events import Agents, Leg, Lost, Opened, RefusedError, Sound
from stream_ser.calls.turn_detector import TurnsOnly
from stream_ser.errors import ConfigError, StreamSerError
from stream_ser.feed.message_types import Message
from stream_ser.pipeline.multi_stream import StreamLike
from stream_ser.pipeline.observer import StreamObserver
from stream_ser.pipeline.runtime import Runtime
from stream_ser.pipeline.session import Pausable
from stream_ser.pipeline.stream import Stream
from stream_ser.trajectory.rules import read_rules
from stream_ser.types import Point, Role

SIDES: tuple[str, str] = ("left", "right")
AGENTS: tuple[Agents, ...] = get_args(Agents)


@dataclass(frozen=True, slots=True)
class CallOptions:
    """Who speaks in the left and in the right channel, what is heard of agents and why, and what alerts.

    Raises ConfigError for what cannot be.
    """

    roles: tuple[Role, ...] = ("customer", "agent")
    agents: Agents = "off"
    agents_purpose: str = ""
    rules: Path | None = None  # None: the shipped ones

    def __post_init__(self) -> None:
        """Check what can be without reading a file."""
        if len(self.roles) != 2 or not set(self.roles) <= set(get_args(Role)):
            raise ConfigError(
                f"roles {','.join(self.roles)!r} are not those of two parties",
                fix=f"give two of {', '.join(get_args(Role))}: the left channel's first, as customer,agent",
            )
        if self.agents not in AGENTS:
            raise ConfigError(f"agents={self.agents!r} is none of {', '.join(AGENTS)}", fix="choose one of them")
        emotion = self.agents == "emotion"
        if emotion != bool(self.agents_purpose.strip()):
            wrong = "no purpose is stated" if emotion else "a purpose for emotion is stated"
            raise ConfigError(
                f"agents is {self.agents}, and {wrong}",
                fix="set agents to emotion and state agents_purpose, or do neither: docs/responsible-use.md",
            )

    def policy(self) -> Policy:
        """The call server's policy for it. Raises ConfigError for rules that cannot be read."""
        purpose = self.agents_purpose.strip() or None
        rules = read_rules() if self.rules is None else read_rules(self.rules, agent_purpose=purpose)
        return Policy(rules, agents=self.agents, agents_purpose=purpose)

    def legs(self) -> tuple[Leg, Leg]:
        """The left channel's and the right one's; they are named by their roles, or by their sides where those are equal."""
        names = self.roles if self.roles[0] != self.roles[1] else SIDES
        return Leg(names[0], self.roles[0]), Leg(names[1], self.roles[1])


class RecordedCall:
    """A call whose sound is ``source``, which is split; ``name`` is the call's own, and ``name/LEG`` are its streams'.

    ``collect`` may give an observer for the stream of that name. Raises ConfigError where nothing of it may be heard.
    """

    def __init__(
        self,
        runtime: Runtime,
        source: SidedSource,
        name: str,
        options: CallOptions,
        collect: Callable[[str], StreamObserver | None] = lambda _: None,
    ) -> None:
        self._source, self._legs = source, options.legs()
        opened = Opened(name, self._legs, source.info.rate, "recording")
        self._backend = _Backend(runtime, source, self._legs, collect)
        self._ended = threading.Event()
        self._call = Call(opened, self._backend, options.policy(), lambda _: self._ended.set())
        self._thread = threading.Thread(target=self._run, name=f"recorded call {name}", daemon=True)
        self.error: Exception | None = None  # what ended it, if it did not end by itself or by ``stop``

    @property
    def name(self) -> str:
        """The call's name."""
        return self._call.name

    @property
    def summary(self) -> dict[str, Any] | None:
        """The call in figures, once it is over."""
        return self._backend.summary

    @property
    def streams(self) -> dict[str, Stream]:
        """The streams that are open, by leg."""
        return {leg: sink for leg, sink in self._backend.sinks.items() if isinstance(sink, Stream)}

    def begin(self) -> None:
        """Open the streams. Raises ConfigError or EngineError, and leaves nothing open then."""
        try:
            self._call.begin()
        except RefusedError as error:
            self._source.close()
            if isinstance(error.__cause__, StreamSerError):
                raise error.__cause__ from error
            raise ConfigError(
                error.text, fix="set agents to turns, or to emotion with a stated purpose; or say who speaks with roles"
            ) from error

    def drive(self) -> None:
        """Take all of the sound in this thread; what ended it early is in ``error``. Once, after ``begin``."""
        try:
            sinks = [self._backend.sinks.get(leg.name) for leg in self._legs]
            for side, item in self._source.sides():
                sink = sinks[side]
                if sink is not None:
                    sink.take_prepared(sink.prepare(item))
                if all(one.over for one in self._backend.sinks.values()):
                    break
        except Exception as error:  # it is told at the streams' ends, and raised to a person by whoever runs this
            self.error = error
        finally:
            self._source.close()
            self._backend.error = self.error
            self._call.close("finished" if self.error is None else "error")
            self._ended.wait()
            self.error = self.error or self._backend.broken()

    def start(self) -> None:
        """Begin, and take the sound in a thread of its own."""
        self.begin()
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the call is over; False when the time ran out first."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """End the call. Returns at once; safe to call twice and from any thread."""
        if self._call.begun:
            self._call.stop("stopped")
        self._source.close()

    def _run(self) -> None:
        self.drive()


class _Sink:
    """Where a connection's buffer would be: sound does not come this way, and the end does."""

    def __init__(self, backend: _Backend, stream: StreamLike) -> None:
        self._backend, self._stream = backend, stream

    def put(self, event: Sound | Lost, now_ns: int) -> None:  # noqa: ARG002
        raise AssertionError("a recording's sound is taken by its streams themselves")

    def end(self) -> None:
        self._stream.conclude(self._backend.error)


class _Backend:
    """A ``CallBackend`` on a runtime: nothing is kept beyond what the hub's subscribers keep."""

    def __init__(
        self,
        runtime: Runtime,
        source: SidedSource,
        legs: tuple[Leg, Leg],
        collect: Callable[[str], StreamObserver | None],
    ) -> None:
        self._runtime, self._source, self._legs, self._collect = runtime, source, legs, collect
        self.sinks: dict[str, Stream | TurnsOnly] = {}  # by leg
        self.error: Exception | None = None  # what ended the source
        self.summary: dict[str, Any] | None = None

    def stream(self, leg: Leg, name: str, opened: Opened, observer: StreamObserver) -> Stream:
        collector = self._collect(name)
        made = self._runtime.stream(
            self._source.info.of_channel(1 + self._legs.index(leg)),
            name,
            stands_still=isinstance(self._source, Pausable),
            broken=self._source.close,
            observer=observer if collector is None else _Both(observer, collector),
            call=opened.call,
            role=leg.role,
        )
        self.sinks[leg.name] = made
        return made

    def turns(self, name: str, observer: StreamObserver) -> TurnsOnly:
        made = TurnsOnly(name, self._runtime.hop, self._runtime.card.window_samples, observer)
        self.sinks[name] = made
        return made

    def add_leg(self, stream: StreamLike, rate: int) -> _Sink:  # noqa: ARG002 - the source knows its rate
        return _Sink(self, stream)

    def begin(self, opened: Opened, streams: Mapping[str, Leg], purpose: str | None, at: datetime) -> None:
        """Nothing is stored."""

    def publish(self, message: Message) -> None:
        self._runtime.hub.publish(message)

    def end(self, call: str, summary: dict[str, Any] | None, at: datetime) -> None:  # noqa: ARG002 - one call, and now
        self.summary = summary

    def broken(self) -> Exception | None:
        """What ended a stream, if anything did."""
        return next((sink.error for sink in self.sinks.values() if isinstance(sink, Stream) and sink.error), None)


class _Both:
    """Two observers of one stream."""

    def __init__(self, first: StreamObserver, second: StreamObserver) -> None:
        self._both = first, second

    def point(self, point: Point) -> Iterator[Message]:
        return self._joined(one.point(point) for one in self._both)

    def end(self, position: int) -> Iterator[Message]:
        return self._joined(one.end(position) for one in self._both)

    def ended(self) -> None:
        for one in self._both:
            one.ended()

    @staticmethod
    def _joined(told: Iterable[Iterable[Message]]) -> Iterator[Message]:
        return iter(list(chain.from_iterable(told)))
