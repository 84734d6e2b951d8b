"""The bundled recording in many encodings and containers: ``python -m tests.audio.files.encodings`` prints docs' table.

Each is made here, in memory, and analysed as it is. The lag is where the heard sound correlates best with the recording's own.
An onset is a point at which a label begins; each of the recording's is looked for among the encoding's.
"""

from __future__ import annotations

import io
import sys

import numpy as np
import soundfile
import soxr

import stream_ser
from tests.audio.files.table import hear
from tests.audio.files.test_mpeg import bare
from tests.conftest import BUNDLED

HOP_S, CALLS_HOP_S = 0.25, 0.5  # of recordings, and of calls
MODEL = "whisper-voice-small"  # few of its labels are near a threshold: what differs is to be the encoding
RATE = 16_000
ENCODINGS: dict[str, tuple[str, str, int]] = {  # container, subtype, rate
    "FLAC": ("FLAC", "PCM_16", RATE),
    "WAV, 16 bits": ("WAV", "PCM_16", RATE),
    "WAV, 8 bits": ("WAV", "PCM_U8", RATE),
    "WAV, 24 bits": ("WAV", "PCM_24", RATE),
    "WAV, float": ("WAV", "FLOAT", RATE),
    "WAV, µ-law": ("WAV", "ULAW", RATE),
    "WAV, A-law": ("WAV", "ALAW", RATE),
    "WAV, IMA ADPCM": ("WAV", "IMA_ADPCM", RATE),
    "WAV, MS ADPCM": ("WAV", "MS_ADPCM", RATE),
    "WAV, 44.1 kHz": ("WAV", "PCM_16", 44_100),
    "WAV, 48 kHz": ("WAV", "PCM_16", 48_000),
    "RF64": ("RF64", "PCM_16", RATE),
    "W64": ("W64", "PCM_16", RATE),
    "AIFF": ("AIFF", "PCM_16", RATE),
    "AU, µ-law": ("AU", "ULAW", RATE),
    "CAF, ALAC": ("CAF", "ALAC_16", RATE),
    "NIST": ("NIST", "PCM_16", RATE),
    "VOC": ("VOC", "PCM_16", RATE),
    "Ogg Vorbis": ("OGG", "VORBIS", RATE),
    "Ogg Opus": ("OGG", "OPUS", RATE),
    "Ogg Opus, 48 kHz": ("OGG", "OPUS", 48_000),
    "MP3": ("MP3", "MPEG_LAYER_III", RATE),
    "MP3, 44.1 kHz": ("MP3", "MPEG_LAYER_III", 44_100),
    "MP3 without header": ("MP3", "MPEG_LAYER_III", RATE),
    "WAV, 8 kHz": ("WAV", "PCM_16", 8_000),
    "WAV, 8 kHz, µ-law": ("WAV", "ULAW", 8_000),
    "WAV, 8 kHz, GSM": ("WAV", "GSM610", 8_000),
    "WAV, 8 kHz, G.721": ("WAV", "G721_32", 8_000),
}


def encode(name: str, sound: np.ndarray) -> bytes:
    """A 16 kHz recording in one of ENCODINGS."""
    container, subtype, rate = ENCODINGS[name]
    file = io.BytesIO()
    samples = sound if rate == RATE else soxr.resample(sound, RATE, rate, quality="VHQ")
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return bare(file.getvalue()) if name == "MP3 without header" else file.getvalue()


def lag(heard: np.ndarray, sound: np.ndarray) -> int:
    """By how many samples it comes later."""
    size = 1 << (len(heard) + len(sound)).bit_length()
    found = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sound, size)))
    best = int(np.argmax(found))
    return best if best < size // 2 else best - size


def onsets(points: stream_ser.Trajectory) -> list[tuple[float, str]]:
    """When which label began to be told, after silence or behind another; doubt in between begins nothing anew."""
    found, before = [], None
    for point in points:
        if point.label is not None and point.label != before:
            found.append((point.t, point.label))
        if point.state != "uncertain":
            before = point.label
    return found


def compare(
    monitor: stream_ser.Monitor, name: str, sound: np.ndarray, hop_s: float = HOP_S
) -> tuple[int, int, float, int, int, float]:
    """Samples heard too many, lag, largest move of an onset in s, onsets found, onsets there, largest move of a share."""
    data = encode(name, sound)
    heard = hear(data)[0]
    told = monitor.analyze(data)
    plain = monitor.analyze(sound, rate=RATE)
    there = onsets(told)
    nearest = [min((abs(at - t) for t, other in there if other == label), default=99.0) for at, label in onsets(plain)]
    found = [move for move in nearest if move <= 4 * hop_s]
    share = max(abs(told.summary["share"][k] - part) for k, part in plain.summary["share"].items())
    return len(heard) - len(sound), lag(heard, sound), max(found, default=0.0), len(found), len(nearest), share


def main(model: str = MODEL) -> None:
    """Print the table, by a shipped model."""
    sound, _ = soundfile.read(BUNDLED, dtype="float32")
    hops = f"farthest, hop {HOP_S} s | hop {CALLS_HOP_S} s"
    print(
        f"| encoding | samples over | lag, samples | onsets found | {hops} | shares move |", "|---" * 7 + "|", sep="\n"
    )
    with (
        stream_ser.Monitor(model=model, hop=HOP_S) as monitor,
        stream_ser.Monitor(model=model, hop=CALLS_HOP_S) as of_calls,
    ):
        for name in ENCODINGS:
            over, late, farthest, found, there, share = compare(monitor, name, sound)
            coarse = compare(of_calls, name, sound, CALLS_HOP_S)[2]
            print(
                f"| {name} | {over} | {late} | {found} of {there} | {farthest:.2f} s | {coarse:.2f} s | "
                f"{100 * share:.1f} points |",
                flush=True,
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
