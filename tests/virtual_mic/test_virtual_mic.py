from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_ser.audio.recording import open_recording
from stream_ser.types import Block

from .virtual_mic import VirtualMicrophone

pytestmark = pytest.mark.virtual_mic


def correlation(heard: np.ndarray, played: np.ndarray) -> tuple[float, int]:
    """The best normalised correlation of ``played`` with a stretch of ``heard``, and where it begins."""
    size = 1 << (len(heard) + len(played)).bit_length()
    products = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(played, size)), size)
    lag = int(np.argmax(products[: len(heard) - len(played) + 1]))
    stretch = heard[lag : lag + len(played)]
    return float(np.dot(stretch, played) / np.linalg.norm(stretch) / np.linalg.norm(played)), lag


def bursts(rate: int, seconds: float) -> np.ndarray:
    """Bursts of a gliding harmonic sound with pauses, about as wide as speech."""
    at = np.arange(round(seconds * rate)) / rate
    pitch = 2 * np.pi * np.cumsum(140 + 40 * np.sin(2 * np.pi * 0.7 * at)) / rate
    voice = sum(np.sin(n * pitch) / n for n in range(1, 25))
    return (0.1 * voice * np.clip(np.sin(2 * np.pi * 1.3 * at), 0, None)).astype(np.float32)


@pytest.mark.parametrize("rate", [48_000, 16_000])
def test_what_is_played_is_what_our_source_hears(virtual_mic: VirtualMicrophone, tmp_path: Path, rate: int) -> None:
    tail = np.zeros(rate // 2, dtype=np.float32)  # what is played is heard a little later
    soundfile.write(tmp_path / "played.wav", np.concatenate([bursts(rate, 3.0), tail]), rate, subtype="FLOAT")
    program = Path(__file__).with_name("capture_to_file.py")
    listener = subprocess.Popen(
        [sys.executable, str(program), str(tmp_path / "heard.npz"), "default"],
        env=virtual_mic.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "listening\n"
        virtual_mic.play(tmp_path / "played.wav")
    finally:
        listener.communicate(timeout=20)
    assert listener.returncode == 0
    heard = np.load(tmp_path / "heard.npz")
    played = np.concatenate(
        [item.samples for item in open_recording(tmp_path / "played.wav", speed=None) if isinstance(item, Block)]
    )[: 3 * 16_000]
    assert heard["gaps"].tolist() == []
    assert heard["starts"][0] == 0
    np.testing.assert_array_equal(heard["starts"][1:], np.cumsum(heard["lengths"])[:-1])
    similarity, lag = correlation(heard["samples"], played)
    assert similarity >= 0.99
    cost_ms = 1000 * float(heard["cpu_s"]) / (len(heard["samples"]) / 16_000)
    print(f"correlation {similarity:.5f} at {lag / 16_000:.3f} s, {cost_ms:.1f} ms CPU per second of sound")
