"""What a browser's MediaRecorder writes, by a real one: its WebM and its MP4 of the same sound are heard whole and together."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import soxr

from tests.web import browser

from .sounds import RATE, clicks, hear, lag

api = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")

SHIFT = 320  # samples, 20 ms
BETWEEN = 1600  # 0.1 s, that two recorders of a busy browser may begin after each other
FLAGS = [*browser.FLAGS, "--autoplay-policy=no-user-gesture-required"]
RECORD = """async ([encoded, types]) => {
  const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
  const samples = new Float32Array(bytes.buffer);
  const context = new AudioContext({ sampleRate: 48000 });
  await context.resume();
  const buffer = context.createBuffer(1, samples.length, 48000);
  buffer.copyToChannel(samples, 0);
  const source = new AudioBufferSourceNode(context, { buffer });
  const sink = context.createMediaStreamDestination();
  source.connect(sink);
  const recorders = types.map((mimeType) => new MediaRecorder(sink.stream, { mimeType }));
  const parts = recorders.map(() => []);
  recorders.forEach((recorder, at) => { recorder.ondataavailable = ({ data }) => parts[at].push(data); });
  await Promise.all(recorders.map((recorder) => new Promise((started) => {
    recorder.onstart = started;
    recorder.start();
  })));
  source.start();
  await new Promise((ended) => { source.onended = ended; });
  await new Promise((later) => setTimeout(later, 200));
  await Promise.all(recorders.map((recorder) => new Promise((stopped) => {
    recorder.onstop = stopped;
    recorder.stop();
  })));
  return Promise.all(parts.map(async (some) => {
    const all = new Uint8Array(await new Blob(some).arrayBuffer());
    return btoa(Array.from(all, (byte) => String.fromCharCode(byte)).join(""));
  }));
}"""


@pytest.fixture(scope="module")
def recorded() -> tuple[bytes, bytes]:
    """The clicks as WebM and as MP4, by two recorders at once."""
    program = browser.find()
    if program is None:
        pytest.skip("there is no Chromium")
    encoded = base64.b64encode(clicks().tobytes()).decode()
    with api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=FLAGS)
        try:
            page = chromium.new_page()
            page.goto("about:blank")
            types = ["audio/webm;codecs=opus", "audio/mp4;codecs=opus"]
            if not page.evaluate("(types) => types.every((type) => MediaRecorder.isTypeSupported(type))", types):
                pytest.skip("this Chromium does not record both WebM and MP4")
            webm, mp4 = (base64.b64decode(text) for text in page.evaluate(RECORD, [encoded, types]))
        finally:
            chromium.close()
    return webm, mp4


def test_both_are_heard_whole_and_at_the_same_place(recorded: tuple[bytes, bytes]) -> None:
    webm, mp4 = (hear(name, data) for name, data in zip(("a.webm", "a.mp4"), recorded, strict=True))
    assert (webm.failure, mp4.failure) == (None, None)
    assert abs(lag(mp4.samples, webm.samples)) <= BETWEEN
    assert any("its sound begins at 0." in text for text in mp4.notices), (
        mp4.notices
    )  # 0.08 s where nothing else is done
    plain = soxr.resample(clicks(), 48_000, RATE)
    for heard in (webm, mp4):
        begin = lag(heard.samples, plain)  # how long the recorder waited for the first sound
        assert begin >= 0
        found = heard.samples[begin : begin + len(plain)]
        assert len(found) > 0.9 * len(plain)  # the last of it may not have reached the recorders when they were stopped
        assert np.corrcoef(found, plain[: len(found)])[0, 1] > 0.9
        assert heard.gaps == []


def test_the_file_is_begun_in_its_middle(recorded: tuple[bytes, bytes]) -> None:
    for name, data in zip(("a.webm", "a.mp4"), recorded, strict=True):
        whole, rest = hear(name, data).samples, hear(name, data, begin_s=1.5).samples
        assert abs(lag(rest, whole[round(1.5 * RATE) :])) <= SHIFT
