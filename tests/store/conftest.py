from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_ser.store.store import Store
from tests.store.made_up import store_at


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with store_at(path) as opened:
        yield opened
