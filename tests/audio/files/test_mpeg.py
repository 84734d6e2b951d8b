from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile

from stream_ser.audio.files.extents import Extents
from stream_ser.audio.files.mpeg import frame_of, plan_mpeg
from stream_ser.audio.recording import open_recording
from stream_ser.types import Block

from .defects import made, noise
from .table import hear

ID3 = b"ID3\x04\0\0" + bytes((0, 0, 7, 0x68)) + b"\0" * 1000  # 1000 bytes, written seven bits to a byte
ID3V1 = b"TAG" + bytes(125)
APE = (
    b"APETAGEX" + bytes((208, 7, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xA0)) + bytes(8 + 32)
)  # a header and a footer
DELAY = 529  # of every MP3 decoder


def encoded(samples: np.ndarray, rate: int = 16_000, level: float = 0.5, mode: str = "CONSTANT") -> bytes:
    """An MP3 file with its Xing or Info header."""
    file = io.BytesIO()
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with soundfile.SoundFile(
        file,
        "w",
        rate,
        channels,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=level,
        bitrate_mode=mode,
    ) as sound:
        sound.write(samples)
    return file.getvalue()


def bare(data: bytes) -> bytes:
    """The same without the header, as an encoder writes it that cannot go back."""
    first = frame_of(data[:4])
    assert first is not None
    written = data[4 + first.side :][:4] in (b"Xing", b"Info")  # not where a frame is too small for it
    return data[first.size :] if written else data


def frames(data: bytes) -> int:
    """Frames of sound, counted one after the other."""
    at = count = 0
    while (frame := frame_of(data[at : at + 4])) is not None:
        at, count = at + frame.size, count + 1
    assert at == len(data)
    return count


def samples_of(data: bytes) -> int:
    frame = frame_of(data[:4])
    assert frame is not None
    return frames(data) * frame.samples - DELAY


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_all_frames_are_heard_without_a_header_whatever_the_first_ones_promise(rate: int) -> None:
    quiet_then_loud = np.concatenate([noise(2.0, rate) * 1e-3, noise(2.0, rate, seed=4)])
    data = bare(encoded(quiet_then_loud, rate, mode="VARIABLE"))
    heard, notices, failure = hear(data)
    assert failure is None
    assert len(heard) == round(samples_of(data) * 16_000 / rate)
    assert not [notice for notice in notices if notice.level == "warning"]
    loud = np.abs(heard) > 0.05
    assert loud[40_000:60_000].mean() > 0.3


def test_a_slow_part_before_a_fast_one_is_not_called_cut_off() -> None:
    data = bare(encoded(noise(), level=0.9)) + bare(encoded(noise(seed=5), level=0.0))
    assert soundfile.info(io.BytesIO(data)).frames > 2 * samples_of(data) * 0.6
    heard, _, failure = hear(data)
    assert failure is None
    assert len(heard) == samples_of(data)


@pytest.mark.parametrize("front", [b"", ID3], ids=["bare", "ID3"])
@pytest.mark.parametrize("behind", [b"", ID3V1, APE], ids=["bare", "ID3v1", "APE"])
def test_tags_are_no_sound(front: bytes, behind: bytes) -> None:
    data = bare(encoded(noise()))
    heard, notices, failure = hear(front + data + behind)
    assert failure is None
    assert len(heard) == samples_of(data)
    assert notices == []


def test_files_joined_behind_headers_are_all_heard_to_the_sample() -> None:
    first, second = encoded(noise(1.5)), encoded(noise(1.0, seed=6))
    heard, notices, failure = hear(first + ID3 + second + ID3V1)
    assert failure is None
    assert len(heard) == 24_000 + 16_000
    assert any("holds 2 recordings" in notice.text for notice in notices)
    np.testing.assert_allclose(heard[:24_000], hear(first)[0], atol=1e-6)
    np.testing.assert_allclose(heard[24_000:], hear(second)[0], atol=1e-6)


def test_a_file_joined_behind_another_rate_is_told_with_its_place() -> None:
    heard, _, failure = hear(encoded(noise(1.5)) + encoded(noise(1.0, 44_100), 44_100))
    assert len(heard) == 24_000
    assert failure is not None
    assert "from 1.500 s" in failure.what
    assert "44100 Hz behind one at 16000 Hz" in failure.what


def test_a_header_that_promises_too_little_is_corrected() -> None:
    data = encoded(noise())
    first = frame_of(data[:4])
    assert first is not None
    at = 4 + first.side + 8
    short = data[:at] + (20).to_bytes(4, "big") + data[at + 4 :]
    heard, notices, failure = hear(short)
    assert failure is None
    assert abs(len(heard) - 32_000) <= first.samples + DELAY
    assert any("promises 20 MP3 frames" in notice.text for notice in notices)


def test_bytes_between_frames_are_passed_over_and_told() -> None:
    data = bare(encoded(noise()))
    place = 0
    for _ in range(20):
        frame = frame_of(data[place : place + 4])
        assert frame is not None
        place += frame.size
    heard, notices, failure = hear(data[:place] + b"\x55" * 3000 + data[place:])
    assert failure is None
    np.testing.assert_allclose(heard, hear(data)[0], atol=1e-6)
    assert any("3000 bytes" in notice.text for notice in notices)


def test_bytes_that_look_like_frames_are_not_taken_for_them() -> None:
    data = bare(encoded(noise()))
    rubbish = np.random.default_rng(9).bytes(2_000_000)
    plan = plan_mpeg(io.BytesIO(data + rubbish + data), 0, 2 * len(data) + len(rubbish))
    assert plan is not None
    assert "2000000 bytes" in plan.notices[0]


def test_a_last_frame_that_is_not_whole_is_cut_off() -> None:
    data = bare(encoded(noise()))
    heard, _, failure = hear(data[:-10])
    assert failure is not None
    assert "its last MP3 frame has" in failure.what
    assert len(heard) == samples_of(data) - 576


def test_a_place_in_a_file_without_a_header_is_right() -> None:
    data = bare(encoded(noise(3.0), mode="VARIABLE"))
    whole = hear(data)[0]
    blocks = [
        item.samples for item in open_recording("a", speed=None, content=data, begin_s=1.5) if isinstance(item, Block)
    ]
    rest = np.concatenate(blocks)
    assert len(rest) == len(whole) - 24_000
    np.testing.assert_allclose(rest[2_000:], whole[26_000:], atol=0.02)


def test_frames_of_every_kind_have_their_sizes() -> None:
    # ISO 11172-3: 128 kb/s at 44.1 kHz gives 417 bytes and one of padding; layer II the same; layer I counts words of four
    assert [frame_of(bytes(head)).size for head in ((255, 251, 0x90, 0), (255, 251, 0x92, 0), (255, 253, 0x80, 0))] == [
        417,
        418,
        417,
    ]
    for head in (
        b"\xff\xfb\x00\x00",
        b"\xff\xfb\xf0\x00",
        b"\xff\xfb\x9c\x00",
        b"\xff\xeb\x90\x00",
        b"\xff\xf9\x90\x00",
    ):
        assert frame_of(head) is None
    assert plan_mpeg(io.BytesIO(bytes(3000)), 0, 3000) is None


def test_extents_are_read_as_one_file() -> None:
    file = Extents(io.BytesIO(b"0123456789"), ((2, 5), b"ab", (0, 0), (9, 10)))
    assert file.read() == b"234ab9"
    assert file.seek(-3, 2) == 3
    assert file.read(2) == b"ab"
    assert file.read(9) == b"9"
    assert file.read(9) == b""
    assert file.seek(99) == 99
    assert file.read(1) == b""


def test_the_whole_file_is_left_as_it_is_where_its_header_is_right() -> None:
    data = made("MP3")
    plan = plan_mpeg(io.BytesIO(data), 0, len(data))
    assert plan is not None
    assert plan.parts[0].pieces is None
    assert plan.notices == ()


def test_layer_ii_is_read_to_its_last_frame_whatever_the_first_ones_are() -> None:
    fast, slow = (bytes((0xFF, 0xFD, rate << 4 | 0x04, 0xC4)) for rate in (9, 1))  # 160 and 32 kb/s at 48 kHz, mono
    sizes = [frame.size for frame in (frame_of(fast), frame_of(slow)) if frame is not None]
    assert sizes == [480, 96]
    quick, quiet = fast + bytes(476), slow + bytes(92)  # no bits for any band: silence
    for data in (20 * quick + 200 * quiet, 200 * quiet + 20 * quick):
        heard, notices, failure = hear(data)
        assert failure is None
        assert len(heard) == 220 * 1_152 // 3
        assert [notice.level for notice in notices] == ["info"]


def test_mp3_in_a_wav_file_is_counted_too() -> None:
    data = bare(encoded(noise()))
    form = struct.pack("<HHIIHHHHIHHH", 0x55, 1, 16_000, 4_000, 1, 0, 12, 1, 2, 288, 1, 1_105)
    head = b"RIFF" + struct.pack("<I", 0) + b"WAVEfmt " + struct.pack("<I", len(form)) + form
    heard, notices, failure = hear(head + b"data" + struct.pack("<I", len(data)) + data)
    assert (len(heard), notices, failure) == (samples_of(data), [], None)
    heard, _, failure = hear(head + b"data" + struct.pack("<I", 2 * len(data)) + data)
    assert len(heard) == samples_of(data)
    assert failure is not None
    assert "is cut off: its header promises" in failure.what


@pytest.mark.parametrize("data", [encoded(noise())[:-40], 2 * encoded(noise())], ids=["cut off", "joined"])
def test_the_decoder_writes_nothing_to_stderr_of_headers_that_say_too_much(
    data: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    hear(data)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("frames_before", [0, 3])
def test_only_what_lies_between_frames_is_told(frames_before: int) -> None:
    """What comes before the first one may be a container's or a broadcast's, and nothing of the sound is missing."""
    data, place = bare(encoded(noise())), 0
    for _ in range(frames_before):
        frame = frame_of(data[place : place + 4])
        assert frame is not None
        place += frame.size
    odd = data[:place] + b"\x55" * 300 + data[place:]
    plan = plan_mpeg(io.BytesIO(odd), 0, len(odd))
    assert plan is not None
    assert [notice.partition(" ")[0] for notice in plan.notices] == ["300"] * bool(frames_before)
