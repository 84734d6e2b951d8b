"""Delete a call everywhere in a cluster: on the bus, in the store, in every node's memory. Waits: not for an event loop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from stream_ser.calls.events import RefusedError
from stream_ser.store.database import StoreError
from stream_ser.store.store import Store

if TYPE_CHECKING:
    from stream_ser.cluster.cluster import Cluster

CARRIED_S = 5.0  # how long it is waited for what is on its way from the bus to the store
LOOK_S = 0.1


def delete_everywhere(cluster: Cluster, store: Store | None, tenant: str, call: str) -> int | None:
    """Delete a call that is over; gives how many messages it had, None where there is no such call.

    Raises RefusedError for a call that goes on somewhere, and where bus or store do not answer.
    """
    try:
        upto = cluster.over(tenant, call)
        stored: int | None = None
        if store is not None:  # all of it must be there before it is deleted there, or it would come after
            until = time.monotonic() + CARRIED_S
            while store.last_seq(tenant) < upto:
                if time.monotonic() > until:
                    raise RefusedError("store-unavailable", "results wait on the bus for the store; try again")
                time.sleep(LOOK_S)
        on_bus = cluster.remove(tenant, call)
        if store is not None:
            there = call in store.existing(tenant, {call})
            stored = store.delete_call(tenant, call).messages if there else None
        cluster.forget(tenant, call)
    except ValueError as error:
        raise RefusedError("call-open", f"{error}; end it, then delete it") from error
    except StoreError as error:
        raise RefusedError("store-unavailable", f"{error}") from error
    return None if stored is None and not on_bus else max(stored or 0, on_bus)
