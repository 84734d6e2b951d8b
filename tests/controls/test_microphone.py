"""A microphone with its controller, on a scripted sound device: another input, one that cannot be had, one that hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from stream_ser.audio.devices import Callback, InputDevice
from stream_ser.audio.microphone import open_microphone
from stream_ser.controls.microphone import MicrophoneController
from stream_ser.errors import SourceError
from stream_ser.pipeline.runtime import Options, Runtime
from tests.controls.controllers import Seen

BUILT_IN = InputDevice(0, "built-in", "ALSA", 2, 48_000, True)
HEADSET = InputDevice(3, "headset", "ALSA", 1, 16_000, False)
BUSY = InputDevice(5, "busy", "ALSA", 1, 16_000, False)


class Opened:
    def __init__(self, hardware: Hardware, name: str) -> None:
        self.hardware, self.name = hardware, name

    def close(self) -> None:
        if self.hardware.hangs:
            self.hardware.release.wait(10.0)
        self.hardware.opened.remove(self.name)


class Hardware:
    """Three inputs; the third is always busy. No sound comes from any."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.hangs = False
        self.release = threading.Event()

    def devices(self) -> list[InputDevice]:
        if self.hangs:
            self.release.wait(10.0)
        return [BUILT_IN, HEADSET, BUSY]

    def rescan(self) -> None:
        pass

    def open(self, device: InputDevice, callback: Callback) -> Opened:  # noqa: ARG002
        if device.name == "busy":
            raise SourceError("the sound input 'busy' cannot be opened (device unavailable)", fix="choose another")
        assert not self.opened, "two devices at once"
        self.opened.append(device.name)
        return Opened(self, device.name)


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime(Options(engine="onnx", feed="off")) as runtime:
        yield runtime


class Listening(Seen):
    def __init__(self, runtime: Runtime) -> None:
        self.hardware = Hardware()
        self.controller = MicrophoneController(
            runtime, open_microphone(None, backend=self.hardware), None, self.hardware
        )
        super().__init__(self.controller)
        self.controller.start()


@pytest.fixture
def seen(runtime: Runtime) -> Iterator[Listening]:
    listening = Listening(runtime)
    yield listening
    listening.hardware.release.set()
    listening.controller.close()


def test_inputs_are_listed_with_the_one_in_use(seen: Listening) -> None:
    choices = seen.controller.choices("device").result(10.0)
    assert [(choice.name, choice.current) for choice in choices] == [("0", True), ("3", False), ("5", False)]
    assert choices[1].text == "3  headset (ALSA, 16000 Hz)"
    assert seen.controller.kinds == {"device", "model"}


def test_another_input_is_another_stream(seen: Listening) -> None:
    seen.until(lambda: bool(seen.of("hello")), "the first stream")
    seen.controller.choose("device", "3")
    seen.until(lambda: len(seen.of("hello")) == 2, "the second stream")
    assert [hello["source"]["name"] for hello in seen.of("hello")] == ["built-in", "headset"]
    assert [hello["stream"] for hello in seen.of("hello")] == ["microphone"] * 2
    assert seen.of("end")[0]["reason"] == "stopped"
    assert seen.told("the sound input is changed to number 3")
    assert seen.hardware.opened == ["headset"]


def test_an_input_that_cannot_be_opened_leaves_things_as_they_were(seen: Listening) -> None:
    seen.until(lambda: bool(seen.of("hello")), "the first stream")
    seen.controller.choose("device", "5")
    seen.until(lambda: len(seen.of("hello")) == 2, "the stream that goes on")
    assert seen.of("hello")[1]["source"]["name"] == "built-in"
    seen.until(lambda: seen.told("cannot be opened (device unavailable); listening goes on as before"), "the reason")
    assert seen.hardware.opened == ["built-in"]


@pytest.mark.parametrize("asked", [False, True])
def test_a_device_that_hangs_holds_nobody_up(seen: Listening, asked: bool) -> None:
    seen.until(lambda: bool(seen.of("hello")), "the stream")
    seen.hardware.hangs = True
    if asked:
        found = seen.controller.choices("device")
        seen.controller.choose("device", "3")
        assert not found.done()
    began = time.monotonic()
    seen.controller.pause()
    seen.controller.drain()
    seen.controller.stop()
    assert time.monotonic() - began < 0.2
    seen.controller.close()
    assert time.monotonic() - began < 1.0
    seen.got += seen.controller.drain()
    assert seen.got[-1]["type"] == "end"


def test_more_commands_than_can_wait_are_refused_and_told(seen: Listening) -> None:
    seen.hardware.hangs = True
    futures = [seen.controller.choices("device") for _ in range(12)]
    refused = [future for future in futures if future.done()]
    assert 2 <= len(refused) <= 4
    with pytest.raises(Exception, match="commands wait already"):
        refused[0].result()
    seen.until(lambda: seen.told("commands wait already"), "word of it")
