"""How much is too much: sound faster than real time, connections, long calls, large messages. Pure: time is data.

Refusals have these reasons: ``too-fast``, ``too-many-connections``, ``too-many-connections-of-tenant``,
``too-many-unidentified``, ``too-many-of-address``, ``call-too-long``, ``message-too-large``. Nothing here is shared between
threads: one event loop asks.
"""

from __future__ import annotations

from stream_ser.server.rejection import Refusal

SECOND_NS = 1_000_000_000
# Two clocks are never equal: telephone exchanges and sound cards are up to some 100 ppm off. Without this a call that lasts
# for days would use up any burst.
CLOCK_PPM = 1_000
STALL_CREDIT_NS = 30 * SECOND_NS  # how long after a stall of ours what came meanwhile may still come in


class RateLimit:
    """Sound of one leg may come as fast as time passes, and ``burst_s`` seconds at once: a token bucket in whole numbers.

    ``rate`` is in frames a second, ``now_ns`` is monotonic. Over any stretch of T seconds, at most
    ``burst_s + T · (1 + CLOCK_PPM / 10⁶)`` seconds of sound pass; a pause saves up no more than the burst. Network jitter,
    or a connection that comes back, needs the burst: some seconds. What came while this server stood still comes on top.
    """

    def __init__(self, rate: int, burst_s: float, now_ns: int, stalled_ns: int = 0) -> None:
        if rate < 1 or burst_s <= 0:
            raise ValueError(f"rate {rate} and burst {burst_s} s let no sound pass; give more")
        self._rate, self._burst_s = rate, burst_s
        self._most = int(burst_s * 1e6) * rate * SECOND_NS  # in millionths of a frame · ns: no rounding, for weeks
        self._credit = self._most
        self._now_ns = now_ns
        self._stalled_ns = stalled_ns
        self._extra = self._extra_until = 0  # as the credit; ns

    def take(self, frames: int, now_ns: int, stalled_ns: int = 0) -> Refusal | None:
        """Let ``frames`` pass, or say why not; what is refused costs nothing. A clock that goes back stands still.

        ``stalled_ns`` is for how long this server has stood still in all, since any moment: that which the limit was made with.
        """
        self._allow_for(stalled_ns, now_ns)
        passed = max(0, now_ns - self._now_ns)
        self._now_ns += passed
        self._credit = min(self._most, self._credit + passed * self._rate * (1_000_000 + CLOCK_PPM))
        cost = frames * SECOND_NS * 1_000_000
        if cost <= self._credit + self._extra:
            self._extra -= max(0, cost - self._credit)
            self._credit = max(0, self._credit - cost)
            return None
        return Refusal(
            "too-fast",
            f"{frames / self._rate:.3f} s of sound where {self._credit / self._rate / SECOND_NS / 1e6:.3f} s may come; "
            f"send no faster than real time, {self._burst_s:g} s ahead at most",
        )

    def _allow_for(self, stalled_ns: int, now_ns: int) -> None:
        before, self._stalled_ns = self._stalled_ns, stalled_ns
        if now_ns > self._extra_until:
            self._extra = 0
        if stalled_ns > before:
            self._extra += (stalled_ns - before) * self._rate * 1_000_000
            self._extra_until = now_ns + STALL_CREDIT_NS


class Slot:
    """One connection's place. ``release`` it when the connection is over, whatever ended it."""

    def __init__(self, owner: ConnectionLimit, tenant: str) -> None:
        self._owner: ConnectionLimit | None = owner
        self._tenant = tenant

    def release(self) -> None:
        """Give the place back. May be called again: a place is given back once."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner._leave(self._tenant)


IDENTIFIED = ("too-many-connections", "", "too-many-connections-of-tenant", "tenant")
UNIDENTIFIED = ("too-many-unidentified", " that have not said whose they are", "too-many-of-address", "address")


class ConnectionLimit:
    """How many connections there may be, in all and of one tenant, or of one address where ``unidentified``."""

    def __init__(self, in_all: int, of_tenant: int, unidentified: bool = False) -> None:
        if min(in_all, of_tenant) < 1:
            raise ValueError(f"limits of {in_all} and {of_tenant} connections let nobody in; give 1 or more")
        self._most, self._most_of_tenant = in_all, of_tenant
        self._names = UNIDENTIFIED if unidentified else IDENTIFIED
        self._count = 0
        self._of_tenant: dict[str, int] = {}  # only tenants that have one

    @property
    def count(self) -> int:
        """How many there are."""
        return self._count

    def of_tenant(self, tenant: str) -> int:
        """How many a tenant has."""
        return self._of_tenant.get(tenant, 0)

    def enter(self, tenant: str) -> Slot | Refusal:
        """Take a place, or say why there is none."""
        full = self.full(tenant)
        if full is not None:
            return full
        self._count += 1
        self._of_tenant[tenant] = self.of_tenant(tenant) + 1
        return Slot(self, tenant)

    def full(self, tenant: str) -> Refusal | None:
        """Why there is no place; None where there is one."""
        if self._count >= self._most:
            text = f"there are {self._count} connections{self._names[1]}, and no more are taken; try again later"
            return Refusal(self._names[0], text)
        if self.of_tenant(tenant) >= self._most_of_tenant:
            text = f"this {self._names[3]} has {self.of_tenant(tenant)} connections{self._names[1]}, its limit"
            return Refusal(self._names[2], f"{text}; close some, or have it raised")
        return None

    def _leave(self, tenant: str) -> None:
        self._count -= 1
        left = self._of_tenant.pop(tenant) - 1
        if left:
            self._of_tenant[tenant] = left


def position(end: int, rate: int, burst_s: float, passed_ns: int) -> Refusal | None:
    """Say when a leg's sound ends at frame ``end`` though only ``passed_ns`` have passed since it began.

    Sound that is said to be missing costs no rate, but nobody can have missed more than there was time for.
    """
    if end * SECOND_NS * 1_000_000 <= rate * (passed_ns * (1_000_000 + CLOCK_PPM) + int(burst_s * 1e6) * SECOND_NS):
        return None
    return Refusal(
        "too-fast",
        f"sound ends at {end / rate:.3f} s where {passed_ns / SECOND_NS:.3f} s have passed; "
        f"send no faster than real time, {burst_s:g} s ahead at most",
    )


def call_length(opened_ns: int, now_ns: int, most_s: float) -> Refusal | None:
    """Say when a call has gone on for longer than ``most_s`` seconds."""
    if now_ns - opened_ns <= most_s * SECOND_NS:
        return None
    return Refusal("call-too-long", f"the call is longer than {most_s:g} s, the limit; open a new one")


def message_size(size: int, most: int) -> Refusal | None:
    """Say when one message has more than ``most`` bytes."""
    if size <= most:
        return None
    return Refusal("message-too-large", f"a message of {size} bytes where {most} is the limit; send smaller ones")
