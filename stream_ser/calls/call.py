"""One call while it goes on: its legs' streams, what follows from their points, and its end.

Events of the connection come from one thread (the server's event loop); points come from the worker's and the leg
scheduler's threads, under a stream's lock. Lock order: a stream's, then the call's, then the hub's; nothing here calls a
stream with the call's lock held.

An agent's leg is analysed only where the policy states a purpose. Where it is not, it may be heard for turns alone: when
somebody speaks goes into the call's figures, and nothing else of it anywhere. The call's messages name it, with no stream.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from stream_ser.calls.about import NOTHING, AboutParameters
from stream_ser.calls.backend import CallBackend, LegSink
from stream_ser.calls.events import Agents, Leg, Lost, Opened, PassedOver, RefusedError, Sound
from stream_ser.calls.leg_observer import LegObserver
from stream_ser.calls.resuming import INTERRUPTED, HeldEvents, resumes_at
from stream_ser.calls.turn_detector import TurnsOnly
from stream_ser.errors import StreamSerError
from stream_ser.feed import call_messages
from stream_ser.feed.call_messages import LegInfo
from stream_ser.feed.message_types import CallKind, Message
from stream_ser.pipeline.multi_stream import StreamLike
from stream_ser.pipeline.stream import Stream
from stream_ser.trajectory.alerts import AlertEvent
from stream_ser.trajectory.call import CallMeter
from stream_ser.trajectory.rules import Rule
from stream_ser.types import SAMPLE_RATE, Point, ResumePoint, Role


@dataclass(frozen=True, slots=True)
class Policy:
    """Whose voice may be analysed, and what alerts. Raises ValueError where agents are to be, and nobody says why."""

    rules: tuple[Rule, ...] = ()
    consent_required: bool = False
    agents: Agents = "off"
    agents_purpose: str | None = None  # why agents are analysed; None where they are not
    about: AboutParameters = NOTHING  # which parameters of a call those who watch it are shown

    def __post_init__(self) -> None:
        """Check that a purpose is stated where there must be one."""
        if (self.agents == "emotion") != bool((self.agents_purpose or "").strip()):
            raise ValueError(
                f"agents is {self.agents!r} and the purpose {self.agents_purpose!r}; state one for emotion"
            )

    def analyses(self, leg: Leg) -> bool:
        """Whether a leg is analysed."""
        return leg.role != "agent" or self.agents == "emotion"

    def times(self, leg: Leg) -> bool:
        """Whether a leg is heard for turns alone."""
        return leg.role == "agent" and self.agents == "turns"

    def admit(self, opened: Opened) -> None:
        """Raise RefusedError for a call that may not be analysed."""
        if opened.consent == "refused":
            raise RefusedError("consent-refused", "consent was refused for this call, so nothing of it is analysed")
        if self.consent_required and opened.consent != "given":
            raise RefusedError(
                "consent-missing", f"this server takes calls with consent given, and this one's is {opened.consent}"
            )
        if not any(self.analyses(leg) or self.times(leg) for leg in opened.legs):
            raise RefusedError(
                "agent-not-heard",
                "this call has an agent's voice alone, which this server does not hear; send none of it",
            )


class Call:
    """A call. ``begin`` it, bring its events, ``close`` it; ``ended`` is called once everything of it is published."""

    def __init__(
        self,
        opened: Opened,
        backend: CallBackend,
        policy: Policy,
        ended: Callable[[Call], None] = lambda _: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.opened, self._backend, self._policy, self._ended, self._clock = opened, backend, policy, ended, clock
        self._lock = threading.Lock()
        self._buffers: dict[str, LegSink] = {}
        self._streams: list[Stream | TurnsOnly] = []
        self._unfinished = 0
        self._meter: CallMeter | None = None
        self._reason = "interrupted"
        self._closed = self._over = self._paused = False
        self._passed_over: dict[str, int] = {}  # by kind
        self._held: HeldEvents | None = None  # what came while it is not known where the call goes on
        self._came = clock()
        self._missed: dict[str, int] = {}  # native frames of a leg before this connection came, where the call goes on
        self.begun = False  # whether it is kept and published, and so will be ended
        self.finished = False  # whether everything of it is published

    @property
    def name(self) -> str:
        """The call's name within its tenant."""
        return self.opened.call

    @property
    def streams(self) -> dict[str, Leg]:
        """The legs that are analysed, by the names of their streams."""
        return {f"{self.name}/{leg.name}": leg for leg in self.opened.legs if self._policy.analyses(leg)}

    def hold(self) -> None:
        """Let events wait until ``begin``: somebody asks where the call goes on. Raises RefusedError where it may not begin."""
        self._policy.admit(self.opened)
        self._held, self._came = HeldEvents(), self._clock()

    def begin(self, places: Mapping[str, ResumePoint] | None = None) -> None:
        """Open the legs that may be heard. Raises RefusedError, and leaves nothing open then.

        ``places``: where streams go on, by their names, of a call that was interrupted elsewhere. What came since ``hold``
        follows, behind a gap.
        """
        try:
            self._open(places or {})
        finally:
            held, self._held = self._held, None
        if held is not None:
            held.release()

    def _open(self, places: Mapping[str, ResumePoint]) -> None:
        self._policy.admit(self.opened)
        analysed = self.streams
        agents = any(leg.role == "agent" for leg in analysed.values())
        now = self._now()  # once: what is stored and what is published are the same moment
        self._backend.begin(self.opened, analysed, self._policy.agents_purpose if agents else None, now)
        self._backend.publish(self._message("opened", now))
        self.begun = True
        resumes = resumes_at(places.values(), self._came) if places else 0
        try:
            for name, leg in analysed.items():
                observer = self._observer(leg)
                stream = self._backend.stream(leg, name, self.opened, observer)
                observer.begin(stream, self._policy.rules, self._policy.agents_purpose)
                if name in places:
                    stream.resume_from(places[name])
                if self._meter is None:
                    self._meter = self._make_meter(stream.hop, stream.info.labels, stream.info.dimensions)
                stream.open()
                self._unfinished += 1
                self._streams.append(stream)
                for rule, why in observer.skipped:
                    stream.say("info", f"alert rule {rule!r} is not held against this stream: {why}")
                self._add_leg(leg, stream, resumes)
            for leg in filter(self._policy.times, self.opened.legs):
                turns = self._backend.turns(leg.name, self._observer(leg))
                if self._meter is None:
                    self._meter = self._make_meter(turns.hop, (), ())
                self._unfinished += 1
                self._streams.append(turns)
                turns.start_at(resumes)
                self._add_leg(leg, turns, resumes)
        except Exception as error:  # whatever it is, what was opened must end
            self.close("refused")
            if isinstance(error, StreamSerError):
                raise RefusedError("no-room", f"{error.what}; {error.fix}") from error
            raise

    def _add_leg(self, leg: Leg, stream: StreamLike, resumes: int) -> None:
        """Have a leg heard, from the sample ``resumes`` on; what is missing before it is told."""
        buffer = self._buffers[leg.name] = self._backend.add_leg(stream, self.opened.rate)
        missed = self._missed[leg.name] = max(0, resumes - stream.position) * self.opened.rate // SAMPLE_RATE
        if missed:
            buffer.put(Lost(leg.name, 0, missed, INTERRUPTED), time.monotonic_ns())

    def sound(self, event: Sound | Lost, now_ns: int) -> None:
        """Take sound of a leg, or word that it is missing."""
        if self._held is not None:
            self._held.add(partial(self.sound, event, now_ns), is_sound=True)
            return
        buffer = self._buffers.get(event.leg)
        if buffer is not None:
            missed = self._missed[event.leg]
            buffer.put(event.moved(missed) if missed else event, now_ns)

    def pass_over(self, event: PassedOver) -> bool:
        """Count what could not be used, and say so when it is the first of its kind; gives whether it is."""
        if self._held is not None:
            self._held.add(partial(self.pass_over, event))
            return False
        first = event.kind not in self._passed_over
        self._passed_over[event.kind] = self._passed_over.get(event.kind, 0) + event.count
        if first:
            self._say(event.text or f"part of what this call's connection brings is passed over: {event.kind}")
        return first

    def pause(self) -> None:
        """Analyse nothing from now on, not even what has come and waits."""
        if self._held is not None:
            self._held.add(self.pause)
            return
        self._paused = True
        for stream in self._streams:
            stream.pause()

    def resume(self) -> None:
        """Analyse what comes from now on."""
        if self._held is not None:
            self._held.add(self.resume)
            return
        self._paused = False
        for stream in self._streams:
            stream.resume()

    def goes_on_with(self, opened: Opened) -> bool:
        """Whether another connection that says this may bring the rest of the call: it says the same of the call.

        Not while it is paused: silence says nothing then, and the other connection does not know of the pause.
        """
        said = [replace(one, token=None, parameters={}) for one in (self.opened, opened)]
        return said[0] == said[1] and not self._closed and not self._paused

    def close(self, reason: str) -> None:
        """The call is over: ``ended`` follows once all that was heard is published. Safe to call twice."""
        if self._held is not None:
            self._held.add(partial(self.close, reason))
            return
        with self._lock:
            if self._closed:
                return
            self._closed, self._reason = True, reason
        if not self.begun:
            return  # it was refused, and nobody knows of it
        if self._passed_over:
            self._say(
                "passed over in this call: " + ", ".join(f"{n} × {kind}" for kind, n in self._passed_over.items())
            )
        for buffer in self._buffers.values():
            buffer.end()
        for stream in self._streams[len(self._buffers) :]:  # opened, but nothing leads to it
            stream.stop()
        self._finish()

    def stop(self, reason: str) -> None:
        """End the call here and now, whatever has not been answered."""
        self.close(reason)
        for stream in self._streams:
            stream.stop()

    def _say(self, text: str) -> None:
        for stream in self._streams:
            if isinstance(stream, Stream):
                stream.say("warning", text)

    def _make_meter(self, hop: int, labels: Sequence[str], dimensions: Sequence[str]) -> CallMeter:
        purpose = self._policy.agents_purpose
        emotions_of: tuple[Role, ...] = ("customer",) if purpose is None else ("customer", "agent")
        timed = {leg.name for leg in self.opened.legs if self._policy.times(leg)}
        return CallMeter(
            {leg.name: leg.role for leg in self.opened.legs if leg.name in timed or self._policy.analyses(leg)},
            labels,
            dimensions,
            hop=hop,
            timed=timed,
            emotions_of=emotions_of,
            agent_purpose=purpose,
        )

    def _now(self) -> datetime:
        """To the millisecond, as messages and stores keep it."""
        now = self._clock()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def _message(self, kind: CallKind, at: datetime, summary: dict[str, Any] | None = None) -> Message:
        legs = [
            LegInfo(leg.name, leg.role, f"{self.name}/{leg.name}" if self._policy.analyses(leg) else None)
            for leg in self.opened.legs
        ]
        reason = self._reason if kind == "ended" else None
        about = self._policy.about.of(self.opened.parameters)
        consent = self.opened.consent
        return call_messages.call(kind, self.name, at, legs, consent, about=about, reason=reason, summary=summary)

    def _add(self, point: Point | None, events: Iterable[AlertEvent]) -> None:
        with self._lock:
            if self._meter is not None:
                if point is not None:
                    self._meter.add(point)
                for event in events:
                    self._meter.alert(event)

    def _observer(self, leg: Leg) -> LegObserver:
        return LegObserver(leg, self._add, self._leg_ended)

    def _leg_ended(self) -> None:
        with self._lock:
            self._unfinished -= 1
        self._finish()

    def _finish(self) -> None:
        """Publish the call's end, once, when it is closed and all legs are over."""
        with self._lock:
            if self._over or not self._closed or self._unfinished:
                return
            self._over = True
            summary = None if self._meter is None else self._meter.summary()
        now = self._now()
        self._backend.publish(self._message("ended", now, summary))
        self._backend.end(self.name, summary, now)
        self.finished = True
        self._ended(self)
        # Its streams know it: without this all of a call would wait for the garbage collector, which holds everybody up.
        self._streams, self._buffers, self._meter = [], {}, None
