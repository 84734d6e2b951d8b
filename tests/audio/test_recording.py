from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_ser.audio.recording import Recording, open_recording
from stream_ser.audio.source import Notice
from stream_ser.errors import SourceError
from stream_ser.types import Block

from .fakes import SECOND, VirtualClock

FORMATS = {
    "pcm.wav": ("WAV", "PCM_16"),
    "float.wav": ("WAV", "FLOAT"),
    "extensible.wav": ("WAVEX", "PCM_24"),
    "a.flac": ("FLAC", "PCM_16"),
    "vorbis.ogg": ("OGG", "VORBIS"),
    "opus.ogg": ("OGG", "OPUS"),
    "a.mp3": ("MP3", "MPEG_LAYER_III"),
}


def tone(seconds: float, rate: int = 16_000) -> np.ndarray:
    """A gliding tone, which every codec can carry."""
    at = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * (300 + 200 * at) * at)).astype(np.float32)


def make(folder: Path, name: str, samples: np.ndarray, rate: int = 16_000) -> Path:
    container, subtype = FORMATS[name]
    soundfile.write(folder / name, samples, rate, format=container, subtype=subtype)
    return folder / name


def play(recording: Recording) -> tuple[np.ndarray, list[Notice]]:
    """All samples, after checking that the blocks join; and the notices."""
    blocks, notices, end = [], [], 0
    for item in recording:
        if isinstance(item, Notice):
            notices.append(item)
            continue
        assert isinstance(item, Block)
        assert item.start == end
        end = item.end
        blocks.append(item.samples)
    return np.concatenate(blocks), notices


def until_error(recording: Recording) -> tuple[int, SourceError]:
    """How many samples came before the stream failed, and how."""
    end = 0
    try:
        for item in recording:
            if isinstance(item, Block):
                end = item.end
    except SourceError as error:
        return end, error
    raise AssertionError("the stream ended without an error")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_what_reading_it_at_once_gives(tmp_path: Path, name: str) -> None:
    path = make(tmp_path, name, tone(1.5))
    expected, _ = soundfile.read(path, dtype="float32")
    recording = open_recording(path, speed=None)
    assert recording.info.duration_s == pytest.approx(1.5)
    assert (recording.info.kind, recording.info.name, recording.info.live) == ("recording", name, False)
    samples, notices = play(recording)
    if name == "a.mp3":  # its decoder's own blocks end elsewhere; measured difference 6e-8
        np.testing.assert_allclose(samples, expected, atol=1e-6)
    else:
        np.testing.assert_array_equal(samples, expected)
    assert notices == []


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (44_100, 2), (48_000, 6), (96_000, 1)])
def test_any_rate_and_channel_count_is_brought_to_16_khz_mono(tmp_path: Path, rate: int, channels: int) -> None:
    path = make(tmp_path, "pcm.wav", np.repeat(tone(0.8, rate)[:, None], channels, axis=1), rate)
    samples, notices = play(open_recording(path, speed=None))
    assert len(samples) == 12_800
    np.testing.assert_allclose(samples[400:-400], tone(0.8)[400:-400], atol=2e-3)
    assert Notice("info", f"resampling {rate} Hz to 16000 Hz") in notices
    assert len(notices) == 1 + (channels > 1)


def test_the_pace_is_absolute_and_changes_nothing_else(tmp_path: Path) -> None:
    path = make(tmp_path, "pcm.wav", tone(1.01, 44_100), 44_100)
    unpaced = [item for item in open_recording(path, speed=None) if isinstance(item, Block)]
    for speed in (0.5, 1.0, 10.0):
        clock = VirtualClock()
        began = clock.now_ns()
        blocks = []
        for item in open_recording(path, speed=speed, clock=clock):
            if isinstance(item, Block):
                blocks.append(item)
                clock._now += 7_000_000  # a slow listener must not delay what comes after
        assert [block.start for block in blocks] == [block.start for block in unpaced]
        for paced, free in zip(blocks, unpaced, strict=True):
            np.testing.assert_array_equal(paced.samples, free.samples)
        if speed == 1.0:
            assert clock.now_ns() - began == pytest.approx(1.01 * SECOND, abs=0.03 * SECOND)


def test_no_block_is_early_and_none_drifts(tmp_path: Path) -> None:
    path = make(tmp_path, "pcm.wav", tone(3.0))
    clock = VirtualClock()
    began = clock.now_ns()
    for item in open_recording(path, speed=3.0, clock=clock):
        assert isinstance(item, Block)
        assert item.arrived_ns - began == pytest.approx(item.end / 16_000 / 3.0 * SECOND, abs=2)


def test_another_speed_goes_on_from_what_is_due_and_gives_the_same_sound(tmp_path: Path) -> None:
    path = make(tmp_path, "pcm.wav", tone(3.0))
    clock = VirtualClock()
    recording = open_recording(path, speed=1.0, clock=clock)
    blocks: list[Block] = []
    for item in recording:
        assert isinstance(item, Block)
        blocks.append(item)
        if item.end == 16_000:
            recording.set_speed(10.0)
        elif item.end == 32_000:
            recording.set_speed(0.5)
    at = {block.end: block.arrived_ns for block in blocks}
    assert at[32_000] - at[16_000] == pytest.approx(0.1 * SECOND, abs=10)
    assert at[48_000] - at[32_000] == pytest.approx(2.0 * SECOND, abs=10)
    assert recording.speed == 0.5
    np.testing.assert_array_equal(
        np.concatenate([b.samples for b in blocks]), play(open_recording(path, speed=None))[0]
    )


def test_the_speed_may_change_while_nothing_is_due_or_all_is(tmp_path: Path) -> None:
    clock = VirtualClock()
    recording = open_recording(make(tmp_path, "pcm.wav", tone(2.0)), speed=None, clock=clock)
    recording.set_speed(1.0)
    recording.set_speed(2.0)
    items = iter(recording)
    first = next(items)
    assert isinstance(first, Block)
    recording.pause()
    clock.at(clock.now_ns() + 9 * SECOND, lambda: recording.set_speed(1.0))
    clock.at(clock.now_ns() + 60 * SECOND, recording.resume)
    second = next(items)
    assert isinstance(second, Block)
    assert second.arrived_ns - first.arrived_ns == pytest.approx(60 * SECOND + 50_000_000, abs=10)


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("a.mp3", "opus.ogg")])
def test_a_recording_begins_where_it_is_told_to(tmp_path: Path, name: str) -> None:
    path = make(tmp_path, name, tone(1.5))
    whole, _ = play(open_recording(path, speed=None))
    recording = open_recording(path, speed=None, begin_s=0.5)
    assert (recording.info.offset_s, recording.info.duration_s) == (0.5, 1.5)
    rest, _ = play(recording)
    np.testing.assert_allclose(rest, whole[8_000:], atol=1e-6)


@pytest.mark.parametrize("name", ["a.mp3", "opus.ogg"])
def test_where_a_codec_begins_anew_the_place_is_right_all_the_same(tmp_path: Path, name: str) -> None:
    path = make(tmp_path, name, tone(3.0))
    whole, _ = play(open_recording(path, speed=None))
    rest, _ = play(open_recording(path, speed=None, begin_s=1.5))
    assert len(rest) == len(whole) - 24_000
    np.testing.assert_allclose(rest[2_000:], whole[26_000:], atol=0.02)


def test_a_place_beyond_the_end_is_just_before_it(tmp_path: Path) -> None:
    path = make(tmp_path, "pcm.wav", tone(1.5))
    assert len(play(open_recording(path, speed=None, begin_s=99.0))[0]) == 400
    assert open_recording(path, begin_s=-1.0).info.offset_s == 0.0


def test_pause_holds_the_stream_and_resume_goes_on(tmp_path: Path) -> None:
    clock = VirtualClock()
    recording = open_recording(make(tmp_path, "pcm.wav", tone(1.0)), speed=1.0, clock=clock)
    items = iter(recording)
    first = next(items)
    assert isinstance(first, Block)
    recording.pause()
    recording.pause()
    clock.at(clock.now_ns() + 60 * SECOND, recording.resume)
    second = next(items)
    assert isinstance(second, Block)
    assert second.start == first.end
    assert second.arrived_ns - first.arrived_ns == 60 * SECOND + 50_000_000
    assert sum(len(item.samples) for item in items if isinstance(item, Block)) == 16_000 - 1_600


def test_a_speed_must_be_positive(tmp_path: Path) -> None:
    path = make(tmp_path, "pcm.wav", tone(0.1))
    for speed in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="speed"):
            open_recording(path, speed=speed)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "extensible.wav"])
@pytest.mark.parametrize("share", [0.97, 0.5])
def test_a_file_that_was_cut_off_is_played_as_far_as_it_goes_and_then_told(
    tmp_path: Path, name: str, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(10).normal(0, 0.1, 64_000)  # compresses badly, so that an Ogg file has several pages
    path = make(tmp_path, name, tone(4.0) + noise.astype(np.float32))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    recording = open_recording(path, speed=None)
    heard, error = until_error(recording)
    assert "is cut off" in error.what
    assert 0 < heard < 64_000
    assert f"only {heard / 16_000:.3f} s can be read" in error.what
    if "ogg" not in name:
        assert "promises 4.000 s" in error.what
    capfd.readouterr()  # libmpg123 prints of itself


def test_a_wav_file_whose_writer_could_not_seek_back_is_whole(tmp_path: Path) -> None:
    for size in (0xFFFF_FFFF, 0x7FFF_FFFF):
        path = make(tmp_path, "pcm.wav", tone(1.0))
        data = bytearray(path.read_bytes())
        data[4:8] = data[40:44] = struct.pack("<I", size)
        path.write_bytes(data)
        samples, _ = play(open_recording(path, speed=None))
        assert len(samples) == 16_000


@pytest.mark.parametrize(("value", "text"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_a_value_that_is_not_a_number_ends_the_stream_at_its_place(tmp_path: Path, value: float, text: str) -> None:
    frames = np.repeat(tone(1.0, 48_000)[:, None], 2, axis=1)
    frames[24_007, 1] = value
    recording = open_recording(make(tmp_path, "float.wav", frames, 48_000), speed=None)
    heard, error = until_error(recording)
    assert f"holds the value {text} at 0.500146 s" in error.what
    assert heard == 8_002


def test_floats_at_the_scale_of_integers_are_refused_before_anything_is_heard(tmp_path: Path) -> None:
    path = make(tmp_path, "float.wav", 32_767 * tone(1.0))
    with pytest.raises(
        SourceError, match=r"holds the float .* and full scale is 1; divide by full scale.*-af volume=1/32768"
    ):
        open_recording(path)
    late = np.concatenate([tone(12.0), 32_767 * tone(1.0)])
    heard, error = until_error(open_recording(make(tmp_path, "float.wav", late), speed=None))
    assert 12 * 16_000 <= heard < 12 * 16_000 + 100
    assert "and full scale is 1" in error.what


def test_floats_of_a_hot_mix_are_heard_as_they_are(tmp_path: Path) -> None:
    hot = 10 * tone(1.0)
    np.testing.assert_array_equal(play(open_recording(make(tmp_path, "float.wav", hot), speed=None))[0], hot)


def test_stereo_in_opposite_phase_is_heard_and_told(tmp_path: Path) -> None:
    sound = tone(1.0)
    for block in (160, 800, 16_000):
        path = make(tmp_path, "float.wav", np.stack([sound, -0.98 * sound], axis=1))
        heard, notices = play(open_recording(path, speed=None, block=block))
        np.testing.assert_array_equal(heard[320:], sound[320:])
        assert [n.level for n in notices if "only channel 1 is heard" in n.text] == ["warning"]


def test_files_that_cannot_be_played_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "talk.wav").write_text("this is not sound " * 50)
    os.mkfifo(tmp_path / "fifo")
    make(tmp_path, "pcm.wav", tone(0.0))
    for name, words in {
        "missing.wav": "there is no file",
        ".": "is a folder",
        "fifo": "is not a regular file",
        "empty.wav": "is empty",
        "talk.wav": "is not a sound file",
        "pcm.wav": "has a header but no samples",
    }.items():
        with pytest.raises(SourceError, match=words) as error:
            open_recording(tmp_path / name)
        assert "\n" not in str(error.value)
        assert error.value.fix


def test_a_name_that_is_not_utf_8_is_told_in_one_line_that_can_be_written_anywhere(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.wav"
    try:
        make(tmp_path, "pcm.wav", tone(1.0)).rename(os.fsdecode(name))
    except (OSError, UnicodeError):
        pytest.skip("this file system takes text only")
    with pytest.raises(SourceError, match="is not UTF-8; give it another name") as error:
        open_recording(os.fsdecode(name))
    assert str(error.value).encode()


def test_a_file_of_one_sample_says_how_long_it_is_and_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds 1 sample \(0\.06 ms at 16000 Hz\).*at least 25 ms"):
        open_recording(make(tmp_path, "pcm.wav", tone(1 / 16_000)))
    assert len(play(open_recording(make(tmp_path, "pcm.wav", tone(0.025)), speed=None))[0]) == 400
