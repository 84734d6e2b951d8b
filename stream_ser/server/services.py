"""What the parts of the call server share: settings, authentication, tenants, policy, and whether it is draining.

Made by ``CallServer`` and handed to routes, media server and the AudioSocket port, which know nothing of each other's
owner. ``open`` loads what calls need, ``close`` ends it; between them any thread may read.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from stream_ser.calls.about import AboutParameters
from stream_ser.calls.call import Policy
from stream_ser.feed.subscriber import Subscribers
from stream_ser.feed.turn_share import TurnShare
from stream_ser.server.auth import Authenticator
from stream_ser.server.config import ServeConfig
from stream_ser.server.inference import InferenceService, threads_for
from stream_ser.server.joining import open_cluster
from stream_ser.server.loop_watch import LoopWatch
from stream_ser.server.metrics import Metrics
from stream_ser.server.notices import Notices
from stream_ser.server.open_files import OpenConnections, connections_of
from stream_ser.server.rejection import Refusal, RefusalCounter
from stream_ser.server.tenants import Tenant, Tenants
from stream_ser.store.store import Store
from stream_ser.trajectory.rules import read_rules

if TYPE_CHECKING:
    from stream_ser.cluster.cluster import Cluster

LOGGED = "failed; the log says why"
WRITE_S = 5.0  # how long the store gets for what waits
Values = Callable[[], dict[str, float]]

_log = logging.getLogger("stream_ser.server")


class Services:
    """Made of settings. Raises ConfigError for what cannot be.

    ``tenants`` and ``metrics`` are there from ``open`` on, ``subscribers`` and ``share`` once the server's event loop runs.
    """

    tenants: Tenants
    metrics: Metrics
    subscribers: Subscribers
    share: TurnShare

    def __init__(self, config: ServeConfig, environ: Mapping[str, str]) -> None:
        self.config, self._environ = config, environ
        self.cluster: Cluster | None = None  # where this process is one of several
        self.refusals = RefusalCounter()
        self.passed_over = RefusalCounter()
        self.watch = LoopWatch()
        self.room = OpenConnections(connections_of(config.limits))  # until it is known what the system allows
        self.auth = Authenticator(config, environ, self.refusals)
        purpose = config.agents_purpose.strip() or None
        rules = read_rules(config.rules, agent_purpose=purpose) if config.rules is not None else read_rules()
        about = AboutParameters(config.about.caller, config.about.queue, config.about.agent)
        self.policy = Policy(rules, config.consent_required, config.agents, purpose, about)
        self.inference = InferenceService(
            config.model, config.engine, config.hop, 2 * config.limits.connections, config.baseline, threads_for(config)
        )
        self.notices = Notices(config, environ)
        self.full: Callable[[], str | None] = lambda: None  # why callers are refused for want of room
        self.leaving = False  # whether nobody new is let in

    @property
    def ready(self) -> str | None:
        """None where calls are welcome, or why not."""
        return self._why_not(in_full=True)

    @property
    def ready_for_strangers(self) -> str | None:
        """The same without what errors say of this machine, such as where results are kept."""
        return self._why_not(in_full=False)

    def _why_not(self, in_full: bool) -> str | None:
        if self.leaving:
            return "draining"
        failure, trouble = self.inference.worker.failure, self.tenants.trouble
        if failure is not None:
            return (
                f"the engine has failed: {failure}; start the server again" if in_full else f"the engine has {LOGGED}"
            )
        if trouble is not None:
            where = "store" if self.cluster is None else "bus"
            return f"the {where} cannot write: {trouble}" if in_full else f"the {where} has {LOGGED}"
        return self.full()

    def open(self, gauges: Values, totals: Values) -> contextlib.ExitStack:
        """Load the model and open the store; the stack undoes it. Raises EngineError, StoreError."""
        with contextlib.ExitStack() as undoing:
            undoing.callback(self.inference.close)
            self.inference.open()
            named = (self.refusals.by_reason, self.passed_over.by_reason, self.watch.held_by.by_reason)
            self.metrics = Metrics(gauges, totals, *named)
            store = None if self.config.store == "off" else Store.open(self.config.store)
            if store is not None:
                undoing.callback(store.close)
            self.cluster = open_cluster(self.config, self._environ, store)
            if self.cluster is not None:
                undoing.callback(self.cluster.close)
                self.cluster.bus.took = self.metrics.bus_took()
            elif store is not None:
                anew = store.claim()
                if anew is not None:
                    _log.warning("the store's numbers begin anew, and subscribers are told", extra={"why": anew})
            self.notices.start()
            undoing.callback(self.notices.close, 0.0)
            told = self.metrics.sink, self.notices.sink
            self.tenants = Tenants(self.inference, store, *told, self.cluster, self.config.processes)
            undoing.callback(self.tenants.close)
            undoing.callback(self.tenants.write, WRITE_S)
            return undoing.pop_all()

    def no_room_to_subscribe(self) -> Refusal | None:
        """Why nobody more can read the feed; None where somebody can."""
        most = self.config.limits.subscribers
        if len(self.subscribers.members) < most:
            return None
        return Refusal("too-many-subscribers", f"the feed has {most} subscribers; come later")

    def tenant_of(self, token: str | None) -> Tenant | Refusal:
        """Whose call it is, by a token that came inside the protocol."""
        found = self.auth.whose(token, "publisher")
        return found if isinstance(found, Refusal) else self.tenants.get(found.tenant)
