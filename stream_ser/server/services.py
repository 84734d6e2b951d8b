"""What the parts of the call server share: settings, authentication, tenants, policy, and whether it is draining.

Made by ``CallServer`` and handed to routes, media server and the AudioSocket port, which know nothing of each other's
owner. ``open`` loads what calls need, ``close`` ends it; between them any thread may read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from stream_ser.calls.about import AboutParameters
from stream_ser.calls.call import Policy
from stream_ser.feed.subscriber import Subscribers
from stream_ser.server.auth import Authenticator
from stream_ser.server.config import ServeConfig
from stream_ser.server.inference import InferenceService
from stream_ser.server.loop_watch import LoopWatch
from stream_ser.server.metrics import Metrics
from stream_ser.server.notices import Notices
from stream_ser.server.rejection import Refusal, RefusalCounter, RefusalLog
from stream_ser.server.tenants import Tenant, Tenants
from stream_ser.store.store import Store
from stream_ser.trajectory.rules import read_rules

WRITE_S = 5.0  # how long the store gets for what waits
Values = Callable[[], dict[str, float]]


class Services:
    """Made of settings. Raises ConfigError for what cannot be.

    ``tenants`` and ``metrics`` are there from ``open`` on, ``subscribers`` once the server's event loop runs.
    """

    tenants: Tenants
    metrics: Metrics
    subscribers: Subscribers

    def __init__(self, config: ServeConfig, environ: Mapping[str, str]) -> None:
        self.config = config
        self.refusals = RefusalCounter()
        self.passed_over = RefusalCounter()
        self.refusal_log = RefusalLog()
        self.watch = LoopWatch()
        self.auth = Authenticator(config, environ, self.refusals)
        purpose = config.agents_purpose.strip() or None
        rules = read_rules(config.rules, agent_purpose=purpose) if config.rules is not None else read_rules()
        about = AboutParameters(config.about.caller, config.about.queue, config.about.agent)
        self.policy = Policy(rules, config.consent_required, config.agents, purpose, about)
        self.inference = InferenceService(
            config.model, config.engine, config.hop, 2 * config.limits.connections, config.baseline
        )
        self.notices = Notices(config, environ)
        self.full: Callable[[], str | None] = lambda: None  # why callers are refused for want of room
        self.leaving = False  # whether nobody new is let in

    @property
    def ready(self) -> str | None:
        """None where calls are welcome, or why not."""
        if self.leaving:
            return "draining"
        if self.inference.worker.failure is not None:
            return f"the engine has failed: {self.inference.worker.failure}; start the server again"
        trouble = self.tenants.trouble
        return self.full() if trouble is None else f"the store cannot write: {trouble}"

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
                store.claim()
            self.notices.start()
            undoing.callback(self.notices.close, 0.0)
            self.tenants = Tenants(self.inference, store, self.metrics.sink, self.notices.sink)
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
