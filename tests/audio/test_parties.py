from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import soundfile

from stream_ser.audio.array import ArraySource
from stream_ser.audio.parties import PARTIES, SidedSource, check_parties
from stream_ser.audio.pipe import Pipe
from stream_ser.audio.recording import open_recording
from stream_ser.audio.source import Notice
from stream_ser.calls.events import Agents
from stream_ser.cli import parties as options
from stream_ser.errors import ConfigError, SourceError
from stream_ser.types import Block

RATE = 44_100  # not 16 kHz, so that each side has a resampler of its own


@pytest.fixture
def both() -> np.ndarray:
    """A second of two tones, one in each channel."""
    at = np.arange(RATE) / RATE
    return np.stack([0.3 * np.sin(2 * np.pi * hertz * at) for hertz in (300, 800)], axis=1).astype(np.float32)


def sides(source: SidedSource) -> dict[int, np.ndarray]:
    found: defaultdict[int, list[np.ndarray]] = defaultdict(list)
    for side, item in source.sides():
        if isinstance(item, Block):
            assert item.start == sum(map(len, found[side]))
            found[side].append(item.samples)
    return {side: np.concatenate(parts) for side, parts in found.items()}


def alone(channel: np.ndarray) -> np.ndarray:
    return sides(ArraySource(channel, RATE))[0]


def sources(both: np.ndarray, folder: Path, parties: str) -> list[SidedSource]:
    soundfile.write(folder / "a.wav", both, RATE, subtype="FLOAT")
    return [ArraySource(both, RATE, parties=parties), open_recording(folder / "a.wav", speed=None, parties=parties)]


@pytest.mark.parametrize(("parties", "channel"), [("left", 0), ("right", 1)])
def test_one_channel_alone_is_that_channel(both: np.ndarray, tmp_path: Path, parties: str, channel: int) -> None:
    for source in sources(both, tmp_path, parties):
        assert source.info.channel == channel + 1
        notices = [item.text for item in source if isinstance(item, Notice)]
        assert f"only the {parties} channel is heard" in notices
    for source in sources(both, tmp_path, parties):
        np.testing.assert_array_equal(sides(source)[0], alone(both[:, channel]))


def test_split_gives_each_channel_as_if_it_were_alone(both: np.ndarray, tmp_path: Path) -> None:
    for source in sources(both, tmp_path, "split"):
        found = sides(source)
        assert found.keys() == {0, 1}
        for channel in (0, 1):
            np.testing.assert_array_equal(found[channel], alone(both[:, channel]))


def test_a_source_that_is_split_is_not_iterated_as_one(both: np.ndarray, tmp_path: Path) -> None:
    for source in sources(both, tmp_path, "split"):
        with pytest.raises(ValueError, match="iterate sides"):
            iter(source)
        source.close()


def test_a_pipe_is_split_by_the_channels_it_was_said_to_have(both: np.ndarray) -> None:
    samples = (both[:8_000] * 32_767).astype("<i2")
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    assert os.write(writing, samples.tobytes()) == samples.nbytes
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        found = sides(Pipe(file, rate=RATE, channels=2, parties="split"))
    for channel in (0, 1):
        np.testing.assert_array_equal(found[channel], alone(samples[:, channel].copy()))


def test_a_seek_hears_the_same_channel(both: np.ndarray, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", both, RATE, subtype="FLOAT")
    first = open_recording(tmp_path / "a.wav", speed=None, parties="right")
    again = first.again(0.5, 2.0)
    first.close()
    assert (again.info.channel, again.speed, again.info.offset_s) == (2, 2.0, 0.5)
    again.close()


@pytest.mark.parametrize(("channels", "count"), [(1, "one channel"), (6, "6 channels")])
def test_other_than_two_channels_are_refused_by_name(tmp_path: Path, channels: int, count: str) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((RATE, channels)), RATE)
    with pytest.raises(SourceError, match=rf"a\.wav has {count}, and parties=split wants two"):
        open_recording(tmp_path / "a.wav", parties="split")
    assert check_parties("mix", channels, "it") == "mix"


def test_a_word_that_is_none_is_refused(both: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="parties='middle' is none of mix, left, right, split"):
        ArraySource(both, RATE, parties="middle")


def test_the_command_line_knows_the_same_words() -> None:
    assert options.PARTIES == PARTIES
    assert get_args(Agents) == options.AGENTS
