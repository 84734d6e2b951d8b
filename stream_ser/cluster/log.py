"""Where a node's results go: what ``StoreWriter`` writes to in a cluster, in the place of a database.

Runs in the bus's loop; ``write`` is called from the writer's thread and waits. A batch that fails is written again, by the
writer, until it succeeds, so everything here may be done twice and leaves the bus as after once:

- The messages of a call go one after another, each with the place of the one before. The bus takes it only where that one is
  still the last of its subject. So they stand in order, each once, however late a message comes a second time.
- Where another one is the last, we look: it may be ours, whose acknowledgement was lost; or somebody else has ended the call,
  because this node was cut off and taken for dead. Then ``fenced`` is told, and nothing more of this use of the name is taken.
- Calls do not wait for each other.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from nats.js.errors import NotFoundError

from stream_ser.cluster.connection import ANSWER_S, FAILURES, Ack, Bus, WrongLastError
from stream_ser.cluster.interrupting import interrupt, last_message
from stream_ser.cluster.numbering import Keeping, ensure_stream
from stream_ser.cluster.open_calls import CallState, OpenCallEntry, OpenCalls
from stream_ser.cluster.wire import BusMessage, stream_name, subject
from stream_ser.store.database import StoreError
from stream_ser.store.records import EndCall, Hello, OpenCall, Row, Write, milliseconds
from stream_ser.types import Consent

MESSAGE_ID = "Nats-Msg-Id"
STEPS = 10_000  # messages of one call that are looked through for one of ours

_log = logging.getLogger("stream_ser.cluster")


@dataclass(slots=True)
class _Run:
    """One use of a call's name, while this node has it."""

    entry: OpenCallEntry
    purpose: str | None
    consent: Consent
    subject: str
    last: int | None = None  # the place of the last message of the subject; None while it is not known
    done: int = 0  # the highest number, of this node's own, that is on the bus
    hellos: list[tuple[str, str]] = field(default_factory=list)  # streams that are to be introduced, with their hellos
    changed: bool = True  # whether the entry is other than the bucket has it
    fenced: bool = False
    withdrawn: bool = False  # of a fenced one: whether the bucket has its entry no more


class BusLog:
    """Made for a node. ``fenced(tenant, call, lives)`` is called, in the bus's loop, where a call of this node is not its own.

    ``lives``: it goes on on another node, and was there first; else this node was cut off, and the call is marked interrupted.
    """

    def __init__(
        self, bus: Bus, node: str, keeping: Keeping, open_calls: OpenCalls, fenced: Callable[[str, str, bool], None]
    ) -> None:
        self._bus, self._node, self._keeping, self._open, self._fenced = bus, node, keeping, open_calls, fenced
        self._runs: dict[tuple[str, str], _Run] = {}
        self._streams: set[str] = set()  # tenants whose streams are known to be there
        self.state: Callable[[str, str, str], Awaitable[CallState]] = (
            _gone  # of a use of a call's name, on another node
        )
        self.published = self.duplicates = 0

    @property
    def shown(self) -> str:
        """For people."""
        return self._bus.address.shown

    def has(self, tenant: str, call: str) -> bool:
        """Whether something of a call that is this node's is still to come."""
        run = self._runs.get((tenant, call))
        return run is not None and not run.fenced

    def last_seqs(self) -> dict[str, int]:
        """None: a node's own numbers begin with 1, and nobody sees them."""
        return {}

    def renew(self) -> None:
        """Raise StoreError where the bus is away."""
        self._bus.check()

    def write(self, writes: Sequence[Write]) -> list[Row]:
        """Put all of it on the bus; acknowledged when this returns. Returns messages of calls that this node has no more."""
        return self._bus.call(self._write(writes), 120.0)

    async def _write(self, writes: Sequence[Write]) -> list[Row]:
        self._bus.check()
        for tenant in {item.tenant for item in writes} - self._streams:
            await ensure_stream(self._bus, tenant, self._keeping)
            self._streams.add(tenant)
        chains: dict[tuple[str, str], list[Write]] = {}
        for item in writes:
            chains.setdefault((item.tenant, item.call), []).append(item)
        await self._plain([items[0] for items in chains.values() if len(items) == 1])
        results = await asyncio.gather(
            *(self._chain(*of, items) for of, items in chains.items() if not self._is_done(of, items)),
            return_exceptions=True,
        )
        refused: list[Row] = []
        failure: BaseException | None = None
        for result in results:
            if isinstance(result, BaseException):
                failure = failure or result
            else:
                refused += result
        if failure is not None:
            self._streams.clear()  # one may have gone
            raise failure if isinstance(failure, StoreError) else self._bus.away(failure) from failure
        return refused

    async def _plain(self, items: Sequence[Write]) -> None:
        """Put points on the bus of which nothing else is to be known: all at once, and without a task for each.

        What the bus does not take is left to those who look why.
        """
        sent: dict[asyncio.Future[Ack], tuple[_Run, Row]] = {}
        for item in items:
            run = self._runs.get((item.tenant, item.call))
            if not isinstance(item, Row) or item.type != "point" or run is None or run.last is None:
                continue
            if run.fenced or run.changed or run.hellos or item.seq <= run.done:
                continue
            data = self._message(run, item).encode()
            sent[await self._bus.send(run.subject, data, f"{self._node}.{item.seq}", run.last)] = run, item
        if not sent:
            return
        done, late = await asyncio.wait(sent, timeout=ANSWER_S)
        for answer in late:
            answer.cancel()
        for answer in done:
            if not answer.cancelled() and answer.exception() is None:
                run, item = sent[answer]
                run.last, run.done = answer.result().seq, item.seq
                self.duplicates += answer.result().duplicate
                self.published += 1
        if late:
            raise self._bus.away("it does not answer")

    def _is_done(self, of: tuple[str, str], items: Sequence[Write]) -> bool:
        """Whether all that is to be written of a call has been."""
        run, item = self._runs.get(of), items[0]
        return len(items) == 1 and isinstance(item, Row) and run is not None and item.seq <= run.done

    async def _chain(self, tenant: str, call: str, items: Sequence[Write]) -> list[Row]:
        """Write what is of one call."""
        refused: list[Row] = []
        place = 0
        while place < len(items):
            # What follows up to the next beginning is of one use of the name.
            upto = next((n for n in range(place + 1, len(items)) if _begins(items[n])), len(items))
            refused += await self._part(tenant, call, items[place:upto])
            place = upto
        return refused

    async def _part(self, tenant: str, call: str, items: Sequence[Write]) -> list[Row]:
        first = items[0]
        run = self._runs.get((tenant, call))
        if isinstance(first, OpenCall):
            run = self._begin(run, first)
        if run is None:  # it has ended, and this is written again
            return []
        ends = any(isinstance(item, EndCall) for item in items)
        refused: list[Row] = []
        if not run.fenced:
            await self._publish(run, items, ends)
        if run.fenced:
            refused = [item for item in items if isinstance(item, Row) and item.seq > run.done]
            await self._withdraw(run)
        if ends:
            if not run.fenced:
                await self._open.remove(tenant, call)
            self._runs.pop((tenant, call), None)
        return refused

    def _begin(self, run: _Run | None, item: OpenCall) -> _Run:
        opened_ms = milliseconds(item.at)
        if run is not None and run.entry.opened_ms == opened_ms:
            return run
        entry = OpenCallEntry(item.tenant, item.call, self._node, f"{self._node}.{opened_ms}", opened_ms, item.consent)
        made = self._runs[item.tenant, item.call] = _Run(
            entry, item.purpose, item.consent, subject(item.tenant, item.call)
        )
        return made

    async def _publish(self, run: _Run, items: Sequence[Write], ends: bool) -> None:
        entry = run.entry
        if run.last is None and not await self._enter(run):
            return
        for item in items:
            if isinstance(item, Hello) and item.stream not in entry.hellos:
                entry.hellos[item.stream] = (0, item.text)
                run.changed = True
        if ends and not entry.closing:
            entry.closing = run.changed = True
        if run.changed:
            await self._keep(run)
        for item in items:
            if isinstance(item, Hello):
                said = item.stream, item.text
                if entry.hellos[item.stream][0] == 0 and said not in run.hellos:
                    run.hellos.append(said)
            elif isinstance(item, Row) and item.seq > run.done and not run.fenced:
                await self._one(run, item)
        if run.changed and not ends and not run.fenced:
            await self._keep(run)

    async def _enter(self, run: _Run) -> bool:
        """See, before anything is said of a call, whether its name is free; it is fenced where another node has the call."""
        tenant, call = run.entry.tenant, run.entry.call
        last = await last_message(self._bus, tenant, call)
        if last is None or last[1].run == run.entry.run:
            return True
        if not last[1].over and not await self._way_is_made(tenant, call, last[1].run, run):
            return False
        run.last = last[0] if last[1].over else None
        return True

    async def _withdraw(self, run: _Run) -> None:
        """Take a fenced use of a name from the calls that are open, where it has put itself there in ignorance."""
        if not run.withdrawn:
            entry = await self._open.get(run.entry.tenant, run.entry.call)
            if entry is not None and entry.run == run.entry.run:
                await self._open.remove(run.entry.tenant, run.entry.call)
            run.withdrawn = True

    async def _keep(self, run: _Run) -> None:
        run.entry.place = run.last or 0
        await self._open.put(run.entry)
        run.changed = False

    async def _one(self, run: _Run, item: Row) -> None:
        """Put one message on the bus, whatever came in between."""
        entry, data, message_id = run.entry, self._message(run, item).encode(), f"{self._node}.{item.seq}"
        while True:
            try:
                ack = await self._bus.publish(run.subject, data, message_id, 0 if run.last is None else run.last)
                seq = ack.seq
                self.duplicates += ack.duplicate
                break
            except WrongLastError:
                found = await self._look(run, item, message_id)
                if run.fenced:
                    return
                if found is not None:
                    seq = found
                    self.duplicates += 1
                    break
        run.last, run.done = seq, item.seq
        self.published += 1
        for stream, text in run.hellos:
            entry.hellos[stream] = (seq, text)
        run.hellos.clear()
        self._note(run, item, seq)

    def _message(self, run: _Run, item: Row) -> BusMessage:
        said = tuple(text for _, text in run.hellos)
        place, _ = run.entry.hellos.get(item.stream or "", (0, ""))
        over = item.type == "call" and json.loads(item.text)["kind"] != "opened"
        purpose = run.purpose if item.type == "call" and not over else None
        end = item.end_sample or 0
        return BusMessage(item.type, item.call, item.stream, end, run.entry.run, item.text, said, place, purpose, over)

    def _note(self, run: _Run, item: Row, seq: int) -> None:
        """Keep what a newcomer must know."""
        entry, key = run.entry, ""
        if item.type == "call" and entry.opening is None:
            entry.opening = (seq, item.text)
        elif item.type in ("alert", "acknowledgement"):
            told = json.loads(item.text)
            key = f"{item.stream}\n{told['id']}"
            if told.get("kind") == "cleared":
                entry.alerts.pop(key, None)
                entry.alerts.pop(f"{key}\nseen", None)
            else:
                entry.alerts[key if item.type == "alert" else f"{key}\nseen"] = (seq, item.text)
        else:
            return
        run.changed = True

    async def _look(self, run: _Run, item: Row, message_id: str) -> int | None:
        """See what came between: gives where our message is, if it is there already; learns what the last one is, if not."""
        last = await last_message(self._bus, item.tenant, item.call)
        if run.last is None and last is not None and last[1].run != run.entry.run:
            if last[1].over or await self._way_is_made(item.tenant, item.call, last[1].run, run):
                run.last = last[0] if last[1].over else None
            return None
        place = run.last or 0
        for _ in range(STEPS):
            found = await self._next(item, place)
            if found is None:
                run.last = (
                    0 if last is None else last[0]
                )  # what was there has gone: its time was over, or the bus lost it
                return None
            place, message, its_id = found
            if its_id == message_id:
                return place
            if (run.last is not None and message.run != run.entry.run) or message.over:
                self._fence(run, False)
                return None
            if place >= (0 if last is None else last[0]):
                run.last = place
                return None
        raise self._bus.away(f"more than {STEPS} messages came between")

    async def _next(self, item: Row, after: int) -> tuple[int, BusMessage, str] | None:
        """The next message of the call's name, with its place and its id."""
        stream, of = stream_name(item.tenant), subject(item.tenant, item.call)
        try:
            found = await self._bus.js.get_msg(stream, seq=after + 1, subject=of, next=True)
            return found.seq or 0, BusMessage.decode(found.data or b""), (found.headers or {}).get(MESSAGE_ID, "")
        except NotFoundError:
            return None
        except (*FAILURES, ValueError) as error:
            raise self._bus.away(error) from error

    async def _way_is_made(self, tenant: str, call: str, theirs: str, run: _Run) -> bool:
        """Whether a call of that name, open on another node, gave way to ours; ours is fenced where it lives."""
        if await self.state(tenant, call, theirs) != "gone":
            self._fence(run, True)
            return False
        await interrupt(self._bus, self._open, tenant, call, theirs, run.consent)
        return True

    def _fence(self, run: _Run, lives: bool) -> None:
        run.fenced = True
        _log.warning("a call is on another node, and this one lets go of it", extra={"tenant": run.entry.tenant})
        self._fenced(run.entry.tenant, run.entry.call, lives)


def _begins(item: Write) -> bool:
    return isinstance(item, OpenCall)


async def _gone(_tenant: str, _call: str, _run: str) -> CallState:
    return "gone"
