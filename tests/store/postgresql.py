"""A PostgreSQL server of one's own, run from the binaries of this machine where it has them."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

USER, DATABASE = "tester", "postgres"  # who may do everything, and the database that there is


def _binaries() -> Path | None:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    folders = [*reversed(versions), Path(shutil.which("initdb") or "/nowhere/initdb").parent]
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@contextmanager
def server() -> Iterator[Path]:
    """A server that is reached by a socket in the folder alone."""
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
        run("initdb", "-A", "trust", "-U", USER, "-E", "UTF8", "--no-sync", "--no-instructions")
        settings = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", settings, "start")
        try:
            yield folder
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def execute(folder: Path, statement: str) -> None:
    """Do one thing as who may do everything."""
    import psycopg

    with psycopg.connect(host=str(folder), user=USER, dbname=DATABASE, autocommit=True) as connection:
        connection.execute(statement)


def url(folder: Path, schema: str, user: str = USER) -> str:
    """What a store is named by that has the schema to itself: as good as a database, and made in a moment."""
    return f"postgresql://{user}@/{DATABASE}?host={folder}&options=-csearch_path%3D{schema}"
