"""The wall in a real browser: who needs someone comes first, nothing moves under a pointer, alerts are acknowledged for all."""

from __future__ import annotations

import re
from typing import Any

import pytest

from stream_ser.feed.hub import Hub
from stream_ser.feed.server import FeedServer
from tests.web.browser import Open, Watched
from tests.web.speakers import Speaker, open_call

NOTICES = """
globalThis.noted = [];
const Real = Notification;
globalThis.Notification = class extends Real {
  constructor(title, options) { super(title, options); globalThis.noted.push([title, options.body]); }
};
"""


def names(page: Watched) -> list[str]:
    """The cards' titles, in their order."""
    found: list[str] = page.page.locator("li.card h3").all_inner_texts()
    return found


def shows(page: Watched, *expected: str) -> None:
    """Wait for the cards to be these, in this order."""
    page.page.wait_for_function(
        "wanted => JSON.stringify([...document.querySelectorAll('li.card h3')].map((each) => each.textContent)) === wanted",
        arg=str(list(expected)).replace("'", '"').replace('", "', '","'),
        timeout=8000,
    )


def card_of(page: Watched, name: str) -> Any:
    return page.page.locator("li.card", has=page.page.get_by_role("link", name=name, exact=True))


def three(hub: Hub) -> list[Speaker]:
    speakers = [Speaker(hub, name, late_s=late) for late, name in enumerate(("one", "two", "three"))]
    for speaker in speakers:
        speaker.say("neutral", 4)
    return speakers


def test_calls_that_need_someone_come_first_and_order_is_by_alert_then_by_how_long(
    hub: Hub, address: str, visit: Open
) -> None:
    one, two, three_ = three(hub)
    page = visit(address)
    shows(page, "one", "two", "three")
    three_.alert(at=640_000)
    shows(page, "three", "one", "two")
    two.alert(at=320_000)
    shows(page, "two", "three", "one")
    one.alert(at=960_000, severity="critical")
    shows(page, "one", "two", "three")
    one.alert("cleared", at=960_000)
    shows(page, "two", "three", "one")
    card_of(page, "three").get_by_role("button", name="Pin").click()
    page.page.mouse.move(5, 5)
    shows(page, "three", "two", "one")
    page.page.reload()
    shows(page, "three", "two", "one")  # pins go with the tab
    assert page.errors == []


def test_the_order_does_not_change_under_the_pointer(hub: Hub, address: str, visit: Open) -> None:
    _, two, three_ = three(hub)
    page = visit(address)
    shows(page, "one", "two", "three")
    page.page.locator("li.card").nth(1).hover()
    three_.alert()
    page.page.get_by_text("⚠ warning: anger rising").wait_for()
    page.page.get_by_text("The order waits while you are here").wait_for()
    assert names(page) == ["one", "two", "three"]
    Speaker(hub, "four", late_s=-9).say("happy", 2)
    shows(page, "one", "two", "three", "four")  # what is new comes last meanwhile
    two.say("sad", 3)
    card_of(page, "two").get_by_text("sad").wait_for()
    page.page.mouse.move(5, 5)
    shows(page, "three", "four", "one", "two")
    assert page.page.get_by_text("The order waits").count() == 0
    page.page.get_by_role("link", name="one", exact=True).focus()
    page.page.keyboard.press("Tab")  # a key has put the focus among the cards
    two.alert(at=1)
    page.page.get_by_text("The order waits while you are here").wait_for()
    assert names(page) == ["three", "four", "one", "two"]
    page.page.evaluate("document.activeElement.blur()")
    shows(page, "two", "three", "four", "one")


def test_an_acknowledgement_is_seen_on_a_second_page_and_by_who_comes_later(
    hub: Hub, feed: FeedServer, address: str, visit: Open
) -> None:
    one, two, _ = three(hub)
    one.alert()
    two.alert(at=640_000)
    first, second = visit(address), visit(address)
    for page in (first, second):
        shows(page, "one", "two", "three")
    card = card_of(first, "one")
    card.get_by_role("button", name="Acknowledge").click()
    card.get_by_text("Not acknowledged: say who you are first").wait_for()
    assert first.page.evaluate("document.activeElement.id") == "tool-name"
    first.page.keyboard.type("Kim <b>")
    card.get_by_role("button", name="Acknowledge").click()
    first.page.mouse.move(5, 5)
    first.page.get_by_label("Your name").blur()
    for page in (first, second, visit(address)):
        shows(page, "two", "one", "three")
        seen = card_of(page, "one")
        assert re.search(r"acknowledged by Kim <b> at \d", seen.inner_text())
        assert seen.get_by_role("button", name="Acknowledge").is_hidden()
        assert page.errors == []
    second.page.get_by_role("link", name="one", exact=True).click()
    alerts = second.page.locator("section", has=second.page.get_by_role("heading", name="Alerts"))
    assert re.search(r"warning: anger rising\s+75 %\s+Kim <b>, \d", alerts.inner_text())
    assert feed.stats().refused == 0


def test_an_acknowledgement_that_is_refused_says_so(hub: Hub, address: str, visit: Open) -> None:
    one, *_ = three(hub)
    one.alert()
    page = visit(address)
    shows(page, "one", "two", "three")
    page.page.get_by_label("Your name").fill("Kim")
    page.page.route("**/v1/acknowledge*", lambda route: route.fulfill(status=404, body="unknown-alert: it is over"))
    page.page.get_by_role("button", name="Acknowledge").click()
    page.page.get_by_text("Not acknowledged: unknown-alert: it is over").wait_for()
    assert page.page.get_by_role("button", name="Acknowledge").is_enabled()


def test_a_card_says_whom_it_is_about_and_holds_the_last_label_while_nobody_speaks(
    hub: Hub, address: str, visit: Open
) -> None:
    open_call(hub, "c-1", caller="C. 4711", queue="north", agent="Desk 7")
    speaker = Speaker(hub, "c-1/customer", "c-1", "customer")
    speaker.say(None, 3, "warming")
    page = visit(address)
    card = page.page.locator("li.card")
    card.get_by_text("listening, not enough sound yet").wait_for()
    speaker.say("angry", 4)
    card.get_by_text("expressed: angry 70 %").wait_for()
    text = card.inner_text()
    assert re.search(r"C\. 4711\s+customer · queue north · with Desk 7\s+since \d.*, 0:03 of sound", text)
    assert "c-1" not in text.replace("Desk", "")
    assert re.search(r"100 %\s+0 %\s+last 30 s", text)
    speaker.say(None, 5, "silence")
    card.get_by_text("last expressed: angry").wait_for()
    assert float(card.locator(".said").evaluate("node => getComputedStyle(node).opacity")) < 0.7
    assert "silence" in card.locator(".state").inner_text()
    assert "%" not in card.locator(".now").inner_text()
    card.get_by_text("ids").click()
    assert "stream c-1/customer, call c-1" in card.inner_text()
    speaker.end()
    card.get_by_text("ended: finished at").wait_for()
    assert "over" in card.locator(".state").inner_text()


def test_cards_are_filtered_and_found(hub: Hub, address: str, visit: Open) -> None:
    speakers = {}
    for call, about in (
        ("a", {"caller": "C. 1", "queue": "north", "agent": "Desk 7"}),
        ("b", {"caller": "C. 2", "queue": "south", "agent": "Desk 8"}),
    ):
        open_call(hub, call, **about)
        speakers[call] = Speaker(hub, f"{call}/customer", call, "customer", late_s=ord(call))
    speakers["a"].say("angry", 3)
    speakers["b"].say("sad", 3)
    page = visit(address)
    shows(page, "C. 1", "C. 2")
    for label, value in (("Label", "sad"), ("Queue", "south"), ("Agent", "Desk 8")):
        choice = page.page.get_by_label(label, exact=True).first
        choice.select_option(value)
        shows(page, "C. 2")
        page.page.get_by_text("1 not shown by the filter").wait_for()
        choice.select_option("")
        shows(page, "C. 1", "C. 2")
    page.page.get_by_label("Alerts", exact=True).first.select_option("unseen")
    shows(page)
    speakers["a"].alert()
    shows(page, "C. 1")
    page.page.get_by_label("Alerts", exact=True).first.select_option("any")
    page.page.get_by_label("Search", exact=True).fill("SOUTH")
    shows(page, "C. 2")


def test_nothing_that_judged_nothing_looks_like_a_result(hub: Hub, address: str, visit: Open) -> None:
    speaker = Speaker(hub)
    speaker.say(None, 3, "warming")
    page = visit(f"{address}#/stream/call-1")
    bars = page.page.locator(".bar")
    bars.first.wait_for(state="attached")
    for state in ("warming", "uncertain", "silence"):
        speaker.say(None, 2, state)
        page.until(f"state.streams.get('call-1').last.state === '{state}'")
        page.page.locator(
            ".big", has_text={"warming": "listening", "uncertain": "speech, no", "silence": "silence"}[state]
        )
        page.page.wait_for_timeout(300)
        assert bars.evaluate_all("nodes => nodes.map((node) => node.style.width)") == ["0px"] * 4
        assert "%" not in page.page.locator(".bars").inner_text()
    assert page.state("state.streams.get('call-1').changes.length") == 0
    speaker.say("happy", 2)
    page.page.get_by_text("happy 70 %").first.wait_for()
    assert bars.nth(1).evaluate("node => node.style.width") == "70%"
    details = page.page.locator("details.engineering")
    assert not details.get_by_text("Where the time went").is_visible()
    details.get_by_text("Details").click()
    assert details.get_by_text("Where the time went").is_visible()


def test_the_crosshair_says_the_values_and_the_range_is_stated(hub: Hub, address: str, visit: Open) -> None:
    speaker = Speaker(hub)
    speaker.say("angry", 20)
    speaker.say(None, 20, "silence")
    page = visit(f"{address}#/stream/call-1")
    chart = page.page.locator(".chart[tabindex]")
    page.page.get_by_text("Shown: 0:01 to 0:11").wait_for()
    over = chart.locator(".u-over")
    box = over.bounding_box()
    assert box is not None
    page.page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 50)
    readout = page.page.locator(".readout")
    page.page.get_by_text(re.compile(r"at 0:0[45]\.\d: angry 70 %, happy 10 %")).wait_for()
    page.page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 50)
    page.page.get_by_text(re.compile(r"at 0:1\d\.\d: silence")).wait_for()
    page.page.mouse.move(1, 1)
    page.page.get_by_text("Point at the chart").wait_for()
    chart.focus()
    page.page.keyboard.press("ArrowLeft")
    assert re.match(r"at 0:11\.7: silence", readout.inner_text())
    for _ in range(25):
        page.page.keyboard.press("ArrowLeft")
    assert "angry 70 %" in readout.inner_text()


@pytest.mark.parametrize("size", [(360, 640), (320, 568)])
def test_on_a_phone_alerts_come_first(hub: Hub, address: str, visit: Open, size: tuple[int, int]) -> None:
    *_, last = [Speaker(hub, f"call-{number}", late_s=number) for number in range(8)]
    last.say("angry", 4)
    last.alert()
    page = visit(address, viewport={"width": size[0], "height": size[1]}, has_touch=True, is_mobile=True)
    page.page.locator("li.card[data-alert]").wait_for()
    first = page.page.locator("li.card").first
    assert "⚠ warning: anger rising" in first.inner_text()
    button = first.get_by_role("button", name="Acknowledge").bounding_box()
    assert button is not None
    assert button["y"] + button["height"] <= size[1], "seen without scrolling"
    assert page.page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_alerts_are_told_by_sound_and_notice_if_asked_for_and_not_before(hub: Hub, address: str, visit: Open) -> None:
    one, two, _ = three(hub)
    page = visit(address, permissions=["notifications"])
    shows(page, "one", "two", "three")
    page.page.evaluate(f"() => {{ {NOTICES} }}")
    one.alert()
    page.page.locator("li.card[data-alert]").wait_for()
    assert page.page.evaluate("noted") == []
    assert page.state("(await import(document.querySelector('script[type=module]').src)).teller.told") == 0
    page.page.get_by_label("Sound on an alert").check()
    page.page.get_by_label("Notice on the desktop").check()
    page.until("(await import(document.querySelector('script[type=module]').src)).preferences.notify")
    two.alert(severity="critical")
    page.until("noted.length === 1")
    assert page.page.evaluate("noted") == [["⚠ critical: anger rising", "two"]]
    assert (
        page.state("(await import(document.querySelector('script[type=module]').src)).teller.context.state")
        == "running"
    )
    page.page.reload()
    shows(page, "two", "one", "three")
    assert page.page.get_by_label("Sound on an alert").is_checked()
    page.until("(await import(document.querySelector('script[type=module]').src)).teller.told > 0")
    assert page.errors == [], "no page may sound before somebody has clicked on it, and it does not try"


def test_where_nothing_is_open_the_page_says_what_to_do_and_shows_a_demo(address: str, visit: Open) -> None:
    page = visit(address)
    page.page.get_by_text("stream-ser live").wait_for()
    assert "stream-ser serve" in page.page.inner_text(".empty")
    page.page.get_by_role("button", name="Show a demo").click()
    shows(page, "demo")
    page.until("state.streams.get('demo').count >= 4")
    assert page.page.get_by_text("No stream is open.").is_hidden()
    assert page.errors == []
