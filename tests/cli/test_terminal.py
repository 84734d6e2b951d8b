"""The real program on a real terminal, read and typed into by tmux."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stream_ser.feed import messages
from stream_ser.feed.history import History
from stream_ser.feed.hub import Hub
from stream_ser.feed.server import FeedServer
from stream_ser_models.card import DEFAULT
from tests.cli.tmux import OVER, PATIENCE_S, PROGRAM, Terminal
from tests.conftest import read_lines
from tests.feed.wire import make_info, point_message

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs tmux: apt-get install -y tmux")
PROMPT_S = 1.0  # how long leaving may take, where nothing else has the machine
TRIES = 3


@pytest.fixture
def url() -> Iterator[str]:
    """A feed of two streams that goes on until the test is over."""
    hub = Hub(History())
    for name in ("call-1", "call-2"):
        hub.publish(messages.hello(make_info(name)))
    server = FeedServer(hub, port=0)
    server.start()
    over = threading.Event()

    def publish() -> None:
        number = 0
        while not over.wait(0.1):
            number += 1
            for name in ("call-1", "call-2"):
                hub.publish(point_message(number, name))

    publisher = threading.Thread(target=publish)
    publisher.start()
    yield server.url
    over.set()
    publisher.join()
    server.stop()


def prompt(leave: Callable[[], float]) -> None:
    """Leaving takes under a second; on a machine that others have at the moment, one of a few times."""
    took = []
    while len(took) < TRIES:
        took.append(leave())
        if took[-1] < PROMPT_S:
            return
    raise AssertionError(f"leaving took {took} s")


def test_what_the_model_looked_at_is_laid_over_the_sound(bundled: Path) -> None:
    command = ["stream_ser.cli", "replay", bundled, "--model", "tfcnn-attention", "--feed", "off"]
    with Terminal(command) as terminal:
        terminal.wait_for("expressed emotion", "w why")
        terminal.press("w")
        terminal.wait_for("bottom-up: where the model looks", "8 kHz", "most at 0:0", "▀")
        terminal.press("W")
        terminal.wait_for("top-down: what speaks for")
        terminal.press("w")
        terminal.wait_for("trajectory")
        terminal.quit()
        assert "Traceback" not in terminal.read()


def test_a_recording_is_shown_help_opens_and_q_ends_it(bundled: Path) -> None:
    with Terminal(["stream_ser.cli", "replay", bundled, "--feed", "127.0.0.1:0"]) as terminal:
        text = terminal.wait_for("expressed emotion", "trajectory", DEFAULT, "q quit")
        assert "conversation.flac" in text
        terminal.press("?")
        terminal.wait_for("↓ more below", "expressed emotion")
        terminal.press("PageDown")
        terminal.wait_for("↑ more above", "mark this moment with a note", "expressed emotion")
        terminal.press("Escape")
        terminal.wait_for("trajectory", "wwww")
        terminal.press("S-Right")
        terminal.wait_for("s of the recording: another stream begins", "a label needs 2 s of unbroken sound")
        assert "wwww" in terminal.read(), "what was heard before is still there"
        terminal.press("m")
        terminal.wait_for("A note on")
        terminal.press("q", "Enter")
        terminal.wait_for("marked at 0:0", ": q")
        terminal.quit()
        text = terminal.read()
        assert "feed: ws://127.0.0.1:" in text
        assert "page: http://127.0.0.1:" in text
        assert "stopped: " in text
        assert "Traceback" not in text


def test_panels_are_chosen_sizes_are_used_and_models_compared(
    bundled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")  # as all that a prompt with GNU readline starts has them
    monkeypatch.setenv("LINES", "24")
    command = ["stream_ser.cli", "replay", bundled, "--feed", "off"]
    with Terminal(command) as terminal:
        terminal.wait_for("expressed emotion", "─ sound ─", "whole", "┃")
        terminal.press("p")
        terminal.wait_for("● whole recording", "enter: show or hide", "expressed emotion")
        terminal.press("Down", "Down", "Down", "Enter", "Escape")
        terminal.wait_until(lambda text: "─ sound ─" not in text and "─ speed of" in text)
        terminal.press("n")
        terminal.wait_for(f"● {DEFAULT}", "default", "recall on:", "MMAC", "expressed emotion")
        terminal.press("Escape")
        terminal.resize(60, 20)
        terminal.wait_for("too small", "60 × 20; it takes 72 × 21")
        terminal.resize(200, 60)
        terminal.wait_for("─ why ─", "─ alerts ─", "╶")
        terminal.quit()
    with Terminal(command) as terminal:
        terminal.wait_for("expressed emotion", "─ speed of")
        assert "─ sound ─" not in terminal.read(), "found again"
        terminal.quit()


@pytest.mark.parametrize(("opens", "key"), [("", "q"), ("n", "C-c")])
def test_a_blocked_device_does_not_hold_up_leaving(opens: str, key: str) -> None:
    def leave() -> float:
        with Terminal(["tests.blocked"]) as terminal:
            terminal.wait_for("expressed emotion", "blocked", "q quit")
            if opens:
                terminal.press(opens)
                terminal.wait_for("escape: leave it")
            took = terminal.quit(key)
            assert "stopped: 0.0 s of sound" in terminal.read()
            return took

    prompt(leave)


def test_a_feed_of_several_streams_is_a_grid_at_80_by_24(url: str) -> None:
    def leave() -> float:
        with Terminal(["stream_ser.cli", "watch", url]) as terminal:
            terminal.wait_for("2 streams", "call-1", "call-2", "ANGRY")
            terminal.press("Right", "Enter")
            terminal.wait_for("probabilities", "microphone USB headset", "‹ esc all streams", "call-2")
            terminal.press("Escape")
            terminal.wait_for("2 streams")
            took = terminal.quit()
            assert "Traceback" not in terminal.read()
            return took

    prompt(leave)


def test_several_recordings_are_a_grid_with_speed_and_place_for_all(talk: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no sound at all")
    command = ["stream_ser.cli", "replay", talk, bad, talk, "--feed", "off", "--speed", "0.5"]
    with Terminal(command, columns=100) as terminal:
        terminal.wait_for(
            "2 streams", "talk.wav", "talk.wav (2)", "speed ×0.5   all recordings 0:0", " / 0:12.0", "WARMING"
        )
        terminal.press("g")
        terminal.wait_for("up to 0:12.0")
        terminal.press("0", ":", "0", "6", "Enter")
        terminal.wait_for("all recordings 0:06")
        terminal.press("]", "]", "Space")
        terminal.wait_for("speed ×2", "held: space goes on", "PAUSED")
        terminal.press("Right", "Enter")
        terminal.wait_for("‹ esc all streams", "talk.wav (2)", "trajectory")
        terminal.press("Space")
        terminal.wait_for("finished at 0:12.0")
        terminal.press("Escape")
        terminal.wait_for("2 streams", "all recordings 0:12.0 / 0:12.0")
        assert terminal.read().count("finished at 0:12.0") == 2
        terminal.press("q")
        end = time.monotonic() + PATIENCE_S
        while not terminal.over:
            assert time.monotonic() < end
            time.sleep(0.05)
        text = terminal.read()
    assert f"{OVER}2" in text, "as one of them could not be read"
    assert "bad.wav" in text
    assert "2 recordings, 12.0 s of sound, 0 windows dropped" in text
    assert "Traceback" not in text


def test_at_the_end_of_a_recording_a_person_is_told_what_can_be_done_next(talk: Path) -> None:
    command = ["stream_ser.cli", "replay", talk, "--headless", "--speed", "max", "--feed", "off"]
    with Terminal(command, columns=200) as terminal:
        text = terminal.wait_until_over()
    assert "expressed emotion where labelled: happy" in text
    after = text[text.index("next:") :]
    assert f"hear the longest happy stretch again  stream-ser replay {talk} --from " in after
    assert "--out talk.csv" in after


def test_live_sound_can_be_saved_when_it_is_over(talk: Path, tmp_path: Path) -> None:
    out = tmp_path / "today.jsonl"
    with Terminal(["tests.live_sound", talk], columns=200) as terminal:
        terminal.wait_for("save as (.jsonl")
        terminal.press(str(out), "Enter")
        text = terminal.wait_until_over()
    assert f"saved {out}" in text
    assert f"stream-ser watch {out}" in text[text.index("next:") :]
    assert sum(message["type"] == "point" for message in read_lines(out)) == 48
    with Terminal(["tests.live_sound", talk], columns=200) as terminal:
        terminal.wait_for("save as (.jsonl")
        terminal.press("Enter")
        assert "next:" not in terminal.wait_until_over()
    assert list(tmp_path.iterdir()) == [out]
