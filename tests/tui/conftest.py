from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw in colour whatever the terminal is that runs the tests."""
    monkeypatch.delenv("NO_COLOR", raising=False)
