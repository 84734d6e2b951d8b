"""From windows that are due to what the network says of each: in steps where that is cheaper, else whole. No threads.

A stream's windows share most of their sound. Where the backend has a stepper and the stream's hop fits it, only what a
window has beyond the last one is computed. Where the stream has no state, or one so old that a whole window is no more work
(after silence, a gap, or a window that gave way), it begins afresh with a whole window.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from stream_ser.engine.backend import Backend, Output
from stream_ser.engine.voice import Voices
from stream_ser.errors import EngineError
from stream_ser.types import Samples, Window

WORTH = 4  # steps that cost about as much as a whole window


class Computer:
    """Owns what the backend knows of streams. One thread, the worker's."""

    def __init__(self, backend: Backend, voices: Voices | None = None) -> None:
        self.backend = backend
        self._voices = Voices() if voices is None else voices
        self._heard: dict[str, int] = {}  # sample up to which a stream's state has heard everything

    def release(self, stream: str) -> None:
        """Forget a stream, known or not."""
        self._voices.release(stream)
        if self._heard.pop(stream, None) is not None and self.backend.stepper is not None:
            self.backend.stepper.release(stream)

    def compute(self, windows: Sequence[Window]) -> list[Output]:
        """One output a window, each of batch 1, in order. Windows must be of different streams.

        Raises EngineError where the network gives anything but numbers, and whatever the backend raises.
        """
        found: dict[int, Output] = {}
        groups: dict[tuple[int, int, bool], list[int]] = {}
        for number, window in enumerate(windows):
            groups.setdefault((self._steps(window), window.hop, window.tokens is None), []).append(number)
        for (steps, _, wordless), numbers in groups.items():
            group = [windows[number] for number in numbers]
            output = self._step(group, steps) if steps else self._whole(group, wordless)
            found |= dict(zip(numbers, _rows(output), strict=True))
        for number, window in enumerate(windows):
            self._check(found[number], window)
            if (voice := found[number].voice) is not None:
                self._voices.heard(window, voice[0])
        return [found[number] for number in range(len(windows))]

    def _steps(self, window: Window) -> int:
        """Steps that bring the stream's state up to the window; 0 where it is computed whole and leaves no state."""
        stepper = self.backend.stepper
        if stepper is None or window.tokens is not None or not window.hop or not stepper.fits(window.hop):
            return 0
        length = len(window.samples)
        ahead = window.end - self._heard.get(window.stream, -length)
        worth = 0 < ahead <= min(WORTH * window.hop, length) and ahead % window.hop == 0
        return ahead // window.hop if worth else length // window.hop

    def _step(self, group: list[Window], steps: int) -> Output:
        stepper, hop = self.backend.stepper, group[0].hop
        assert stepper is not None
        streams = [window.stream for window in group]
        length = len(group[0].samples)
        fresh = steps * hop == length
        sound = np.stack([window.samples[length - steps * hop :] for window in group])
        for stream in streams:  # should a step fail, nobody knows what its state has heard
            self._heard.pop(stream, None)
        if fresh:
            output = stepper.step(streams, [True] * len(group), sound)
        for end in () if fresh else range(hop, steps * hop + 1, hop):
            output = stepper.step(streams, [False] * len(group), sound[:, end - hop : end])
        self._heard |= {window.stream: window.end for window in group}
        return output

    def _whole(self, group: list[Window], wordless: bool) -> Output:
        tokens = None if wordless else np.stack([window.tokens for window in group if window.tokens is not None])
        sound, width = _together([window.samples for window in group]), self.backend.voice_width
        if not width:
            return self.backend.run(sound, tokens)
        known = self._voices.known(group, width)
        return replace(self.backend.run(sound, tokens, known), baseline_s=known.seconds)

    def _check(self, output: Output, window: Window) -> None:
        numbers = [values for values in (output.logits, output.dimensions, output.voice) if values is not None]
        if not all(np.isfinite(values).all() for values in numbers):
            raise EngineError(
                f"{self.backend.name} gave {[values[0].tolist() for values in numbers]} for samples {window.start} to "
                f"{window.end}",
                fix="try the other engine with --engine, or another --model",
            )


def _together(windows: Sequence[Samples]) -> Samples:
    """Windows (samples,) as a batch; one alone, as the CPU takes them, is not copied."""
    return windows[0][np.newaxis] if len(windows) == 1 else np.stack(windows)


def _rows(output: Output) -> Iterator[Output]:
    for i in range(len(output.logits)):
        others = (output.attention, output.dimensions, output.top_down, output.voice, output.baseline_s)
        yield Output(output.logits[i : i + 1], *(None if values is None else values[i : i + 1] for values in others))
