"""The same store on PostgreSQL, run from the binaries of this machine where it has them."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from stream_ser.store.store import Store
from stream_ser.store.writer import LostWrite, StoreWriter
from tests.store.made_up import NOW, ended, message, numbers, opened, stored


def _binaries() -> Path | None:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    folders = [*reversed(versions), Path(shutil.which("initdb") or "/nowhere/initdb").parent]
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@pytest.fixture
def url() -> Iterator[str]:
    """A database server of one's own, reached by a socket in its folder alone."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed (apt install postgresql)")
    user: str | None = None
    if os.geteuid() == 0:  # which the server refuses to run as
        try:
            user = pwd.getpwnam("postgres").pw_name
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # not tmp_path: a socket's path must be short
    if user is not None:
        shutil.chown(folder, user)

    def run(program: str, *arguments: str) -> None:
        command = [str(binaries / program), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, user=user, cwd=folder, check=True, capture_output=True, timeout=60, env={"LC_ALL": "C"})

    try:
        run("initdb", "-A", "trust", "-U", "tester", "-E", "UTF8", "--no-sync", "--no-instructions")
        settings = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", settings, "start")
        try:
            yield f"postgresql://tester@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def test_postgresql_does_what_sqlite_does(url: str) -> None:
    lost: list[LostWrite] = []
    store = Store.open(url)
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
        with Store.open(url)._reading() as again:  # the tables are found, not made again
            assert again.dialect.name == "postgresql"
    finally:
        store.close()
