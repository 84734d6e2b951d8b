"""Many processes, on one machine or many, that serve one feed over NATS JetStream: docs/cluster.md has the design.

Nothing outside this package imports nats, and nothing imports this package unless a bus is asked for.
"""

from __future__ import annotations

from importlib.util import find_spec

from stream_ser.errors import ConfigError

if find_spec("nats") is None:
    raise ConfigError("nats-py, which speaks to the bus, is not installed", fix="run pip install 'stream-ser[cluster]'")
