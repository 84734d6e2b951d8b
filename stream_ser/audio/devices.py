"""Sound inputs as PortAudio sees them: list them, choose one, open it.

PortAudio is loaded when it is first needed, so a machine without it can still replay, serve and test. All calls come
from one thread at a time, the thread that owns the microphone source; PortAudio itself calls the callback from a
thread of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from stream_ser.audio.resample import Frames
from stream_ser.errors import SourceError

LIST_COMMAND = "see what there is with: stream-ser devices"
BROWSER = "or listen with a browser's: stream-ser live --browser"
BLOCK_S = 0.02  # the sound in one callback


@dataclass(frozen=True, slots=True)
class InputDevice:
    """One sound input. ``rate`` and ``channels`` are the device's own."""

    index: int
    name: str
    host: str  # the host API: ALSA, Core Audio, WASAPI, ...
    channels: int
    rate: int
    default: bool


class CallbackFlags(Protocol):
    """What PortAudio says with a block (sounddevice's CallbackFlags)."""

    @property
    def input_overflow(self) -> bool:
        """Whether sound was lost before this block."""


class Times(Protocol):
    """PortAudio's times of a block, s."""

    inputBufferAdcTime: float  # noqa: N815  (PortAudio's name) of its first frame
    currentTime: float  # noqa: N815


Callback = Callable[[Frames, int, Times | None, CallbackFlags], None]  # indata (frames, channels), frames, time, status


class OpenStream(Protocol):
    """A device that is delivering blocks."""

    def close(self) -> None:
        """Stop; no callback comes after this returns. May block with a device that is gone."""


class AudioBackend(Protocol):
    """The part of PortAudio that a microphone needs."""

    def devices(self) -> list[InputDevice]:
        """All inputs. Raises SourceError."""

    def rescan(self) -> None:
        """Forget the device list and make it anew. Only while no stream is open."""

    def open(self, device: InputDevice, callback: Callback) -> OpenStream:
        """Begin to deliver float32 blocks. Raises SourceError when the device is gone or busy."""


class PortAudio:
    """The real backend, through sounddevice. Raises SourceError where the library is not there."""

    def __init__(self) -> None:
        try:
            import sounddevice
        except ImportError as error:
            raise SourceError(
                f"sounddevice is not installed ({error})", fix=f"pip install sounddevice; {BROWSER}"
            ) from error
        except OSError as error:
            raise SourceError(
                f"the PortAudio library is missing ({error})",
                fix=f"on Debian and Ubuntu: apt-get install -y libportaudio2; {BROWSER}",
            ) from error
        self._sd: Any = sounddevice

    def devices(self) -> list[InputDevice]:
        """All inputs, in PortAudio's order."""
        try:
            hosts = self._sd.query_hostapis()
            default = self._sd.default.device[0]
            return [
                InputDevice(
                    index=int(entry["index"]),
                    name=str(entry["name"]),
                    host=str(hosts[entry["hostapi"]]["name"]),
                    channels=int(entry["max_input_channels"]),
                    rate=round(entry["default_samplerate"]),
                    default=entry["index"] == default,
                )
                for entry in self._sd.query_devices()
                if entry["max_input_channels"] > 0
            ]
        except self._sd.PortAudioError as error:
            raise SourceError(f"PortAudio cannot list the sound inputs ({error})", fix=LIST_COMMAND) from error

    def rescan(self) -> None:
        """Start PortAudio anew: it looks for devices only when it starts."""
        try:
            self._sd._terminate()
            self._sd._initialize()
        except self._sd.PortAudioError as error:
            raise SourceError(f"PortAudio cannot be started anew ({error})", fix=LIST_COMMAND) from error

    def open(self, device: InputDevice, callback: Callback) -> OpenStream:
        """Open and start at the device's own rate, with at most two channels, in blocks of 20 ms."""
        try:
            stream = self._sd.InputStream(
                device=device.index,
                samplerate=device.rate,
                channels=min(2, device.channels),
                dtype="float32",
                blocksize=round(device.rate * BLOCK_S),
                latency="low",
                callback=callback,
            )
            stream.start()
        except self._sd.PortAudioError as error:
            raise SourceError(
                f"the sound input {device.name!r} cannot be opened ({error})", fix=LIST_COMMAND
            ) from error
        opened: OpenStream = stream
        return opened


def list_devices(backend: AudioBackend | None = None) -> list[InputDevice]:
    """All sound inputs of this machine. Raises SourceError where PortAudio is missing."""
    return (backend or PortAudio()).devices()


def choose_device(devices: Sequence[InputDevice], wanted: str | int | None) -> InputDevice:
    """Find the device with this index, this exact name, or this part of a name in any case; by default, the default.

    Raises SourceError when there is none, or when several fit; then it names them.
    """
    if not devices:
        raise SourceError(
            "this machine has no sound input",
            fix=f"connect a microphone; {BROWSER}; or play a file: stream-ser replay FILE",
        )
    if wanted is None or wanted == "":
        return next((device for device in devices if device.default), devices[0])
    text = str(wanted)
    if text.isdecimal():
        found = [device for device in devices if device.index == int(text)]
    else:
        found = [device for device in devices if device.name == text]
        found = found or [device for device in devices if text.casefold() in device.name.casefold()]
    if len(found) == 1:
        return found[0]
    if not found:
        raise SourceError(f"no sound input fits {text!r}", fix=LIST_COMMAND)
    candidates = ", ".join(f"{device.index} {device.name!r} ({device.host})" for device in found)
    raise SourceError(f"{len(found)} sound inputs fit {text!r}: {candidates}", fix="choose one by its number")
