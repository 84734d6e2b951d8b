from __future__ import annotations

import builtins
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from stream_ser.audio.devices import InputDevice, PortAudio, choose_device, list_devices
from stream_ser.errors import SourceError

from .fakes import ScriptedBackend, VirtualClock, microphone

DEVICES = [
    InputDevice(0, "Built-in Audio", "ALSA", 2, 44_100, False),
    InputDevice(2, "USB Headset", "ALSA", 1, 48_000, True),
    InputDevice(5, "USB Headset Pro", "ALSA", 1, 48_000, False),
    InputDevice(7, "Webcam", "ALSA", 1, 32_000, False),
    InputDevice(9, "Webcam", "WASAPI", 1, 32_000, False),
]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [(None, 2), ("", 2), (5, 5), ("5", 5), ("USB Headset", 2), ("pro", 5), ("built-IN", 0)],
)
def test_a_device_is_chosen_by_number_name_or_part_of_a_name(wanted: str | int | None, index: int) -> None:
    assert choose_device(DEVICES, wanted).index == index


def test_several_that_fit_are_named() -> None:
    with pytest.raises(SourceError, match="2 sound inputs fit") as error:
        choose_device(DEVICES, "usb")
    assert "2 'USB Headset' (ALSA), 5 'USB Headset Pro' (ALSA)" in error.value.what
    with pytest.raises(SourceError, match=r"7 'Webcam' \(ALSA\), 9 'Webcam' \(WASAPI\)"):
        choose_device(DEVICES, "Webcam")


@pytest.mark.parametrize("wanted", ["1", 4, "theremin"])
def test_none_that_fits_leads_to_the_list(wanted: str | int) -> None:
    with pytest.raises(SourceError, match=f"no sound input fits '{wanted}'.*stream-ser devices"):
        choose_device(DEVICES, wanted)


def test_a_machine_without_inputs_can_still_play_a_file() -> None:
    with pytest.raises(SourceError, match=r"no sound input; .*live --browser.*replay FILE"):
        choose_device([], None)


def test_without_a_default_the_first_is_taken() -> None:
    assert choose_device([DEVICES[3]], None).index == 7


def test_the_list_is_the_backends() -> None:
    backend = ScriptedBackend(VirtualClock(), [])
    assert list_devices(backend) == [microphone()]


@pytest.mark.parametrize(
    ("raised", "fix"),
    [(OSError("PortAudio library not found"), "apt-get install -y libportaudio2"), (ImportError("no"), "pip install")],
)
def test_a_missing_library_names_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, fix: str
) -> None:
    real = builtins.__import__

    def broken(name: str, *rest: Any, **named: Any) -> Any:
        if name == "sounddevice":
            raise raised
        return real(name, *rest, **named)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(SourceError) as error:
        list_devices()
    assert fix in error.value.fix
    assert "stream-ser live --browser" in error.value.fix


class PortAudioError(Exception):
    """Stands where sounddevice has its own, for machines without PortAudio."""


def with_library(monkeypatch: pytest.MonkeyPatch, **functions: Any) -> PortAudio:
    library = SimpleNamespace(PortAudioError=PortAudioError, **functions)
    monkeypatch.setitem(sys.modules, "sounddevice", library)
    return PortAudio()


def refuse(*_: Any, **__: Any) -> Any:
    raise PortAudioError("Device unavailable [PaErrorCode -9985]")


def test_inputs_are_listed_with_their_own_rate_and_host(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"hostapi": 0, "default_samplerate": 44_100.0, "max_input_channels": 6}
    audio = with_library(
        monkeypatch,
        query_hostapis=lambda: [{"name": "ALSA"}],
        query_devices=lambda: [
            {**entry, "index": 0, "name": "Speaker", "max_input_channels": 0},
            {**entry, "index": 1, "name": "Mic"},
        ],
        default=SimpleNamespace(device=[1, 0]),
    )
    assert audio.devices() == [InputDevice(1, "Mic", "ALSA", 6, 44_100, True)]


def test_a_busy_device_leads_to_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    audio = with_library(monkeypatch, InputStream=refuse, query_hostapis=refuse, _terminate=refuse)
    with pytest.raises(SourceError, match=r"'USB mic' cannot be opened \(Device unavailable.*stream-ser devices"):
        audio.open(microphone(), lambda *_: None)
    with pytest.raises(SourceError, match="cannot list"):
        audio.devices()
    with pytest.raises(SourceError, match="cannot be started anew"):
        audio.rescan()


def test_a_device_is_opened_at_its_own_rate_with_at_most_two_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def stream(**named: Any) -> Any:
        asked.update(named)
        return SimpleNamespace(start=lambda: asked.update(started=True))

    audio = with_library(monkeypatch, InputStream=stream)
    audio.open(InputDevice(4, "Array", "ALSA", 8, 44_100, False), lambda *_: None)
    assert {name: asked[name] for name in ("device", "samplerate", "channels", "dtype", "blocksize", "started")} == {
        "device": 4,
        "samplerate": 44_100,
        "channels": 2,
        "dtype": "float32",
        "blocksize": 882,
        "started": True,
    }
