from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from stream_ser.store import lease
from stream_ser.store.database import StoreError
from stream_ser.store.store import Store
from tests.store.made_up import opened, store_at


def test_a_second_server_is_refused_by_the_name_of_the_first_until_that_is_gone(path: Path) -> None:
    with store_at(path) as first, store_at(path) as second:
        first.claim()
        with pytest.raises(StoreError, match=rf"in use by another stream-ser serve, process {os.getpid()} on "):
            second.claim()
        first.write([opened("c1")])
        first.close()
        second.claim()
        second.write([opened("c2")])


def holder_of(path: Path, holder: str, renewed_ms: int) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE lease SET holder = ?, renewed_ms = ?", (holder, renewed_ms))
        other.commit()


@pytest.mark.parametrize(
    ("machine", "process", "began", "age_s", "taken"),
    [
        ("elsewhere", "1", "7", 5.0, False),
        ("elsewhere", "1", "7", 16.0, True),
        ("here", "self", "self", 5.0, True),  # this process, and of no server that lives
        ("here", "parent", "parent", 5.0, False),
        ("here", "parent", "another", 5.0, True),  # its number was given to another process
        ("here", "4194305", "7", 5.0, True),  # there is no such process
    ],
)
def test_who_is_dead_has_no_lease(
    path: Path, machine: str, process: str, began: str, age_s: float, taken: bool
) -> None:
    names = {"self": os.getpid(), "parent": os.getppid()}
    number = names.get(process, process)
    since = lease._began(int(number)) if began in names else began
    where = lease._machine() if machine == "here" else machine
    with store_at(path) as store, store_at(path) as mine:
        store.claim()
        holder_of(path, f"{where}/{number}/{since}/x", lease._now_ms() - round(age_s * 1e3))
        if taken:
            mine.claim()
        else:
            with pytest.raises(StoreError, match="in use by another"):
                mine.claim()


def test_who_lost_its_lease_writes_no_more(path: Path) -> None:
    with store_at(path) as first:
        first.claim()
        first.renew()
        holder_of(path, "elsewhere/1/7/x", lease._now_ms())
        for write in (first.renew, lambda: first.write([opened("c1")])):
            with pytest.raises(StoreError, match="another server has taken the store"):
                write()
        assert first.calls("acme") == []


def test_of_two_servers_that_start_at_once_one_is_refused(any_url: str) -> None:
    together, refused = threading.Barrier(4), list[StoreError]()
    stores = [Store.open(any_url) for _ in range(4)]

    def claim(store: Store) -> None:
        together.wait()
        try:
            store.claim()
        except StoreError as error:
            refused.append(error)

    threads = [threading.Thread(target=claim, args=(store,), name="server") for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    assert len(refused) == 3
    assert all("in use by another" in str(error) for error in refused)


@pytest.mark.parametrize("container", [":another", ""])
def test_a_container_of_the_same_name_has_processes_of_its_own(path: Path, container: str) -> None:
    """There the same number may be another process, and tells nothing of who lives."""
    with store_at(path) as store, store_at(path) as mine:
        store.claim()
        name = lease._machine().partition(":")[0]
        holder_of(path, f"{name}{container}/1/7/x", lease._now_ms() - 5_000)
        with pytest.raises(StoreError, match=rf"process 1 on {name};"):
            mine.claim()
