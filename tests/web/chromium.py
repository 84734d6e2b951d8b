"""A browser for a module's tests. ``browser.py`` stays free of pytest: CI runs it before there is one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.web.browser import find


def launched(flags: list[str]) -> Iterator[Any]:
    """A browser, for a fixture of a module; skips the test where there is none."""
    program = find()
    if program is None:
        pytest.skip("there is no Chromium; as root: python tests/web/browser.py install")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed; pip install playwright"
    )
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()
