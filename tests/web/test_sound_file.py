"""A sound file on the page: decoded by the browser, sent as samples, and heard as ``replay`` hears the file."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

import stream_ser
from stream_ser.calls.monitor_sound import MonitorSound
from stream_ser.feed.message_types import HelloMessage, Message, PointMessage
from stream_ser.pipeline.runtime import Options, Runtime
from tests.web.browser import Open, Watched
from tests.web.listening import page_of, wait

EXACT = 0.005  # largest difference of a probability: Chromium scales positive samples by 32767, and sends 16 bits
DECODED = 0.1  # the same where the browser decodes what libsndfile decodes otherwise, or mixes channels
Published = list[Message]
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    with Runtime(Options(engine="onnx", feed="127.0.0.1:0"), MonitorSound) as runtime:
        yield runtime


@pytest.fixture
def published(runtime: Runtime) -> Iterator[Published]:
    came: Published = []
    sink = came.append
    runtime.hub.attach(sink)
    yield came
    runtime.hub.detach(sink)


@pytest.fixture
def make(bundled: Path, tmp_path: Path) -> Make:
    """Write some seconds of the bundled recording, from 2.5 s on."""

    def write(name: str, seconds: float = 8.0, rate: int = 16_000, channels: int = 1, **options: str) -> Path:
        samples = soundfile.read(bundled, dtype="float32", start=40_000, frames=round(seconds * 16_000))[0]
        if rate != 16_000:
            samples = soxr.resample(samples, 16_000, rate)
        both = samples if channels == 1 else np.stack([samples, samples / 2], axis=1)
        soundfile.write(tmp_path / name, both, rate, **options)
        return tmp_path / name

    return write


def drop(page: Watched, name: str, data: bytes) -> None:
    """Drop a file on the page, as a hand would."""
    page.page.evaluate(
        """([name, coded]) => {
          const bytes = Uint8Array.from(atob(coded), (letter) => letter.charCodeAt(0));
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([bytes], name));
          for (const kind of ["dragover", "drop"]) {
            document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
          }
        }""",
        [name, base64.b64encode(data).decode()],
    )


def ended(published: Published) -> bool:
    return any(message["type"] == "end" for message in published)


def hello(published: Published) -> HelloMessage:
    return next(message for message in published if message["type"] == "hello")


def like(published: Published, path: Path, most: float) -> None:
    """Check that what was published is what analysing the file gives, to within ``most`` of each probability."""
    points: list[PointMessage] = [message for message in published if message["type"] == "point"]
    expected = stream_ser.analyze(path, engine="onnx").points
    assert [point["end"] for point in points] == [point.end for point in expected]
    same = [point["label"] == other.label for point, other in zip(points, expected, strict=True)]
    assert any(point["label"] for point in points)
    assert np.mean(same) >= (1.0 if most == EXACT else 0.95)
    apart = [
        abs(mine - theirs)
        for point, other in zip(points, expected, strict=True)
        for mine, theirs in zip(point["smoothed"].values(), other.smoothed, strict=True)
    ]
    assert max(apart) <= most


def test_a_dropped_file_gives_what_replaying_it_gives(
    runtime: Runtime, visit: Open, published: Published, bundled: Path
) -> None:
    page = visit(page_of(runtime))
    drop(page, "talk.flac", bundled.read_bytes())
    page.page.get_by_text("talk.flac, 0:38, 16000 Hz. Nothing is sent yet.").wait_for()
    assert "Everyone who speaks in it must know this and agree." in page.page.inner_text("#sound-consent")
    assert published == []
    assert not [url for url in page.asked if "/v1/audio" in url]
    page.picture("file-asked")
    page.page.get_by_role("button", name="All agree: send it at once").click()
    page.page.get_by_role("heading", name="talk.flac (browser)").wait_for()
    page.page.get_by_text("All of the file was sent.").wait_for()
    wait(page, lambda: ended(published))
    source = {"kind": "recording", "name": "talk.flac", "rate": 16_000, "channels": 1, "duration_s": 38.257}
    assert hello(published)["source"] == source | {"offset_s": 0.0}
    like(published, bundled, EXACT)
    assert page.errors == []


@pytest.mark.parametrize(
    ("name", "rate", "channels", "decoded_at"),
    [
        ("a.wav", 44_100, 2, 44_100),
        ("a.flac", 96_000, 1, 48_000),
        ("a.ogg", 22_050, 1, 22_050),
        ("a.mp3", 16_000, 1, 16_000),
    ],
)
def test_a_file_is_decoded_at_its_own_rate_where_that_can_be_sent(
    runtime: Runtime,
    visit: Open,
    published: Published,
    make: Make,
    name: str,
    rate: int,
    channels: int,
    decoded_at: int,
) -> None:
    path = make(name, rate=rate, channels=channels)
    page = visit(page_of(runtime))
    page.page.set_input_files("#sound-file", path)
    page.page.get_by_role("button", name="All agree: send it at once").click()
    wait(page, lambda: ended(published))
    assert hello(published)["source"]["rate"] == decoded_at
    like(published, path, DECODED)


@pytest.mark.parametrize("clock", ["", "delete globalThis.AudioWorkletNode"], ids=["sound", "timers"])
def test_a_file_is_sent_as_it_was_spoken(
    runtime: Runtime, visit: Open, published: Published, make: Make, clock: str
) -> None:
    """Also where the page came unencrypted from another machine, and has no audio worklet."""
    path = make("short.wav", 4.0)
    page = visit("about:blank")
    page.page.add_init_script(clock)
    page.page.goto(page_of(runtime))
    page.page.set_input_files("#sound-file", path)
    page.page.get_by_role("button", name="All agree: send it as it was spoken").click()
    page.page.get_by_text("short.wav: 0:01 of 0:04 sent.").wait_for()
    wait(page, lambda: ended(published))
    like(published, path, EXACT)
    page.page.get_by_text("All of the file was sent.").wait_for()


def test_who_stops_sends_no_more_of_it(runtime: Runtime, visit: Open, published: Published, bundled: Path) -> None:
    page = visit(page_of(runtime))
    page.page.set_input_files("#sound-file", bundled)
    page.page.get_by_role("button", name="All agree: send it as it was spoken").click()
    page.page.get_by_text("conversation.flac: 0:01 of 0:38 sent.").wait_for()
    page.page.get_by_role("button", name="Stop").click()
    page.page.get_by_text("Nothing is sent any more.").wait_for()
    wait(page, lambda: ended(published))
    end = next(message for message in published if message["type"] == "end")
    assert 1.0 <= end["duration_s"] < 38.0
    assert end["reason"] == "finished"


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("notes.txt", b"no sound at all", "notes.txt is no sound that this browser can decode."),
        ("empty.wav", b"", "empty.wav is no sound that this browser can decode."),
        ("cut.flac", b"fLaC\0\0\0\x22" + bytes(34), "cut.flac is no sound that this browser can decode."),
    ],
)
def test_what_is_no_sound_is_said_so(
    runtime: Runtime, visit: Open, published: Published, name: str, data: bytes, told: str
) -> None:
    page = visit(page_of(runtime))
    drop(page, name, data)
    page.page.get_by_text(told).wait_for()
    assert page.page.get_by_role("button", name="Listen with a microphone").is_enabled()
    assert published == []


def test_what_is_too_large_for_a_browser_is_not_decoded(runtime: Runtime, visit: Open) -> None:
    page = visit(page_of(runtime))
    page.page.evaluate(
        """() => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([new Uint8Array(51 * 2 ** 20)], "day.wav"));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }"""
    )
    page.page.get_by_text(
        "day.wav has 51 MB, and a browser can decode 50 at most at once. "
        "Play it on the machine where it is: stream-ser replay FILE."
    ).wait_for()
