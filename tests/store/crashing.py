"""A program that writes results as fast as it can and says which are acknowledged, until it is killed.

Run as ``python -m tests.store.crashing DATABASE``. It goes on where the last one was killed. A line ``ack N`` says that all
numbers up to N are durable.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from stream_ser.store.store import Store
from stream_ser.store.writer import StoreWriter
from tests.store.made_up import message


def main(path: str) -> None:
    store = Store.open(f"sqlite:///{path}")
    now = datetime.now(UTC)
    for _, call in store.mark_interrupted(now):
        os.write(1, f"interrupted {call}\n".encode())

    def tell(durable: Mapping[str, int]) -> None:
        os.write(1, f"ack {durable['acme']}\n".encode())

    writer = StoreWriter(store, queue=200, flush_s=0.002, flush_rows=40, on_commit=tell)
    seq, call = store.last_seq("acme"), f"c{os.getpid()}"
    writer.open_call("acme", call, now, streams={"c1/customer": "customer"})
    while True:
        seq += 1
        while writer.waiting >= 190:
            writer.flush()
        writer.put("acme", call, message(seq))


if __name__ == "__main__":
    main(sys.argv[1])
