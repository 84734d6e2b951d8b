"""What a call server and its cluster have to say to each other while it serves."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from stream_ser.calls.events import RefusedError
from stream_ser.server.media_server import DEAD_S, MediaServer
from stream_ser.server.rejection import POLICY, RESTART, Refusal, close_code
from stream_ser.server.services import Services

if TYPE_CHECKING:
    from stream_ser.cluster.cluster import Cluster
    from stream_ser.cluster.open_calls import CallState


def take_part(cluster: Cluster, services: Services, media: MediaServer, url: str) -> None:
    """Have other nodes told how this one is, and this one's connections of what the others took. In the server's event loop."""
    from stream_ser.cluster.nodes import Load

    loop = asyncio.get_running_loop()

    def load() -> Load:
        refuses = services.ready_for_strangers
        return Load(cluster.node, url, services.tenants.calls, services.config.limits.connections, refuses)

    def state(tenant: str, call: str) -> CallState:
        now = time.monotonic_ns()
        holders = [each for each in tuple(media.sessions) if each.is_of(tenant, call) and not each.over]
        if not holders:
            return "ends" if cluster.log.has(tenant, call) else "gone"
        return "lives" if any(media.silent_s(each, now) <= DEAD_S for each in holders) else "gone"

    def let_go(tenant: str, call: str, refusal: Refusal, code: int) -> None:
        for session in tuple(media.sessions):
            if session.is_of(tenant, call) and not session.over:
                media.send_away(session, refusal, code)

    def fenced(tenant: str, call: str, lives: bool) -> None:
        if lives:
            text = f"a call {call!r} is open already, on another server; end it, or name another"
            loop.call_soon_threadsafe(let_go, tenant, call, Refusal("call-already-open", text), POLICY)
        else:
            text = "this server was cut off, and the call is marked as interrupted; connect again"
            loop.call_soon_threadsafe(let_go, tenant, call, Refusal("cut-off", text), RESTART)

    def refused(tenant: str, call: str, error: RefusedError) -> None:
        refusal = Refusal(error.code, error.text)
        let_go(tenant, call, refusal, close_code(refusal))

    services.tenants.refused = refused
    cluster.load, cluster.state, cluster.fenced = load, state, fenced
