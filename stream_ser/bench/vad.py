"""Measure the voice activity detector: missed speech, words without an answer, noise that it lets in, and its cost.

``python -m stream_ser.bench.vad --data DIR`` reads the corpora under DIR and prints a row for each set of clips and
each way in which it may arrive: wideband, and through a telephone line (300 to 3400 Hz, µ-law at 8 kHz, brought back to 16 kHz
as calls are), each also 12 dB softer and louder (clipped), and with a constant offset of -23 dBFS, as it is and with the DC
blocker before the detector. ``--quick`` prints the first two ways alone.

Missed: frames within 25 dB of the clip's loudest, in the wideband clip, at which the detector is shut; and how many of them are
not counted as speech even once the detector has opened. Every clip comes after a reset, so every onset counts. No answer:
clips, in a stream between two seconds of digital silence, of which the schedule gives no window to a model of 2 s with a hop of
0.25 s; alone: the same for a clip that is a recording of its own. Of background sound: frames with the detector open, and clips
of which a window reaches the model. One-word sets (``emospeech``, ``baved``) are rows of their own.

``--half tune`` and ``--half report`` take half of the speakers each (of ESC-10 the recordings of folds 1 and 2, and the
others; of emospeech's unknown speakers the days): thresholds are chosen on the first half alone. ``--compare`` puts WebRTC's
detector (pip install webrtcvad-wheels) behind the same hysteresis.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from stream_ser.audio.dc_blocker import DcBlocker
from stream_ser.audio.silero_vad import CONTEXT, FRAME, silero
from stream_ser.audio.upsample_2x import Upsampler2x
from stream_ser.audio.vad import Detector, Rows, VoiceActivityDetector
from stream_ser.calls.protocols.g711 import mulaw_decode, mulaw_encode
from stream_ser.engine.schedule import WindowSchedule
from stream_ser.types import SAMPLE_RATE, Block, Samples

Row = dict[str, str]
Way = Callable[[Samples], Samples]
WINDOW, HOP = 2 * SAMPLE_RATE, SAMPLE_RATE // 4
VOCAL = ("Person sneeze", "Baby cry")  # of ESC-10: no speech, but a human voice
OFFSET = np.float32(10.0 ** (-23 / 20))
LINE = (300.0, 3400.0)  # Hz
UNKNOWN = "d14a028c2a3a"  # emospeech's name for all speakers that it does not know


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


def telephone(samples: Samples) -> Samples:
    """Sound (n,) through a narrow-band line: LINE, with edges 100 Hz and 200 Hz wide, µ-law at 8 kHz, and back to 16 kHz."""
    narrow = soxr.resample(samples, SAMPLE_RATE, SAMPLE_RATE // 2, quality="HQ")
    spectrum = np.fft.rfft(narrow)
    hertz = np.fft.rfftfreq(len(narrow), 2 / SAMPLE_RATE)
    spectrum *= np.clip((hertz - LINE[0] + 100) / 100, 0, 1) * np.clip((LINE[1] + 200 - hertz) / 200, 0, 1)
    band = np.fft.irfft(spectrum, len(narrow)).astype(np.float32)
    return Upsampler2x().resample_chunk(mulaw_decode(mulaw_encode(np.clip(band, -1, 1))), last=True)


def louder(decibels: float) -> Way:
    """Another level, clipped at full scale."""
    factor = np.float32(10.0 ** (decibels / 20.0))
    return lambda samples: np.clip(samples * factor, -1, 1, dtype=np.float32)


def offset(samples: Samples) -> Samples:
    """Add -23 dBFS of a constant, as cheap microphones do."""
    return samples + OFFSET


WAYS: dict[str, Way] = {
    "wideband": lambda samples: samples,
    "telephone": telephone,
    "wideband -12 dB": louder(-12),
    "wideband +12 dB": louder(12),
    "telephone -12 dB": lambda samples: telephone(louder(-12)(samples)),
    "telephone +12 dB": lambda samples: telephone(louder(12)(samples)),
    "wideband, DC": offset,
    "wideband, DC blocked": lambda samples: DcBlocker().push(offset(samples)),
}
QUICK = 2  # of them


def rows(folder: Path) -> list[Row]:
    """Read the manifest of one corpus."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def half(corpus: str, row: Row) -> str:
    """The half that a clip belongs to: ``tune`` or ``report``, never both for one speaker."""
    name = Path(row["file"]).name
    if corpus == "esc10":
        return "tune" if name[0] in "12" else "report"
    key = row["speaker"]
    if key == UNKNOWN:
        stamp = name.rsplit("-", 2)[1]  # a date, or seconds since 1970
        key = stamp[:8] if stamp.startswith("201") else stamp[:5]
    return "tune" if hashlib.sha1((corpus + key).encode()).digest()[0] % 2 == 0 else "report"


@dataclass(frozen=True)
class Set:
    """A row of the report: which clips of a corpus, and what they are."""

    name: str
    corpus: str
    choose: Callable[[list[Row]], list[Row]]
    is_speech: bool = True


def _thin(most: int) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: rows[:: max(1, len(rows) // most)][:most]


SETS = (
    Set("emospeech, one word", "emospeech", _thin(400)),
    Set("baved, one word", "baved", _thin(300)),
    Set("ravdess, quietest", "ravdess", lambda rows: _by_level(rows)[: len(rows) // 14]),
    Set("ravdess, others", "ravdess", lambda rows: _by_level(rows)[len(rows) // 14 :: 14]),
    Set("emodb", "emodb", _thin(120)),
    Set("nemo", "nemo", _thin(150)),
    Set("emotiontts", "emotiontts", _thin(150)),
    Set("crema_d", "crema_d", _thin(150)),
    Set("esc10, background", "esc10", lambda rows: [row for row in rows if row["sentence"] not in VOCAL], False),
    Set("esc10, sneezes, cries", "esc10", lambda rows: [row for row in rows if row["sentence"] in VOCAL], False),
)


def material(root: Path, which: str = "all") -> Iterator[tuple[Set, list[Path]]]:
    """Yield each set that lies under ``root`` and its files, of one half of the speakers or of all."""
    for each in SETS:
        if (root / each.corpus / "manifest.csv").is_file():
            of_half = [row for row in rows(root / each.corpus) if which in ("all", half(each.corpus, row))]
            yield each, [root / each.corpus / row["file"] for row in each.choose(of_half)]


def loud_frames(samples: Samples, below_peak_db: float = 25.0) -> npt.NDArray[np.bool_]:
    """Frames within ``below_peak_db`` of the loudest."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    energy = np.square(frames).mean(axis=1)
    loud: npt.NDArray[np.bool_] = energy >= energy.max() * 10.0 ** (-below_peak_db / 10.0)
    return loud


def answers(vad: VoiceActivityDetector, samples: Samples) -> bool:
    """Whether the model would be asked about a stream that is heard by a new ``vad``."""
    schedule = WindowSchedule("report", WINDOW, HOP, vad)
    hops = list(schedule.push(Block(0, samples)))
    return any(hop.window is not None for hop in hops) or schedule.finish() is not None


@dataclass
class Figures:
    """Sums over the clips of one row."""

    is_speech: bool
    clips: int = 0
    frames: int = 0  # that are judged
    open: int = 0
    counted: int = 0  # as speech, onsets too
    answered: int = 0
    alone: int = 0
    cpu_s: float = 0.0
    seconds: float = 0.0
    before: int = field(default=WINDOW // FRAME, init=False)  # frames of silence before a clip

    def add(self, detector: Callable[[], Detector], heard: Samples, loud: npt.NDArray[np.bool_]) -> None:
        """Let a new detector hear one clip between two silences, and another the clip alone."""
        silence = np.zeros(self.before * FRAME, dtype=np.float32)
        stream = np.concatenate([silence, heard, silence])
        vad = VoiceActivityDetector(detector=detector)
        began = time.thread_time()
        self.answered += answers(vad, stream)
        self.cpu_s += time.thread_time() - began
        self.seconds += len(heard) / SAMPLE_RATE
        ends = (self.before + np.flatnonzero(loud) + 1) * FRAME
        self.frames += len(ends)
        self.open += sum(vad.is_speech(int(end)) for end in ends)
        counted = [
            vad.speech_samples(int(end) - FRAME, vad.end) - vad.speech_samples(int(end), vad.end) for end in ends
        ]
        self.counted += sum(counted) // FRAME
        self.alone += answers(VoiceActivityDetector(detector=detector), heard)
        self.clips += 1

    def __str__(self) -> str:
        cost = f"{1000 * self.cpu_s / self.seconds:5.2f} ms CPU per second"
        if not self.is_speech:
            return (
                f"let in {self.open / self.frames:6.2%} of frames, {self.answered / self.clips:6.1%} of clips   {cost}"
            )
        missed, uncounted = 1 - self.open / self.frames, 1 - self.counted / self.frames
        nothing, alone = 1 - self.answered / self.clips, 1 - self.alone / self.clips
        return f"missed {missed:6.1%}, not counted {uncounted:6.1%}   no answer {nothing:6.1%}, alone {alone:6.1%}   {cost}"


def report(root: Path, detector: Callable[[], Detector], title: str, which: str, ways: list[str]) -> None:
    """Print one row for each set and each way in which it arrives."""
    for each, files in material(root, which):
        clips = [
            soundfile.read(path, dtype="float32", always_2d=True)[0].mean(axis=1, dtype=np.float32) for path in files
        ]
        for way in ways:
            figures = Figures(each.is_speech)
            for clip in clips:
                loud = loud_frames(clip) if each.is_speech else np.ones(len(clip) // FRAME, dtype=np.bool_)
                figures.add(detector, WAYS[way](clip), loud)
            print(f"{title:7} {each.name:22} {len(clips):4} clips  {way:20}  {figures}", flush=True)


def _by_level(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: float(row["rms_dbfs"]))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds ravdess, emodb, baved, esc10 …")
    parser.add_argument("--half", choices=("all", "tune", "report"), default="all", help="whose voices (default: all)")
    parser.add_argument("--quick", action="store_true", help="wideband and telephone alone")
    parser.add_argument("--compare", action="store_true", help="also measure WebRTC's detector")
    arguments = parser.parse_args()
    ways = list(WAYS)[: QUICK if arguments.quick else len(WAYS)]
    report(arguments.data, silero, "silero", arguments.half, ways)
    if arguments.compare:
        report(arguments.data, WebRtc, "webrtc", arguments.half, ways)


if __name__ == "__main__":
    main()
