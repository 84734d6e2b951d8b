from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from stream_ser.store.store import Store
from tests.store import postgresql
from tests.store.made_up import store_at

_numbers = count(1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with store_at(path) as opened:
        yield opened


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Path]:
    """The folder of a PostgreSQL server, one for all tests of this process."""
    with postgresql.server() as folder:
        yield folder


@pytest.fixture
def postgresql_url(postgresql_server: Path) -> str:
    """A store of one's own, empty."""
    name = f"own{next(_numbers)}"
    postgresql.execute(postgresql_server, f"CREATE SCHEMA {name}")
    return postgresql.url(postgresql_server, name)


@pytest.fixture(params=["sqlite", "postgresql"])
def any_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of either kind, empty."""
    if request.param == "postgresql":
        found: str = request.getfixturevalue("postgresql_url")
        return found
    return f"sqlite:///{tmp_path / 'any.db'}"


@pytest.fixture
def any_store(any_url: str) -> Iterator[Store]:
    opened = Store.open(any_url)
    yield opened
    opened.close()
