"""Mix channels to one, unless they cancel each other: then one of them is heard alone.

Two channels in opposite phase (a cable wired the wrong way round, a broken interface) average to silence. The rule: over
stretches of 20 ms, counted from the source's first frame on, the energies of the mix and of each channel are summed, older ones
fading with a time constant of 3 s. Where the mix has less than a fiftieth of what unrelated channels would give (17 dB; of two
equal ones, 20 dB below each), the loudest channel is heard alone from the next stretch on, until the mix has more than a fifth
of it again. So what is heard depends on the sound and not on how it was cut into blocks. Until a first stretch could be judged,
what is not a whole one waits: of channels that cancel from the beginning on, nothing is lost. After it no sample waits.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from stream_ser.audio.resample import Frames, to_mono
from stream_ser.types import Samples

STRETCH_S = 0.02
FADE = math.exp(-STRETCH_S / 3.0)  # a stretch
CANCELS, ADDS_UP = 0.02, 0.2  # of the energy of channels that have nothing to do with each other
FLOOR = 1e-8  # mean square of a stretch, -80 dB full scale: below it there is nothing to judge


class Mixer:
    """Frames (n, channels) of one rate to samples (n,), in order; belongs to one thread."""

    def __init__(self, rate: int) -> None:
        self._stretch = max(1, round(STRETCH_S * rate))
        self._held: list[Frames] = []  # of the stretch that is not full yet
        self._count = 0
        self._channels = 0
        self._judged = False  # whether there was a stretch to judge by yet
        self._only: int | None = None
        self._mix, self._each = 0.0, np.zeros(0)
        self._news: str | None = None

    @property
    def waiting(self) -> int:
        """How many of the frames that came are given with later ones, or by ``finish``: fewer than 20 ms of them."""
        return 0 if self._judged else self._count

    def mix(self, frames: Frames) -> Samples:
        """Mix the next frames; (n,) or (n, 1) passes as it is."""
        channels = 1 if frames.ndim == 1 else frames.shape[1]
        if channels != self._channels:
            rest = self.finish()
            self._channels, self._only, self._judged, self._held, self._count = channels, None, channels == 1, [], 0
            self._mix, self._each = 0.0, np.zeros(channels)
            return np.concatenate([rest, self.mix(frames)]) if len(rest) else self.mix(frames)
        if channels == 1:
            return to_mono(frames)
        if self.waiting:
            frames = np.concatenate([*self._held, frames])
            self._held, self._count = [], 0
        mono = to_mono(frames)
        begin = 0
        while begin < len(frames):
            end = min(len(frames), begin + self._stretch - self._count)
            if self._only is not None:
                mono[begin:end] = frames[begin:end, self._only]
            begins = not self._judged
            self._hold(frames[begin:end])
            if begins and self._only is not None:  # the first stretch that could be judged says how it is heard itself
                mono[begin:end] = frames[begin:end, self._only]
            begin = end
        return mono[: len(mono) - self.waiting]

    def finish(self) -> Samples:
        """Give what waits, mixed, as a gap comes or the end; another stretch begins with what comes after it."""
        if not self.waiting:
            return np.zeros(0, dtype=np.float32)
        rest = to_mono(np.concatenate(self._held))
        self._held, self._count = [], 0
        return rest

    def news(self) -> str | None:
        """What a person should know since this was asked last, if anything."""
        told, self._news = self._news, None
        return told

    def _hold(self, frames: Frames) -> None:
        self._held.append(frames.copy())  # the caller's block may be written again
        self._count += len(frames)
        if self._count == self._stretch:
            stretch = np.concatenate(self._held).astype(np.float64)
            self._held, self._count = [], 0
            self._weigh(stretch)

    def _weigh(self, stretch: npt.NDArray[np.float64]) -> None:
        each = np.einsum("ij,ij->j", stretch, stretch)
        if not np.isfinite(each).all() or each.max() < FLOOR * self._stretch:
            return
        self._judged = True
        mix = stretch.mean(axis=1)
        self._mix = FADE * self._mix + float(mix @ mix)
        self._each = FADE * self._each + each
        unrelated = float(self._each.sum()) / self._channels**2
        if self._only is None and self._mix < CANCELS * unrelated:
            self._only = int(self._each.argmax())
            below = "to nothing" if self._mix == 0 else f"to {10 * math.log10(unrelated / self._mix):.0f} dB below"
            self._news = (
                f"the {self._channels} channels cancel each other {below}, as in opposite phase; "
                f"only channel {self._only + 1} is heard"
            )
        elif self._only is not None and self._mix > ADDS_UP * unrelated:
            self._only = None
            self._news = f"the {self._channels} channels do not cancel each other any more; they are mixed again"
