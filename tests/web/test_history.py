"""Calls that are over, on the page of a real call server: from its store, the same for everyone and after a reload."""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from stream_ser.server.app import CallServer
from stream_ser.server.call_history import wanted
from stream_ser.server.config import AboutSettings
from stream_ser.store.listing import list_calls
from tests.web.browser import Open, Watched
from tests.web.test_page_of_calls import Serve, address_of, calling, heard
from tests.web.test_page_of_calls import serve as serve

ABOUT = AboutSettings(caller="alias", queue="queue")
LOCALE = {"locale": "en-GB", "timezone_id": "Europe/Berlin"}


def have(server: CallServer, page: Watched, call: str, **parameters: str) -> None:
    """Have a call, from its first word until the page lists it."""
    alerted = f"[...state.streams.values()].some((one) => one.call === '{call}' && one.alerts.size > 0)"
    with calling(server, call, parameters=parameters) as say:
        page.until(heard(call), 20)
        for _ in range(20):  # on a loaded machine most windows are left out
            if page.state(alerted):
                break
            say()
            page.page.wait_for_timeout(500)
        page.until(alerted)
    page.page.locator(f"#wall tbody a[href='#/call/{call}?run=1']").wait_for(timeout=20_000)


def shown(moment: datetime) -> str:
    """As ``en-GB`` writes it in Berlin, in November."""
    from zoneinfo import ZoneInfo

    here = moment.astimezone(ZoneInfo("Europe/Berlin"))
    return f"{here.day} {here:%b %Y, %H:%M:%S}"


def rows(page: Watched) -> list[list[str]]:
    found: list[list[str]] = page.page.locator("#wall tbody tr").evaluate_all(
        "rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    return found


def article(page: Watched) -> str:
    page.page.locator("article[data-loaded]").wait_for(timeout=20_000)
    text: str = page.page.inner_text("article")
    return text


def test_history_after_a_reload_is_equal_on_two_pages_and_its_times_are_the_stores(serve: Serve, visit: Open) -> None:
    server = serve(about=ABOUT)
    page = visit(address_of(server), **LOCALE)
    have(server, page, "c-1", alias="C. 1", queue="north")
    have(server, page, "c-2")
    store: Any = server.services.tenants.store
    records = {name: store.call("local", name) for name in ("c-1", "c-2")}
    other = visit(address_of(server), **LOCALE)
    for each in (page, other):
        each.page.reload()
        each.page.locator("#wall tbody tr").nth(1).wait_for()
    listed = rows(page)
    assert listed == rows(other)
    assert [row[0] for row in listed] == ["c-2", "C. 1 · queue north"]
    assert [row[1] for row in listed] == [shown(records[name].opened) for name in ("c-2", "c-1")]
    assert all(row[3] == "ended" and "%" in row[4] and "critical" in row[5] for row in listed)
    for each in (page, other):
        each.page.get_by_role("link", name="C. 1 · queue north").click()
    told = article(page)
    assert told == article(other)
    record = records["c-1"]
    assert f"Began {shown(record.opened)}. Ended {shown(record.ended)}, after 0:0" in told
    assert re.search(r"call c-1 · queue north · consent given", told)
    assert re.search(r"Shown: 0:00 to \d:\d\d\.", told)
    assert "critical: someone speaks" in told
    assert "windows never computed" not in told, "that is behind the details"
    page.page.locator(".chart[tabindex]").focus()
    readout = page.page.locator(".readout")
    for _ in range(200):
        page.page.keyboard.press("ArrowLeft")
        if "%" in readout.inner_text():
            break
    assert re.match(r"at \d:\d\d\.\d: angry \d+ %, happy", readout.inner_text())
    page.picture("history")
    page.page.reload()
    assert article(page) == told
    for each in (page, other):
        assert each.errors == []


def test_files_are_saved_from_there(serve: Serve, visit: Open) -> None:
    server = serve()
    page = visit(address_of(server))
    have(server, page, "c-1")
    page.page.get_by_role("link", name="c-1", exact=True).click()
    article(page)
    with page.page.expect_download() as saving:
        page.page.get_by_role("button", name="CSV", exact=True).click()
    saved = saving.value
    assert saved.suggested_filename == "c-1_customer.csv"
    written = list(csv.DictReader(io.StringIO(Path(saved.path()).read_text("utf-8"))))
    points = [row for row in server.services.tenants.store.messages("local", 0, 9999, "c-1") if row.type == "point"]
    assert [int(row["end"]) for row in written] == [point.end_sample for point in points]
    assert page.errors == []


def test_calls_come_page_by_page_and_by_what_is_looked_for(serve: Serve, visit: Open) -> None:
    server = serve()
    page = visit(address_of(server))
    have(server, page, "c-1")
    store: Any = server.services.tenants.store
    from tests.store.made_up import NOW, ended, opened

    while not list_calls(store, "local", wanted({})).calls:  # the page may know of it before the store does
        page.page.wait_for_timeout(50)
    store.write([opened(f"old-{number:02}", "local", -number) for number in range(30)])
    store.write([ended(f"old-{number:02}", "local", 1 - number) for number in range(30)])
    page.page.reload()
    page.page.locator("section[data-calls='20']").wait_for()
    page.page.get_by_role("button", name="Older calls").click()
    page.page.locator("section[data-calls='31']").wait_for()
    page.page.get_by_role("button", name="Older calls").wait_for(state="hidden")
    assert sorted({row[0] for row in rows(page)}) == sorted(["c-1", *(f"old-{number:02}" for number in range(30))])
    page.page.locator("#over-alert").select_option("critical")
    page.page.locator("section[data-calls='1']").wait_for()
    page.page.locator("#over-alert").select_option("")
    page.page.locator("#over-to").fill(f"{NOW:%Y-%m-%dT00:00}")
    page.page.locator("#over-to").dispatch_event("change")
    page.page.locator("section[data-calls='17']").wait_for()
    page.page.locator("#over-label").fill("bored")
    page.page.locator("#over-label").blur()
    page.page.get_by_text("No call is so.").wait_for()
    assert page.errors == []


def test_a_call_that_there_is_not_says_so(serve: Serve, visit: Open) -> None:
    server = serve()
    page = visit(f"{address_of(server)}#/call/nobody")
    page.page.get_by_text("This call cannot be had: unknown-call").wait_for()
    page.page.get_by_role("link", name="← all streams").click()
    page.page.get_by_text("No stream is open.").wait_for()
