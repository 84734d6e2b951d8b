"""The page listens: Chromium's fake microphone plays the bundled recording, and nothing is sent before somebody agrees."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import soxr

import stream_ser
from stream_ser.calls.monitor_sound import MonitorSound
from stream_ser.feed.message_types import Message, PointMessage
from stream_ser.pipeline.runtime import Options, Runtime
from tests.web.browser import FLAGS, Open, Watched
from tests.web.chromium import launched
from tests.web.listening import page_of, wait

QUIET_S = (
    3.0  # before the recording: for the page to ask, and for the first 20 ms, which Chromium's fake microphone loses
)
RATE = 44_100  # of 16 kHz Chromium's fake microphone makes seams
NEAR_S = 0.5  # how far apart in time two trajectories may have the same label
AGREE = 0.95  # of all points must
Published = list[Message]


@pytest.fixture(scope="module")
def played(bundled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the fake microphone plays, over and over."""
    samples, rate = soundfile.read(bundled, dtype="float32")
    quiet = np.zeros(round(QUIET_S * RATE), dtype=np.float32)
    path = tmp_path_factory.mktemp("played") / "played.wav"
    soundfile.write(path, np.concatenate([quiet, soxr.resample(samples, rate, RATE), quiet]), RATE, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def chromium(played: Path) -> Iterator[Any]:
    fake = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={played}"]
    yield from launched([*FLAGS, *fake])


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime(Options(engine="onnx", feed="127.0.0.1:0"), MonitorSound) as runtime:
        yield runtime


@pytest.fixture
def published(runtime: Runtime) -> Published:
    came: Published = []
    runtime.hub.attach(came.append)
    return came


@pytest.fixture
def listen(runtime: Runtime, visit: Open) -> Callable[[], Watched]:
    """Open the page, which may listen, and press the button."""

    def press() -> Watched:
        page = visit(page_of(runtime), permissions=["microphone"])
        page.page.get_by_role("button", name="Listen with a microphone").click()
        agree(page).wait_for()
        return page

    return press


def agree(page: Watched) -> Any:
    return page.page.get_by_role("button", name="All agree: send it", exact=True)


def points(published: Published) -> list[PointMessage]:
    return [message for message in published if message["type"] == "point"]


def place(levels: npt.NDArray[np.float64], ends: npt.NDArray[np.int64], hop: int, played: Path) -> float:
    """At which second of what is played the stream began, by how loud each hop of it was."""
    samples = soxr.resample(soundfile.read(played, dtype="float32")[0].astype(np.float64), RATE, 16_000)
    energy = np.concatenate([[0.0], np.cumsum(samples**2)])

    def misfit(offset: int) -> float:
        at = ends + offset
        at = at[at < len(energy)]
        there = 10 * np.log10(np.maximum((energy[at] - energy[np.maximum(at - hop, 0)]) / hop, 1e-6))
        return float(np.minimum(np.abs(there - np.maximum(levels[: len(at)], -60.0)), 6.0).mean())

    return min(range(0, 16 * 6_000, 16), key=misfit) / 16_000


def near(label: str | None, t: float, others: list[tuple[float, str | None]]) -> bool:
    return any(abs(at - t) <= NEAR_S and other == label for at, other in others)


def test_a_voice_gets_the_labels_that_a_replay_gives(
    listen: Callable[[], Watched], published: Published, played: Path, tmp_path: Path
) -> None:
    page = listen()
    assert "Nothing is sent yet." in page.page.inner_text("#sound-about")
    assert "changes the voice" not in page.page.inner_text("#sound-about"), "the browser leaves its processing on"
    assert "The sound is not stored." in page.page.inner_text("#sound-consent")
    assert published == []
    assert not [url for url in page.asked if "/v1/audio" in url]
    agree(page).click()
    page.page.get_by_role("heading", name="microphone (browser)").wait_for()
    length_s = soundfile.info(played).duration
    wait(page, lambda: bool(points(published)) and points(published)[-1]["t"] > length_s - QUIET_S, length_s + 60.0)
    page.picture("listening")
    page.page.get_by_role("button", name="Stop").click()
    page.page.get_by_text("Nothing is sent any more.").wait_for()
    wait(page, lambda: published[-1]["type"] == "end")
    assert page.errors == []

    first = published[0]
    assert first["type"] == "hello"
    assert (first["source"]["kind"], first["source"]["rate"]) == ("microphone", RATE)
    heard = points(published)
    levels, ends = np.array([p["level_dbfs"] for p in heard]), np.array([p["end"] for p in heard])
    began = place(levels, ends, first["hop"], played)
    assert began < QUIET_S + 2.0, "the recording had begun before anybody could agree: this machine is too slow for it"
    rest = soundfile.read(played, dtype="int16", start=round(began * RATE))[0]  # so that hops end at the same places
    soundfile.write(tmp_path / "heard.wav", rest, RATE)
    replayed = [(point.t, point.label) for point in stream_ser.analyze(tmp_path / "heard.wav", engine="onnx").points]
    live = [(p["t"], p["label"]) for p in heard if p["t"] <= replayed[-1][0]]
    assert {"happy", "sad"} <= {label for _, label in live}
    there = [near(label, t, replayed) for t, label in live]
    back = [near(label, t, live) for t, label in replayed if t <= live[-1][0]]
    assert min(np.mean(there), np.mean(back)) >= AGREE, (np.mean(there), np.mean(back), began)


def test_the_level_is_shown_and_nothing_is_sent_unless_all_agree(
    listen: Callable[[], Watched], published: Published
) -> None:
    page = listen()
    wait(page, lambda: page.page.evaluate("document.querySelector('#listening meter').value") > -45)
    page.picture("listening-asked")
    page.page.get_by_role("button", name="Do not send").click()
    page.page.get_by_text("Nothing was sent.").wait_for()
    assert page.page.get_by_role("button", name="Listen with a microphone").is_visible()
    assert published == []
    assert not [url for url in page.asked if "/v1/audio" in url]
    assert page.errors == []


def test_in_a_pause_time_goes_on_and_the_voice_does_not_leave_the_machine(
    runtime: Runtime, visit: Open, published: Published
) -> None:
    page = visit(page_of(runtime), permissions=["microphone"])
    sent: list[str | bytes] = []

    def follow(socket: Any) -> None:
        if "/v1/audio" in socket.url:
            socket.on("framesent", lambda frame: sent.append(frame))

    page.page.on("websocket", follow)
    page.page.get_by_role("button", name="Listen with a microphone").click()
    agree(page).click()
    wait(page, lambda: any(isinstance(frame, bytes) and any(frame) for frame in sent))
    page.page.get_by_role("button", name="Pause").click()
    wait(page, lambda: '{"type":"pause"}' in sent)
    wait(page, lambda: len(sent) > sent.index('{"type":"pause"}') + 50)
    page.page.get_by_text("Paused: nothing of the voice is sent.").wait_for()
    wait(page, lambda: any(m["type"] == "gap" and m["reason"] == "paused" for m in published))
    page.page.get_by_role("button", name="Go on").click()
    wait(page, lambda: '{"type":"resume"}' in sent)
    pause = sent[sent.index('{"type":"pause"}') + 1 : sent.index('{"type":"resume"}')]
    assert len(pause) > 50
    assert not any(any(frame) for frame in pause if isinstance(frame, bytes))
    wait(
        page, lambda: any(isinstance(frame, bytes) and any(frame) for frame in sent[sent.index('{"type":"resume"}') :])
    )


def test_a_browser_that_may_not_listen_says_so(runtime: Runtime, visit: Open) -> None:
    page = visit(page_of(runtime))
    page.page.get_by_role("button", name="Listen with a microphone").click()
    page.page.get_by_text("The browser was not allowed to listen. Allow the microphone for this page").wait_for()
    assert page.page.get_by_role("button", name="Listen with a microphone").is_enabled()


def test_a_page_that_came_unencrypted_from_elsewhere_says_what_to_do(runtime: Runtime, visit: Open) -> None:
    """Every request goes to the server all the same; only the browser takes it for another site's."""
    page = visit("about:blank")

    def pass_on(route: Any) -> None:
        url = route.request.url.replace("http://voices.example/", page_of(runtime))
        headers = {name: value for name, value in route.request.headers.items() if name != "x-page-origin"}
        route.fulfill(response=route.fetch(url=url, headers=headers))

    page.page.route("http://voices.example/**", pass_on)
    page.page.goto("http://voices.example/")
    page.page.get_by_role("button", name="Listen with a microphone").click()
    page.page.get_by_text("A browser lets a page listen only over https").wait_for()
    assert re.search(r"http://voices\.example.*ssh -L 80:127\.0\.0\.1:80", page.page.inner_text("#sound-told"))
    page.page.unroute_all(behavior="ignoreErrors")  # it asks for the feed again and again


@pytest.mark.parametrize(
    ("breaking", "told"),
    [
        ("(data) => data.buffer.slice(1)", "bad-length: .* not a multiple of 2"),
        ("(data) => new TextEncoder().encode('RIFF....WAVEfmt ' + 'x'.repeat(64))", "sound-file: .*WAV.*raw s16le"),
    ],
)
def test_a_browser_that_sends_something_else_is_told_where_the_person_is(
    runtime: Runtime, visit: Open, published: Published, breaking: str, told: str
) -> None:
    page = visit("about:blank", permissions=["microphone"])
    page.page.add_init_script(
        f"const send = WebSocket.prototype.send, breaking = {breaking};"
        "WebSocket.prototype.send = function (data) {"
        "  return send.call(this, typeof data === 'string' ? data : breaking(data)); };"
    )
    page.page.goto(page_of(runtime))
    page.page.get_by_role("button", name="Listen with a microphone").click()
    agree(page).click()
    page.page.get_by_text(re.compile(f"The server refused the sound: {told}")).wait_for()
    assert page.page.get_by_role("button", name="Listen with a microphone").is_visible()
    wait(page, lambda: bool(published) and published[-1]["type"] == "end")


def test_the_end_of_the_monitor_ends_the_listening(visit: Open) -> None:
    with Runtime(Options(engine="onnx", feed="127.0.0.1:0"), MonitorSound) as runtime:
        page = visit(page_of(runtime), permissions=["microphone"])
        page.page.get_by_role("button", name="Listen with a microphone").click()
        agree(page).click()
        page.page.get_by_role("heading", name="microphone (browser)").wait_for()
    page.page.get_by_text("The server refused the sound: stream-ended").wait_for()
    page.page.get_by_role("button", name="Listen with a microphone").click()
    page.page.get_by_text("The server cannot be reached.").wait_for()
