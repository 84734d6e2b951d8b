from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_ser.audio.files.marks import HEAD, container_name, could_be_mp3


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
@pytest.mark.parametrize(
    ("name", "container", "subtype"),
    [
        ("WAV", "WAV", "PCM_16"),
        ("WAV", "RF64", "PCM_16"),
        ("FLAC", "FLAC", "PCM_16"),
        ("Ogg", "OGG", "OPUS"),
        ("MP3", "MP3", "MPEG_LAYER_III"),
        ("AIFF", "AIFF", "PCM_16"),
        ("CAF", "CAF", "PCM_16"),
    ],
)
def test_real_headers_are_known_by_name(tmp_path: Path, rate: int, name: str, container: str, subtype: str) -> None:
    if subtype == "OPUS" and rate == 44_100:
        pytest.skip("Opus has no 44.1 kHz")
    noise = np.random.default_rng(5).normal(0, 0.1, rate).astype(np.float32)
    soundfile.write(tmp_path / "a", noise, rate, format=container, subtype=subtype)
    head = (tmp_path / "a").read_bytes()[:HEAD]
    assert container_name(head) == name
    if name == "MP3":
        assert could_be_mp3(head)


def test_raw_samples_are_not_taken_for_a_container() -> None:
    rng = np.random.default_rng(6)
    for _ in range(2000):
        head = rng.integers(-3000, 3000, HEAD // 2).astype("<i2")
        head[0] = np.frombuffer(b"\xff\xfb", dtype="<i2")[0]  # a sample that looks like an MP3 frame
        assert container_name(head.tobytes()) is None
    assert container_name(b"") is None
    assert container_name(bytes(HEAD)) is None
    assert container_name(b"\xff" * HEAD) is None
