"""A microphone at the screen: another sound input can be chosen without leaving.

Threads as in :mod:`stream_ser.controls.local_stream`. The device in use is closed before the other one is opened, because some
drivers allow one at a time; where the other cannot be opened, listening goes on with the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stream_ser.audio.devices import AudioBackend, list_devices
from stream_ser.audio.microphone import Microphone, open_microphone
from stream_ser.audio.source import Source
from stream_ser.controls.capabilities import Choice, Kind
from stream_ser.controls.local_stream import LONGEST_CHOICE, StreamController
from stream_ser.errors import SourceError
from stream_ser.pipeline.runtime import Runtime

NAME = "microphone"


class MicrophoneController(StreamController):
    """Begins with ``microphone``, which was opened as ``device`` (index, name or part of one; None for the default)."""

    def __init__(
        self, runtime: Runtime, microphone: Microphone, device: str | None, backend: AudioBackend | None = None
    ) -> None:
        self._backend = backend
        self._device = device
        super().__init__(runtime, microphone, NAME)

    @property
    def kinds(self) -> frozenset[Kind]:
        """What can be chosen."""
        return frozenset({"device", "model"})

    def _again(self) -> Source:
        return self._opener(self._device)()

    def _opener(self, device: str | None) -> Callable[[], Source]:
        return lambda: open_microphone(device, backend=self._backend)

    def _look(self, kind: Kind) -> Sequence[Choice]:
        if kind != "device":
            return super()._look(kind)
        return [
            Choice(
                str(device.index),
                f"{device.index}  {device.name} ({device.host}, {device.rate} Hz)"[:LONGEST_CHOICE],
                device.name == self._source.info.name,
            )
            for device in list_devices(self._backend)
        ]

    def _change(self, kind: Kind, name: str) -> None:
        if kind != "device":
            super()._change(kind, name)
            return
        self._end(f"the sound input is changed to number {name}: another stream begins")
        try:
            self._begin(self._opener(name))
        except SourceError as error:
            self._begin(self._again, f"{error.what}; listening goes on as before")
            return
        self._device = name
