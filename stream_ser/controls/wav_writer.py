"""Write the sound of one stream to a WAV file, because somebody asked for it twice: 16 kHz, mono, 16 bits.

Thread ownership: ``take`` is called by the thread that drives the stream, ``close`` by any other; a lock keeps them apart.

Invariants: place n of the file is sample ``begin`` + n of the stream, so it fits the trajectory: sound that is missing, and
sound that came while the stream was paused, is silence here. Until it is closed the file is ``NAME.part``; it is whole, or
what was written until the disk was full.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import numpy as np
import soundfile

from stream_ser.audio.source import Item, Notice
from stream_ser.errors import FeedError
from stream_ser.export import atomic
from stream_ser.types import SAMPLE_RATE, Block

MOST = 17 * 3600 * SAMPLE_RATE  # samples: a WAV file's length has 32 bits
LONGEST_SILENCE = 60 * SAMPLE_RATE  # samples written at once


class SoundFile:
    """Made where the recording begins. Raises FeedError where the file cannot be made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.begin: int | None = None  # the stream's sample that is the file's first
        self.error: FeedError | None = None  # why it ends early, if it does
        self._part = path.with_name(path.name + ".part")
        self._lock = threading.Lock()
        self._written = 0
        try:
            self._file = soundfile.SoundFile(
                self._part, "w", samplerate=SAMPLE_RATE, channels=1, format="WAV", subtype="PCM_16"
            )
        except (OSError, soundfile.LibsndfileError) as error:
            raise FeedError(f"cannot write {path} ({error})", fix="press r again and give another name") from error

    def take(self, item: Item, withheld: bool) -> None:
        """Take what the stream takes next; ``withheld`` says that nobody may hear it."""
        if isinstance(item, Notice):
            return
        with self._lock:
            if self._file.closed or self.error is not None:
                return
            if self.begin is None:
                self.begin = item.start
            try:
                if isinstance(item, Block) and not withheld:
                    self._write(item.samples)
                else:
                    self._silence(item.end - item.start)
            except (OSError, soundfile.LibsndfileError) as error:
                self.error = FeedError(f"cannot write on to {self.path} ({error})", fix="make room on the disk")

    def close(self) -> bool:
        """Finish the file and give it its name; False where nothing was heard, and nothing is left then.

        Raises FeedError where the file ends early. Safe to call twice.
        """
        with self._lock:
            if not self._file.closed:
                with contextlib.suppress(OSError, soundfile.LibsndfileError):
                    self._file.close()
                try:
                    if self._written:
                        atomic.name(self._part, self.path)
                    else:
                        self._part.unlink()
                except OSError as error:
                    self.error = self.error or atomic.cannot_write(self.path, error)
        if self.error is not None:
            raise self.error
        return self._written > 0

    def _silence(self, samples: int) -> None:
        while samples > 0:
            length = min(samples, LONGEST_SILENCE)
            self._write(np.zeros(length, dtype=np.float32))
            samples -= length

    def _write(self, samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
        if self._written + len(samples) > MOST:
            raise OSError("a WAV file holds no more than 17 hours")
        self._file.write(samples)
        self._written += len(samples)
