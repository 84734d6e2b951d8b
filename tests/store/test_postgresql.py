"""What PostgreSQL does in its own way; what both stores do is tested with both."""

from __future__ import annotations

from datetime import timedelta

from stream_ser.store.store import Store
from stream_ser.store.writer import LostWrite, StoreWriter
from tests.store.made_up import NOW, ended, message, numbers, opened, stored


def test_postgresql_does_what_sqlite_does(postgresql_url: str) -> None:
    lost: list[LostWrite] = []
    store = Store.open(postgresql_url)
    try:
        writer = StoreWriter(store, flush_s=0.0, on_lost=lost.append)
        writer.open_call("acme", "c1", NOW, consent="given", streams={"c1/customer": "customer"})
        writer.put("acme", "c1", {"type": "hello", "seq": 0, "stream": "c1/customer"})
        for seq in range(1, 701):
            writer.put("acme", "c1", message(seq, word="ü€😀"))
        writer.close()
        assert (writer.stored, writer.acknowledged("acme"), lost) == (700, 700, [])
        assert numbers(store) == list(range(1, 701))
        assert "ü€😀" in store.messages("acme", 3, 1)[0].text
        assert store.write([stored(700), stored(701), stored(701)]) == [stored(700)]
        assert store.mark_interrupted(NOW + timedelta(hours=1)) == [("acme", "c1")]
        assert [call.state for call in store.calls("acme")] == ["interrupted"]
        assert [stream.role for stream in store.streams("acme", "c1")] == ["customer"]
        store.write([opened("c2"), stored(702, "c2"), ended("c2", hours=2)])
        removed = store.delete_call("acme", "c1")
        assert (removed.calls, removed.streams, removed.messages) == (1, 1, 701)
        assert store.expire(NOW + timedelta(hours=3)).messages == 1
        assert numbers(store) == []
        assert store.last_seq("acme") == 702
        with Store.open(postgresql_url)._reading() as again:  # the tables are found, not made again
            assert again.dialect.name == "postgresql"
    finally:
        store.close()
