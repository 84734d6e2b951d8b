"""What carries the bus into the store: many messages a commit, however they come."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from stream_ser.cluster.archiver import REST_S
from stream_ser.store.records import Row, Write
from stream_ser.store.store import Store
from tests.cluster.nats_server import NatsServer, needs_nats
from tests.cluster.node import node, wait_until

pytestmark = needs_nats


def test_messages_that_come_one_by_one_share_commits(
    nats_server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[int] = []
    write = Store.write

    def counted(store: Store, writes: Sequence[Write]) -> list[Row]:
        commits.append(sum(isinstance(item, Row) for item in writes))
        return write(store, writes)

    monkeypatch.setattr(Store, "write", counted)
    with node(nats_server, tmp_path / "results.db") as only:
        archiver = only.cluster.archiver
        assert archiver is not None
        only.open("c-1")
        wait_until(lambda: archiver.stored, "the opening is stored")
        began, before = time.monotonic(), len(commits)
        while time.monotonic() - began < 3 * REST_S:
            only.point("c-1")
            assert only.writer.flush(20.0)
        wait_until(lambda: archiver.stored > only.cluster.log.published - 1, "all of it is stored")
        took = time.monotonic() - began
    assert sum(commits) == only.cluster.log.published
    assert len(commits) - before <= took / REST_S + 2
