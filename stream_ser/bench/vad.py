"""Measure the voice activity detector: how much speech it misses, how much noise it lets in, and what it costs.

``python -m stream_ser.bench.vad --data DIR`` reads the corpora under DIR. A frame of speech is one within 25 dB of
its clip's loudest; those without speech by its decision are misses. Each clip comes after a reset, so every miss of an onset
counts. In background sound every open frame is a false accept; a clip with 0.6 s open could reach a label. ``webrtc``
rows put WebRTC's detector (pip install webrtcvad-wheels) behind the same hysteresis, for comparison.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from stream_ser.audio.silero_vad import CONTEXT, FRAME, silero
from stream_ser.audio.vad import Detector, Rows, VoiceActivityDetector
from stream_ser.types import SAMPLE_RATE, Samples

Row = dict[str, str]


class WebRtc:
    """WebRTC's detector at its strictest but one; a frame of 512 samples counts if most of its 10 ms pieces do."""

    def __init__(self) -> None:
        import webrtcvad

        self._vad: Any = webrtcvad.Vad(2)

    def encode(self, sound: Rows) -> Rows:
        """Return, for each frame, the share of its 10 ms pieces that WebRTC calls speech."""
        data = (sound[:, CONTEXT:] * 32767).astype("<i2")
        pieces = (slice(0, 160), slice(160, 320), slice(320, 480))
        shares = [np.mean([self._vad.is_speech(row[piece].tobytes(), SAMPLE_RATE) for piece in pieces]) for row in data]
        return np.array(shares, dtype=np.float32)[:, None]

    def step(self, encoded: Rows, memory: Rows) -> tuple[Rows, Rows]:
        """Return those shares: nothing but noise levels is remembered, and that inside the library."""
        return encoded[:, 0], memory


def rows(folder: Path) -> list[Row]:
    """Read the manifest of one corpus."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def material(root: Path) -> Iterator[tuple[str, list[Path], bool]]:
    """Yield (name, files, whether it is speech) for every set that has clips under ``root``."""
    for name, corpus, choose in (
        ("ravdess, 100 quietest", "ravdess", lambda rows: _by_level(rows)[:100]),
        ("ravdess, others", "ravdess", lambda rows: _by_level(rows)[100::14]),
        ("emodb, angry", "emodb", lambda rows: _angry(rows)[::2]),
        ("nemo, angry", "nemo", lambda rows: _angry(rows)[::10]),
        ("nemo, 75 quietest", "nemo", lambda rows: _by_level(rows)[:75]),
        ("esc10", "esc10", lambda rows: rows[::2]),
    ):
        if (root / corpus / "manifest.csv").is_file():
            files = [root / corpus / row["file"] for row in choose(rows(root / corpus))]
            if files:
                yield name, files, corpus != "esc10"


def open_frames(vad: VoiceActivityDetector, samples: Samples) -> npt.NDArray[np.bool_]:
    """Whether somebody speaks, by the detector, after each whole frame of a clip."""
    start = -(-vad.end // FRAME) * FRAME
    vad.reset(start)
    count = len(samples) // FRAME
    vad.push(start, samples)
    return np.array([vad.is_speech(start + (frame + 1) * FRAME) for frame in range(count)])


def loud_frames(samples: Samples, below_peak_db: float = 25.0) -> npt.NDArray[np.bool_]:
    """Frames within ``below_peak_db`` of the loudest."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    energy = np.square(frames).mean(axis=1)
    loud: npt.NDArray[np.bool_] = energy >= energy.max() * 10.0 ** (-below_peak_db / 10.0)
    return loud


def report(root: Path, detector: Callable[[], Detector], title: str) -> None:
    """Print one table row for each set."""
    vad = VoiceActivityDetector(detector=detector)
    for name, files, is_speech in material(root):
        shut = frames = clips = 0
        seconds = cost = 0.0
        for path in files:
            samples = soundfile.read(path, dtype="float32", always_2d=True)[0].mean(axis=1, dtype=np.float32)
            began = time.thread_time()
            opened = open_frames(vad, samples)
            cost += time.thread_time() - began
            seconds += len(samples) / SAMPLE_RATE
            judged = opened[loud_frames(samples)] if is_speech else opened
            frames += len(judged)
            shut += int((~judged).sum())
            clips += bool(opened.sum() * FRAME >= 0.6 * SAMPLE_RATE)
        wrong = f"missed {shut / frames:6.1%}" if is_speech else f"let in {1 - shut / frames:6.1%}"
        print(
            f"{title:8} {name:24} {len(files):4} clips  {wrong} of frames   "
            f"{clips / len(files):6.1%} of clips open for 0.6 s   {1000 * cost / seconds:5.2f} ms CPU per second"
        )


def _by_level(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: float(row["rms_dbfs"]))


def _angry(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["emotion"] == "angry"]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds ravdess, emodb, nemo, esc10")
    parser.add_argument("--compare", action="store_true", help="also measure WebRTC's detector")
    arguments = parser.parse_args()
    report(arguments.data, silero, "silero")
    if arguments.compare:
        report(arguments.data, WebRtc, "webrtc")


if __name__ == "__main__":
    main()
