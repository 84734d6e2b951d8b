from __future__ import annotations

import io
import os
import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_ser.audio.pipe import Pipe
from stream_ser.audio.source import Notice
from stream_ser.errors import SourceError
from stream_ser.types import Block, Gap

fcntl = pytest.importorskip("fcntl", reason="a pipe can be polled on POSIX only")
termios = pytest.importorskip("termios", reason="a pipe can be polled on POSIX only")


@contextmanager
def written(data: bytes, chunk: int = 1_000) -> Iterator[io.BufferedReader]:
    """The reading end of a pipe into which a thread writes ``data`` piece by piece."""
    reading, writing = os.pipe()

    def write() -> None:
        try:
            for at in range(0, len(data), chunk):
                os.write(writing, data[at : at + chunk])
        except BrokenPipeError:
            pass
        finally:
            os.close(writing)

    thread = threading.Thread(target=write)
    thread.start()
    with os.fdopen(reading, "rb") as file:
        yield file
    thread.join()


def sound(items: list[object]) -> np.ndarray:
    return np.concatenate([item.samples for item in items if isinstance(item, Block)])


@pytest.mark.parametrize("chunk", [1, 7, 4096])
@pytest.mark.parametrize("encoding", ["s16le", "f32le"])
def test_raw_samples_come_out_as_they_went_in(encoding: str, chunk: int) -> None:
    values = np.random.default_rng(7).integers(-32768, 32767, 4000).astype("<i2")
    expected = values.astype(np.float32) / 32768
    data = values.tobytes() if encoding == "s16le" else expected.astype("<f4").tobytes()
    with written(data, chunk) as file:
        source = Pipe(file, rate=16_000, encoding=encoding)
        items = list(source)
    np.testing.assert_array_equal(sound(items), expected)
    assert all(isinstance(item, Block) for item in items)
    assert (source.info.kind, source.info.live, source.info.duration_s) == ("pipe", False, None)


def test_rate_and_channels_are_as_declared() -> None:
    values = np.random.default_rng(8).integers(-3000, 3000, (8_000, 2)).astype("<i2")
    with written(values.tobytes()) as file:
        items = list(Pipe(file, rate=8_000, channels=2))
    assert items[0] == Notice("info", "resampling 8000 Hz to 16000 Hz")
    assert len(sound(items)) == 16_000


def test_bytes_that_make_no_whole_frame_at_the_end_are_told() -> None:
    with written(np.ones((500, 2), dtype="<f4").tobytes() + b"abc") as file:
        items = list(Pipe(file, rate=16_000, channels=2, encoding="f32le"))
    assert len(sound(items)) == 500
    assert items[-1] == Notice("warning", "the last 3 of 8 bytes of a frame were dropped")


def test_values_that_are_not_numbers_become_a_gap_and_the_stream_goes_on() -> None:
    values = np.full(1000, 0.1, dtype="<f4")
    values[300:310] = np.nan
    with written(values.tobytes()) as file:
        items = [item for item in Pipe(file, rate=16_000, encoding="f32le") if not isinstance(item, Notice)]
    gaps = [(item.start, item.end) for item in items if isinstance(item, Gap)]
    assert (gaps[0][0], gaps[-1][1]) == (300, 310)
    assert items[-1].end == 1000


@pytest.mark.parametrize(
    ("container", "subtype", "name"),
    [("WAV", "PCM_16", "WAV"), ("FLAC", "PCM_16", "FLAC"), ("OGG", "VORBIS", "Ogg"), ("MP3", "MPEG_LAYER_III", "MP3")],
)
@pytest.mark.parametrize("chunk", [5, 4096])
def test_a_sound_file_is_refused_by_name(tmp_path: Path, container: str, subtype: str, name: str, chunk: int) -> None:
    noise = np.random.default_rng(9).normal(0, 0.1, 16_000).astype(np.float32)
    soundfile.write(tmp_path / "a", noise, 16_000, format=container, subtype=subtype)
    with (
        written((tmp_path / "a").read_bytes(), chunk) as file,
        pytest.raises(SourceError, match=rf"\({name}\)") as error,
    ):
        list(Pipe(file, rate=16_000))
    assert "stream-ser replay" in error.value.fix


def test_floats_at_the_scale_of_integers_are_refused() -> None:
    values = np.full(4_000, 0.5, dtype="<f4")
    values[2_000:] = -12_000
    with written(values.tobytes()) as file, pytest.raises(SourceError, match="float -12000, and full scale is 1"):
        list(Pipe(file, rate=16_000, encoding="f32le"))


@pytest.mark.parametrize("chunk", [8, 999, 4096])
def test_stereo_in_opposite_phase_is_heard_and_told(chunk: int) -> None:
    values = np.random.default_rng(8).normal(0, 0.1, 8_000).astype("<f4")
    with written(np.stack([values, -values], axis=1).tobytes(), chunk) as file:
        items = list(Pipe(file, rate=16_000, channels=2, encoding="f32le"))
    np.testing.assert_array_equal(sound(items)[320:], values[320:])
    assert sum("only channel 1 is heard" in item.text for item in items if isinstance(item, Notice)) == 1


def test_an_mp3_file_is_known_also_when_its_first_frame_comes_late(tmp_path: Path) -> None:
    noise = np.random.default_rng(9).normal(0, 0.1, 16_000).astype(np.float32)
    soundfile.write(tmp_path / "a", noise, 16_000, format="MP3", subtype="MPEG_LAYER_III")
    data = (tmp_path / "a").read_bytes()
    reading, writing = os.pipe()
    failures: list[str] = []

    def listen() -> None:
        try:
            list(Pipe(file, rate=16_000))
        except SourceError as error:
            failures.append(error.what)

    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb", buffering=0) as writer:
        writer.write(data[:20])
        thread = threading.Thread(target=listen)
        thread.start()
        deadline = time.monotonic() + 60
        while array("i", fcntl.ioctl(reading, termios.FIONREAD, b"1234"))[0] and time.monotonic() < deadline:
            time.sleep(0.001)
        writer.write(data[20:])
        thread.join(5.0)
    assert len(failures) == 1
    assert "(MP3)" in failures[0]


def test_samples_that_look_like_an_mp3_frame_are_still_samples() -> None:
    data = b"\xff\xfb" + bytes(2000)
    with written(data) as file:
        assert len(sound(list(Pipe(file, rate=16_000)))) == 1001


def test_an_empty_pipe_ends_quietly() -> None:
    with written(b"") as file:
        assert list(Pipe(file, rate=16_000)) == []


def test_a_plain_file_can_be_redirected_in(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(bytes(32_000))
    with (tmp_path / "raw").open("rb") as file:
        assert len(sound(list(Pipe(file, rate=16_000)))) == 16_000


def test_close_ends_a_stream_that_waits_for_a_silent_writer() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file:
        source = Pipe(file, rate=16_000)
        items: list[object] = []
        first = threading.Event()

        def run() -> None:
            for item in source:
                items.append(item)
                first.set()

        thread = threading.Thread(target=run)
        thread.start()
        os.write(writing, bytes(640))
        assert first.wait(5.0)
        source.close()
        source.close()
        thread.join(5.0)
        assert not thread.is_alive()
        assert len(items) == 1
        os.close(writing)


def test_closing_leaves_no_descriptor_behind() -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("this system does not list descriptors")
    before = count()
    with written(bytes(100)) as file:
        source = Pipe(file, rate=16_000)
        source.close()
        assert list(source) == []
        list(Pipe(file, rate=16_000))
    assert count() == before


@pytest.mark.parametrize(("rate", "channels"), [(0, 1), (16_000, 0)])
def test_impossible_declarations_are_refused(rate: int, channels: int) -> None:
    with written(b"") as file, pytest.raises(ValueError, match="cannot be"):
        Pipe(file, rate=rate, channels=channels)
