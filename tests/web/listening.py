"""A page that brings sound to a monitor: where it is, and how a test waits for what it brings about elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable

from stream_ser.pipeline.runtime import Runtime
from tests.web.browser import Watched


def page_of(runtime: Runtime) -> str:
    """The address of the page."""
    assert runtime.feed_url is not None
    return runtime.feed_url.replace("ws", "http", 1).removesuffix("v1/feed")


def wait(page: Watched, condition: Callable[[], bool], within_s: float = 60.0) -> None:
    """Wait until ``condition``, while the page goes on."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"errors {page.errors}; page: {page.page.inner_text('body')[:500]}"
        page.page.wait_for_timeout(50)
