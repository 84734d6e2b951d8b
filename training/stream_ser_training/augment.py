"""Change sound in ways that leave what is heard of the emotion alone, so that the network cannot lean on the recording.

Every function but ``change_speed`` returns new samples of the same length, and each draws only from the generator that
it is given. Only training sound is augmented.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from stream_ser_models.config import Config
from stream_ser_training.corpora import SAMPLE_RATE, Samples


@dataclass(frozen=True)
class AugmentConfig(Config):
    """How often and how strongly; a recipe's ``[augment]`` table."""

    speed: float = 0.12  # tempo and pitch together, up to ± this share
    gain_db: float = 15.0
    tilt: float = 0.5  # spectral tilt of another microphone: first-order filter, coefficient up to ± this
    noise_share: float = 0.4  # share of windows with background sound
    noise_snr_db: tuple[float, ...] = (3.0, 30.0)
    floor_db: tuple[float, ...] = (-95.0, -55.0)  # white noise floor, dBFS
    telephone_share: float = 0.1  # share of windows passed through an 8 kHz line
    frequency_mask: int = 40  # bins
    time_mask: int = 25  # columns
    codec_share: float = 0.0  # share of windows coded by one of CODECS; Opus costs some 50 ms a window
    lines: float = (
        0.0  # share of copies whose voice speaks over a line of its own (``lines``); above 0 instead of the rest
    )
    equaliser_db: float = 10.0  # of such a line, up to ±
    voice_speed: float = 0.0  # tempo and pitch of a voice in all of one copy's clips, up to ±; ``speed`` comes on top


def change_speed(samples: Samples, config: AugmentConfig, rng: np.random.Generator, voice: float = 1.0) -> Samples:
    """Play faster or slower by linear interpolation: another vocal tract, another tempo; ``voice`` times that."""
    factor = voice * (1.0 + rng.uniform(-config.speed, config.speed))
    positions = np.arange(0.0, len(samples) - 1, factor)
    changed: Samples = np.interp(positions, np.arange(len(samples)), samples).astype(np.float32)
    return changed


def telephone(samples: Samples, quality: str = "LQ") -> Samples:
    """Keep what an 8 kHz µ-law line leaves (companding to 8 bits, no packet loss).

    ``quality`` is soxr's: LQ has lost 4 dB at 3.2 kHz and all at 3.7 kHz, HQ keeps what is below 3.7.
    """
    narrow = np.clip(soxr.resample(samples, SAMPLE_RATE, 8_000, quality=quality), -1.0, 1.0)
    level = np.round(np.sign(narrow) * np.log1p(255.0 * np.abs(narrow)) / np.log(256.0) * 127.0) / 127.0
    decoded = np.sign(level) * np.expm1(np.abs(level) * np.log(256.0)) / 255.0
    wide = soxr.resample(decoded, 8_000, SAMPLE_RATE, quality=quality).astype(np.float32)
    return np.resize(np.pad(wide, (0, max(0, len(samples) - len(wide)))), len(samples))


# Container, coding and rate of what libsndfile can code in memory. Opus runs at its lowest rate, some 10 kb/s.
CODECS: dict[str, tuple[str, str, int]] = {
    "gsm": ("WAV", "GSM610", 8_000),  # GSM 06.10 full rate, 13 kb/s: old mobile telephones
    "a_law": ("WAV", "ALAW", 8_000),  # G.711 A-law, 64 kb/s: European fixed lines
    "opus": ("OGG", "OPUS", SAMPLE_RATE),  # voice over the internet at its worst
}


def through_codec(samples: Samples, name: str) -> Samples:
    """Keep what one of ``CODECS`` leaves of the sound, without packet loss. Raises KeyError for an unknown name."""
    container, coding, rate = CODECS[name]
    sound = samples if rate == SAMPLE_RATE else soxr.resample(samples, SAMPLE_RATE, rate, quality="LQ")
    file = io.BytesIO()
    level = {"compression_level": 1.0} if coding == "OPUS" else {}
    soundfile.write(file, np.clip(sound, -1.0, 1.0), rate, format=container, subtype=coding, **level)
    file.seek(0)
    heard, _ = soundfile.read(file, dtype="float32")
    wide = heard if rate == SAMPLE_RATE else soxr.resample(heard, rate, SAMPLE_RATE, quality="LQ")
    kept: Samples = np.pad(wide[: len(samples)], (0, max(0, len(samples) - len(wide)))).astype(np.float32)
    return kept


def add_background(samples: Samples, noises: list[Samples], config: AugmentConfig, rng: np.random.Generator) -> Samples:
    """Mix in a random stretch of a random background sound at a random signal-to-noise ratio."""
    noise = noises[int(rng.integers(len(noises)))]
    start = int(rng.integers(max(1, len(noise) - len(samples))))
    stretch = np.resize(noise[start:], len(samples))
    level, power = float(np.mean(np.square(samples))), float(np.mean(np.square(stretch)))
    if level <= 0.0 or power <= 0.0:
        return samples
    lowest, highest = config.noise_snr_db
    snr = rng.uniform(lowest, highest)
    mixed: Samples = (samples + stretch * np.sqrt(level / power * 10.0 ** (-snr / 10.0))).astype(np.float32)
    return mixed


def augment(window: Samples, noises: list[Samples], config: AugmentConfig, rng: np.random.Generator) -> Samples:
    """Tilt, background, gain, telephone line, codec and noise floor, in the order in which real sound meets them.

    With ``codec_share`` at 0 nothing is drawn for codecs, so other recipes' windows stay what they were.
    """
    if rng.random() < 0.5:
        coefficient = np.float32(rng.uniform(-config.tilt, config.tilt))
        window = window - coefficient * np.concatenate(([np.float32(0.0)], window[:-1]))
    if noises and rng.random() < config.noise_share:
        window = add_background(window, noises, config, rng)
    window = window * np.float32(10.0 ** (rng.uniform(-config.gain_db, config.gain_db) / 20.0))
    if rng.random() < config.telephone_share:
        window = telephone(window)
    if config.codec_share and rng.random() < config.codec_share:
        window = through_codec(window, list(CODECS)[int(rng.integers(len(CODECS)))])
    quietest, loudest = config.floor_db
    floor = 10.0 ** (rng.uniform(quietest, loudest) / 20.0)
    window = window + rng.standard_normal(len(window), dtype=np.float32) * np.float32(floor)
    clipped: Samples = np.clip(window, -1.0, 1.0, dtype=np.float32)
    return clipped
