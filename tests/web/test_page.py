"""The page in a real browser, against a real feed."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from stream_ser.feed.history import History
from stream_ser.feed.hub import Hub
from stream_ser.feed.server import FeedServer
from tests.feed.wire import call_message
from tests.web.browser import Open, Watched
from tests.web.prefix import PrefixProxy
from tests.web.speakers import Speaker, open_call

REFUSED = "ERR_CONNECTION_REFUSED"  # browsers say so themselves while nobody listens


def card(watched: Watched, name: str) -> str:
    text: str = watched.page.locator(
        "li.card", has=watched.page.get_by_role("link", name=name, exact=True)
    ).inner_text()
    return text


def numbers(watched: Watched, name: str) -> list[float]:
    """The times of all points that the page keeps of a stream."""
    found: list[float] = watched.state(
        f"(() => {{ const {{ ring }} = state.streams.get('{name}');"
        " return Array.from({ length: ring.length }, (_, row) => ring.at(row, 0)); })()"
    )
    return found


def test_two_streams_live_with_an_alert_and_nothing_from_elsewhere(hub: Hub, address: str, visit: Open) -> None:
    one = Speaker(hub)
    page = visit(address)
    page.until("state.streams.size === 1")
    page.page.get_by_text("waiting for sound").wait_for()
    open_call(hub)
    two = Speaker(hub, "c-81f2/customer", "c-81f2", "customer")
    one.say("happy", 3)
    for speaker in (one, two):
        speaker.say("neutral", 25)
        speaker.miss(4)
        speaker.say(None, 6, "silence")
    one.say("sad", 10)
    two.say("angry", 10)
    two.alert()
    page.until("state.streams.size === 2 && state.streams.get('c-81f2/customer').alerts.size === 1")
    page.page.get_by_text("⚠ warning: anger rising").wait_for()
    assert re.search(r"expressed: sad 70 %", card(page, "call-1"))
    assert re.search(
        r"customer · call c-81f2\s+since .*, 0:13 of sound\s+expressed: angry 70 %", card(page, "c-81f2/customer")
    )
    assert "2 open, 0 ended; 1 alert open." in page.page.inner_text("#wall")
    page.page.locator("#announcements", has_text="c-81f2/customer: warning: anger rising").wait_for(state="attached")
    page.picture("wall")
    one.say("happy")
    page.page.get_by_text("happy 70 %").wait_for()
    two.alert("cleared")
    page.page.get_by_text("0 alerts open").wait_for()
    assert page.errors == []
    assert {urlsplit(url).netloc for url in page.asked} == {urlsplit(address).netloc}
    assert page.state("resume.lost") == 0


def test_it_comes_back_after_a_restart_with_what_it_missed_and_nothing_twice(
    hub: Hub, feed: FeedServer, address: str, visit: Open
) -> None:
    speaker = Speaker(hub)
    page = visit(address)
    speaker.say("angry", 5)
    page.until("state.streams.get('call-1')?.count === 5")
    opened = page.state("state.streams.get('call-1').openedAt")
    feed.stop()
    page.page.get_by_text(re.compile(r"Not connected since \d+:\d\d:\d\d")).wait_for()
    page.page.get_by_text(re.compile(r"stale since \d+:\d\d:\d\d.*the connection is lost")).wait_for()
    speaker.say("sad", 7)
    again = FeedServer(hub, port=urlsplit(address).port or 0)
    again.start()
    try:
        page.until("state.streams.get('call-1').count === 12")
        speaker.say("happy", 2)
        page.until("state.streams.get('call-1').count === 14")
        assert numbers(page, "call-1") == [2 + hop / 4 for hop in range(14)]
        assert page.state("[resume.lost, resume.lostUnknown]") == [0, False]
        assert page.state("state.streams.get('call-1').openedAt") == opened, "it went on, and did not begin anew"
        page.page.get_by_text("happy 70 %").wait_for()
        assert "Connected." in page.page.inner_text("header")
        assert [error for error in page.errors if REFUSED not in error] == []
    finally:
        again.stop()


def test_a_later_page_and_a_reload_see_what_was_before(hub: Hub, address: str, visit: Open) -> None:
    open_call(hub)
    speaker = Speaker(hub, "c-81f2/customer", "c-81f2", "customer")
    speaker.say("angry", 30)
    speaker.alert()
    page = visit(address)
    for _ in range(2):
        page.until("state.streams.get('c-81f2/customer')?.count === 30")
        assert len(set(numbers(page, "c-81f2/customer"))) == 30
        page.page.get_by_text("⚠ warning: anger rising").wait_for()
        page.page.reload()
    assert page.errors == []


def test_of_a_long_past_it_asks_for_the_end(hub: Hub, address: str, visit: Open) -> None:
    speaker = Speaker(hub)
    speaker.alert()  # open still, and further back than what is asked for
    speaker.say("sad", 1500)
    page = visit(address)
    page.until("resume.seq === 1501 && state.streams.get('call-1')?.count === 1000")
    assert numbers(page, "call-1") == [2 + hop / 4 for hop in range(500, 1500)]
    assert page.state("[resume.lost, resume.lostUnknown]") == [0, False]
    page.page.get_by_text("⚠ warning: anger rising").wait_for()
    assert len([url for url in page.asked if url.startswith("ws:")]) == 2
    assert page.page.title().startswith("⚠ 1 · ")


def test_where_there_is_no_history_it_shows_how_things_stand(visit: Open) -> None:
    hub = Hub()
    feed = FeedServer(hub, port=0)
    feed.start()
    try:
        speaker = Speaker(hub)
        speaker.say("angry", 5)
        speaker.alert()
        speaker.say("sad", 2)
        page = visit(feed.url.replace("ws", "http", 1).removesuffix("v1/feed"))
        page.until("state.streams.get('call-1')?.count === 1")
        page.page.get_by_text("sad 70 %").wait_for()
        page.page.get_by_text("⚠ warning: anger rising").wait_for()
    finally:
        feed.stop()


def test_another_run_begins_anew(hub: Hub, feed: FeedServer, address: str, visit: Open) -> None:
    Speaker(hub, "old").say("angry", 5)
    page = visit(address)
    page.until("state.streams.get('old')?.count === 5")
    feed.stop()
    other = Hub(History(), epoch="e2")
    Speaker(other, "new").say("sad", 3)
    again = FeedServer(other, port=urlsplit(address).port or 0)
    again.start()
    try:
        page.until("state.streams.get('new')?.count === 3")
        assert page.state("[...state.streams.keys()]") == ["new"]
        page.page.get_by_text("1 open, 0 ended").wait_for()
        assert page.page.locator("li.card").count() == 1
    finally:
        again.stop()


def test_a_stream_without_news_is_stale_and_says_since_when(hub: Hub, address: str, visit: Open) -> None:
    speaker = Speaker(hub)
    page = visit(address)
    page.until("state.streams.size === 1")
    speaker.say("angry", 2)
    page.until("state.streams.get('call-1').count === 2")
    page.page.get_by_text(re.compile(r"stale since \d+:\d\d:\d\d.*nothing has come")).wait_for(timeout=4000)
    speaker.say("angry")
    page.page.locator("li.card[data-stale]").wait_for(state="detached")


def test_a_stream_by_keyboard_from_the_card_to_its_summary_and_back(hub: Hub, address: str, visit: Open) -> None:
    speaker = Speaker(hub)
    page = visit(address, color_scheme="dark")
    speaker.say("neutral", 20)
    speaker.miss(5)
    speaker.say("angry", 20)
    speaker.alert()
    page.until("state.streams.get('call-1')?.count === 40")
    page.page.locator("li.card").wait_for()
    page.page.keyboard.press("Tab")
    assert page.page.evaluate("document.activeElement.className") == "skip"
    for _ in range(12):  # past search and filters
        page.page.keyboard.press("Tab")
        if page.page.evaluate("document.activeElement.textContent") == "call-1":
            break
    page.page.keyboard.press("Enter")
    page.page.get_by_role("heading", name="call-1").wait_for()
    shown = page.page.locator("article")
    assert "angry 70 %" in shown.inner_text()
    assert "valence −0.20, activation 0.20" in shown.inner_text()
    assert shown.locator(".chart canvas").count() == 2
    assert "angry" in (shown.locator(".chart").last.get_attribute("aria-label") or "")
    button = page.page.get_by_role("button", name="all kept")
    button.focus()
    page.page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    page.picture("stream")
    speaker.end()
    page.page.get_by_role("heading", name="Summary").wait_for()
    assert re.search(r"Points labelled neutral\s+75 %", shown.inner_text())
    assert "This stream ended: finished at" in shown.inner_text()
    assert "now" not in re.sub(r"\bknown\b", "", shown.inner_text()).lower().split("why")[0]
    page.page.keyboard.press("Escape")
    page.page.locator("li.card").wait_for()
    assert page.page.evaluate("document.activeElement.textContent") == "call-1"
    assert "ended: finished at" in card(page, "call-1")
    hub.publish(call_message("opened"))
    hub.publish(call_message("ended"))
    page.page.get_by_role("heading", name="Calls that are over").wait_for()
    assert "the caller hung up" in page.page.inner_text("#wall")
    assert page.errors == []


def test_a_name_is_never_markup(hub: Hub, address: str, visit: Open) -> None:
    name = "<img src=x onerror=alert(1)>/ü #?%&\"'"
    Speaker(hub, name).say("angry", 2)
    page = visit(address)
    link = page.page.get_by_role("link", name=name, exact=True)
    link.click()
    page.page.get_by_role("heading", name=name, exact=True).wait_for()
    assert page.page.locator("img").count() == 0
    assert page.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_of_it(hub: Hub, address: str, visit: Open, scheme: str) -> None:
    open_call(hub)
    speaker = Speaker(hub, "c-81f2/customer", "c-81f2", "customer")
    speaker.say("angry", 20)
    speaker.alert()
    hub.publish(call_message("ended"))
    page = visit(address, viewport={"width": 320, "height": 640}, color_scheme=scheme)
    page.until("state.streams.get('c-81f2/customer')?.count === 20")
    for place in ("#/", "#/stream/c-81f2%2Fcustomer"):
        page.page.evaluate(f"location.hash = '{place}'")
        page.page.locator("article" if "stream" in place else "li.card").wait_for()
        page.page.wait_for_timeout(300)
        assert page.page.evaluate("document.documentElement.scrollWidth") <= 320
        page.picture(f"phone-{scheme}{'-stream' if 'stream' in place else ''}")
    paper = page.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(251, 251, 250)" if scheme == "light" else "rgb(20, 24, 29)")
    assert page.errors == []


def test_it_says_what_labels_are_not(address: str, visit: Open) -> None:
    page = visit(address)
    page.page.get_by_text("No stream is open.").wait_for()
    said = page.page.inner_text("footer")
    assert "do not say what anyone feels" in re.sub(r"\s+", " ", said)
    outline = page.page.locator("#link, #announcements")
    assert [outline.nth(at).get_attribute("aria-live") for at in range(2)] == ["polite", "polite"]


def test_it_works_below_a_proxys_path(hub: Hub, address: str, visit: Open) -> None:
    Speaker(hub).say("angry", 3)
    proxy = PrefixProxy(urlsplit(address).port or 0, "/ser")
    try:
        page = visit(f"http://127.0.0.1:{proxy.port}/ser/")
        page.until("state.streams.get('call-1')?.count === 3")
        assert all("/ser/" in url for url in page.asked)
        assert page.errors == []
    finally:
        proxy.close()
