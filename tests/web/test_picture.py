"""The page's picture is taken of the bundled recording."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.browser import find


def test_the_picture_is_of_the_bundled_recording(tmp_path: Path) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed; pip install playwright")
    if find() is None:
        pytest.skip("there is no Chromium; as root: python tests/web/browser.py install")
    from demos import make_page_picture

    make_page_picture.main(tmp_path / "page.png", speed=None)
    picture = (tmp_path / "page.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000
