"""What a point rests on, on the page: off until switched on, then asked for, drawn, and said in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from stream_ser.feed import messages
from stream_ser.feed.explanations import ExplanationDetail
from stream_ser.feed.hub import Hub
from stream_ser.feed.message_types import Message
from tests.feed.wire import make_point
from tests.tui.explanations import why
from tests.web.browser import Open, Watched
from tests.web.speakers import HOP, WINDOW, Speaker


class Said:
    """What the point of hop ``number`` rests on."""

    def __init__(self, speaker: Speaker, number: int, kind: str = "two") -> None:
        self._told = why((WINDOW + HOP * number) // HOP, kind=kind) | {"stream": speaker.info.stream}

    def message(self, seq: int, asked: ExplanationDetail) -> Message:
        told = self._told if asked == "spectrogram" else self._told | {"spectrogram": None}
        return {**told, "seq": seq}


def say(hub: Hub, speaker: Speaker, number: int, kind: str = "two") -> None:
    point = messages.point(speaker.info, make_point(number, "uncertain", None), 1_007_000_000, 400)
    hub.publish(point | {"stream": speaker.info.stream}, Said(speaker, number, kind))


def open_stream(page: Watched, name: str) -> None:
    page.page.get_by_role("link", name=name, exact=True).click()
    page.page.locator("#stream").wait_for()


def lit(page: Watched) -> int:
    """How many pixels of the picture are amber."""
    found: int = page.page.evaluate(
        """() => { const canvas = document.querySelector('.why canvas');
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
        copy.drawImage(canvas, 0, 0);
        const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
        let count = 0;
        for (let at = 0; at < data.length; at += 4) count += data[at] - data[at + 2] > 60;
        return count; }"""
    )
    return found


@contextmanager
def looking(hub: Hub, address: str, visit: Open, **options: object) -> Iterator[tuple[Watched, Speaker]]:
    speaker = Speaker(hub)
    page = visit(address, **options)
    page.until("state.streams.size === 1")
    open_stream(page, "call-1")
    yield page, speaker
    assert page.errors == []
    assert {urlsplit(url).netloc for url in page.asked} == {urlsplit(address).netloc}


def test_nothing_is_asked_before_it_is_switched_on_nor_after_it_is_switched_off(
    hub: Hub, address: str, visit: Open
) -> None:
    with looking(hub, address, visit) as (page, speaker):
        button = page.page.get_by_role("button", name="Show what the model looks at")
        say(hub, speaker, 0)
        page.until("state.streams.get('call-1').count === 1")
        assert not hub.asks_why("call-1")
        assert page.page.locator(".why canvas").is_hidden()
        button.click()
        page.page.get_by_text("Waiting for a window with speech.").wait_for()
        page.page.wait_for_function("document.querySelector('.why') !== null")
        eventually(page, lambda: hub.asks_why("call-1"))
        say(hub, speaker, 1)
        page.page.locator(".why[data-map=bottom_up]").wait_for()
        assert button.get_attribute("aria-pressed") == "true"
        assert lit(page) > 200
        page.picture("why")
        button.click()
        eventually(page, lambda: not hub.asks_why("call-1"))
        assert page.page.locator(".why canvas").is_hidden()


def test_its_maps_take_turns_and_words_say_what_each_shows(hub: Hub, address: str, visit: Open) -> None:
    with looking(hub, address, visit, color_scheme="dark") as (page, speaker):
        page.page.get_by_role("button", name="Show what the model looks at").press("Enter")
        eventually(page, lambda: hub.asks_why("call-1"))
        say(hub, speaker, 0)
        text, canvas = page.page.locator("#why-text"), page.page.locator(".why canvas")
        page.page.locator(".why[data-map=bottom_up]").wait_for()
        assert text.inner_text().startswith(
            "sad 62 %, window 0.0 to 2.0 s. Bottom-up: where the model looks. Most at 0.6 s and 660 Hz."
        )
        assert canvas.get_attribute("aria-label") == "Spectrogram with bottom-up: where the model looks"
        bottom_up = lit(page)
        page.page.get_by_role("button", name="Next map").click()
        assert "Top-down: what speaks for sad. Most at 1.5 s and 2460 Hz." in text.inner_text()
        assert lit(page) != bottom_up
        page.page.get_by_role("button", name="Next map").click()
        assert "The sound alone." in text.inner_text()
        assert lit(page) < bottom_up / 4
        say(hub, speaker, 1, "time")
        page.page.locator(".why[data-map=attention]").wait_for()
        assert "Most at 1.7 s, at all frequencies alike." in text.inner_text()
        assert lit(page) > 100, "the bars"
        say(hub, speaker, 2, "none")
        page.page.locator(".why[data-map=none]").wait_for()
        assert "This model has no attention to show." in text.inner_text()
        assert page.page.get_by_role("button", name="Next map").is_hidden()


def test_leaving_the_stream_s_view_ends_the_asking_and_a_lost_connection_comes_back(
    hub: Hub, address: str, visit: Open
) -> None:
    with looking(hub, address, visit) as (page, speaker):
        page.page.get_by_role("button", name="Show what the model looks at").click()
        eventually(page, lambda: hub.asks_why("call-1"))
        (asking,) = hub._subscriptions[("stream", "call-1")]
        asking.close()  # the feed says goodbye
        eventually(page, lambda: hub.asks_why("call-1"))
        say(hub, speaker, 0)
        page.page.locator(".why[data-map=bottom_up]").wait_for()
        page.page.keyboard.press("Escape")
        eventually(page, lambda: not hub.asks_why("call-1"))


def eventually(page: Watched, condition: object) -> None:
    """Wait for what the page brings about elsewhere."""
    assert callable(condition)
    for _ in range(400):
        if condition():
            return
        page.page.wait_for_timeout(20)
    raise AssertionError(f"it did not come about; errors {page.errors}; {json.dumps(page.asked)}")
