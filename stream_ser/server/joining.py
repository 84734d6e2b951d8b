"""Join a cluster, where the settings name a bus. The bus's client is imported here, and only then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stream_ser.server.cluster_settings import bus_servers
from stream_ser.server.config import ServeConfig
from stream_ser.store.store import Store

if TYPE_CHECKING:
    from stream_ser.cluster.cluster import Cluster


def open_cluster(config: ServeConfig, environ: Mapping[str, str], store: Store | None) -> Cluster | None:
    """Take part; None where no bus is named. Raises ConfigError without the client, StoreError where no bus answers."""
    if not config.bus:
        return None
    from stream_ser.cluster.cluster import Cluster
    from stream_ser.cluster.connection import BusAddress
    from stream_ser.cluster.numbering import Keeping

    few = config.cluster
    address = BusAddress(
        bus_servers(config.bus),
        credentials=few.credentials,
        user=few.user or None,
        password=None if few.password is None else few.password.read(environ),
        token=None if few.token is None else few.token.read(environ),
        ca=few.tls_ca,
        cert=few.tls_cert,
        key=few.tls_key,
    )
    minutes = min(few.keep_minutes, config.retention_days * 24 * 60)  # what is to be gone must not be on the bus either
    cluster = Cluster(address, Keeping(few.replicas, minutes, few.keep_megabytes), store)
    cluster.open()
    return cluster
