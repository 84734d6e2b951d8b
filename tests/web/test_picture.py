"""The page's pictures are taken of the bundled recording."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.browser import find


@pytest.fixture(autouse=True)
def _browser() -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed; pip install playwright")
    if find() is None:
        pytest.skip("there is no Chromium; as root: python tests/web/browser.py install")


def test_the_picture_is_of_the_bundled_recording(tmp_path: Path) -> None:
    from demos import make_page_picture

    make_page_picture.main(tmp_path / "page.png", speed=None)
    picture = (tmp_path / "page.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000


def test_the_wall_is_taken_when_an_alert_is_open(tmp_path: Path) -> None:
    from demos import make_wall_picture

    make_wall_picture.main(tmp_path / "wall.png")  # which waits for the alert, and fails without one
    picture = (tmp_path / "wall.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000
