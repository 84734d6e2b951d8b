from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def listening(virtual_mic: VirtualMicrophone, path: Path) -> Iterator[None]:
    """Another process hears, through our source and PortAudio, what happens meanwhile, and writes it to ``path``."""
    listener = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("capture_to_file.py")), str(path), "default"],
        env=virtual_mic.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "listening\n"
        yield
    finally:
        listener.communicate(timeout=20)
    assert listener.returncode == 0


@pytest.mark.parametrize("rate", [48_000, 16_000])
def test_what_is_played_is_what_our_source_hears(virtual_mic: VirtualMicrophone, tmp_path: Path, rate: int) -> None:
    tail = np.zeros(rate // 2, dtype=np.float32)  # what is played is heard a little later
    soundfile.write(tmp_path / "played.wav", np.concatenate([bursts(rate, 3.0), tail]), rate, subtype="FLOAT")
    with listening(virtual_mic, tmp_path / "heard.npz"):
        virtual_mic.play(tmp_path / "played.wav")
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


def test_a_device_that_hangs_leaves_a_gap_as_long_as_it_hung(virtual_mic: VirtualMicrophone, tmp_path: Path) -> None:
    with listening(virtual_mic, tmp_path / "heard.npz"):
        virtual_mic.freeze()
        frozen = time.monotonic()
        time.sleep(2.0)
        virtual_mic.thaw()
        hung = time.monotonic() - frozen
        time.sleep(1.5)
    heard = np.load(tmp_path / "heard.npz")
    gaps = heard["gaps"]
    missing = (gaps[:, 1] - gaps[:, 0]).sum() / 16_000
    assert hung - 0.25 <= missing <= hung + 1.0  # a busy machine opens it again later
    assert any("no sound from default" in text for text in heard["notices"])
    assert any("default is back" in text for text in heard["notices"])
    ends = heard["starts"] + heard["lengths"]
    passed = (heard["arrived_ns"][-1] - heard["arrived_ns"][0]) / 1e9
    assert (ends[-1] - ends[0]) / 16_000 == pytest.approx(passed, abs=0.15)  # the timeline kept up with the clock
