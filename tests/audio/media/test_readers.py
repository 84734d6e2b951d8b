"""Media files are heard whole and at their place, through PyAV and through the ffmpeg program, or refused by name."""

from __future__ import annotations

import shutil
import struct
import sys
import tracemalloc

import numpy as np
import pytest
import soxr

from stream_ser.audio.recording import open_recording
from stream_ser.errors import SourceError
from stream_ser.types import Block

from .sounds import KINDS, RATE, Kind, clicks, encode, hear, lag

SHIFT = 320  # samples, 20 ms
SECONDS = 3.0
ROOM = 0.13 * RATE  # of a codec's padding at the end, where the file does not say where its sound ends
EXACT = {
    "a.m4a",
    "16k.m4a",
    "lossless.m4a",
    "fragmented.mp4",
    "no-edit-list.mp4",
    "opus.mp4",
    "a.mov",
    "pcm.mov",
    "aac.3gp",
}


@pytest.fixture(scope="module")
def track() -> np.ndarray:
    return clicks(SECONDS)


@pytest.fixture(scope="module")
def files(track: np.ndarray) -> dict[str, bytes]:
    return {name: encode(kind, soxr.resample(track, 48_000, kind.rate)) for name, kind in KINDS.items()}


@pytest.fixture(scope="module")
def plain(track: np.ndarray) -> np.ndarray:
    return soxr.resample(track, 48_000, RATE)


@pytest.fixture(params=["PyAV", "ffmpeg"])
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "ffmpeg":
        if not (shutil.which("ffmpeg") and shutil.which("ffprobe")):
            pytest.skip("there is no ffmpeg on the PATH")
        monkeypatch.setitem(sys.modules, "av", None)  # as where it is not installed
    return request.param


@pytest.mark.parametrize("name", KINDS)
def test_clicks_are_heard_where_they_are(files: dict[str, bytes], plain: np.ndarray, decoder: str, name: str) -> None:
    heard = hear(name, files[name])
    assert heard.failure is None
    assert heard.gaps == []
    assert abs(lag(heard.samples, plain)) <= SHIFT
    assert 0 <= len(heard.samples) - len(plain) <= ROOM
    if decoder == "PyAV" and name in EXACT:
        assert len(heard.samples) == len(plain)
        assert heard.info.duration_s == pytest.approx(SECONDS, abs=1e-3)


@pytest.mark.parametrize("name", ["a.m4a", "a.webm", "a.wma", "a.aac", "amr.3gp", "fragmented.mp4", "mp3.avi"])
def test_it_is_begun_anywhere(files: dict[str, bytes], plain: np.ndarray, decoder: str, name: str) -> None:
    for begin_s in (0.5, 2.0):
        heard = hear(name, files[name], begin_s=begin_s)
        assert heard.info.offset_s == pytest.approx(begin_s, abs=1e-3)
        assert abs(lag(heard.samples, plain[round(begin_s * RATE) :])) <= SHIFT


def test_nothing_is_left_to_hear_behind_the_end(files: dict[str, bytes], decoder: str) -> None:
    assert 0 < len(hear("a.m4a", files["a.m4a"], begin_s=10.0).samples) <= 0.15 * RATE
    with pytest.raises(SourceError, match=r"cannot be begun at 10\.0 s"):
        hear("a.aac", files["a.aac"], begin_s=10.0)


def test_blocks_do_not_depend_on_how_they_are_cut(files: dict[str, bytes], decoder: str) -> None:
    once, again = (hear("a.m4a", files["a.m4a"], block=block).samples for block in (800, 100))
    np.testing.assert_array_equal(once, again)


def test_a_file_on_the_disk_whose_name_looks_like_an_address(
    files: dict[str, bytes], plain: np.ndarray, decoder: str, tmp_path: object
) -> None:
    path = f"{tmp_path}/http:12%03d.m4a"
    with open(path, "wb") as file:
        file.write(files["a.m4a"])
    blocks = [item.samples for item in open_recording(path, speed=None) if isinstance(item, Block)]
    assert abs(lag(np.concatenate(blocks), plain)) <= SHIFT


def test_sound_that_begins_late_beside_pictures_is_late(track: np.ndarray, plain: np.ndarray, decoder: str) -> None:
    heard = hear("a.mp4", encode(Kind("mp4", "aac"), track, video=True, start_s=0.5))
    assert abs(lag(heard.samples, plain) - RATE // 2) <= SHIFT
    if decoder == "PyAV":  # the program fills it with silence
        assert heard.gaps[0][0] == 0
        assert heard.gaps[0][1] == pytest.approx(
            RATE // 2, abs=0.05 * RATE
        )  # the encoder's delay comes before the sound


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_a_hole_keeps_what_follows_at_its_place(
    track: np.ndarray, plain: np.ndarray, decoder: str, container: str
) -> None:
    heard = hear("a", encode(Kind(container, "aac"), track, hole=(1.0, 1.8)))
    behind = slice(round(2.1 * RATE), None)
    assert abs(lag(heard.samples[behind], plain[behind])) <= SHIFT
    if decoder == "PyAV":
        ((start, end),) = heard.gaps
        assert start == pytest.approx(1.0 * RATE, abs=0.05 * RATE)
        assert end == pytest.approx(1.8 * RATE, abs=0.05 * RATE)


@pytest.mark.parametrize("name", ["a.webm", "aac.mkv", "a.wma", "a.flv", "a.aac", "a.amr", "mp3.avi", "fragmented.mp4"])
def test_what_was_cut_off_is_heard_and_told(files: dict[str, bytes], name: str) -> None:
    heard = hear(name, files[name][: int(0.7 * len(files[name]))])
    assert heard.failure is not None
    assert "is cut off" in str(heard.failure)
    assert 1.5 * RATE < len(heard.samples) < 2.5 * RATE


def test_what_an_index_in_front_promises_is_held_against_what_is_there(track: np.ndarray) -> None:
    data = encode(Kind("mp4", "aac", muxer={"moov_size": "20000"}), track)
    cut_off = hear("a.mp4", data[: int(0.7 * len(data))])
    assert "is cut off: it says that it is 3.000 s long" in str(cut_off.failure)
    assert RATE < len(cut_off.samples) < 2.5 * RATE
    free = struct.pack(">I4s", 1_000, b"free") + bytes(500)
    whole = hear("a.mp4", data + free)
    assert whole.failure is None, "what is cut off is no sound"
    assert len(whole.samples) == SECONDS * RATE


@pytest.mark.parametrize("name", ["a.m4a", "a.mov", "amr.3gp"])
def test_without_its_index_nothing_can_be_heard(files: dict[str, bytes], decoder: str, name: str) -> None:
    for share in (0.99, 0.5):
        with pytest.raises(SourceError, match="is cut off: the index"):
            hear(name, files[name][: int(share * len(files[name]))])


def test_a_damaged_packet_is_a_hole_and_told(files: dict[str, bytes], plain: np.ndarray) -> None:
    data = bytearray(files["aac.mkv"])
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    heard = hear("aac.mkv", bytes(data))
    assert any("could not be decoded" in text for text in heard.notices)
    behind = slice(round(2.1 * RATE), None)
    assert abs(lag(heard.samples[behind], plain[behind])) <= SHIFT


def test_a_video_without_sound(decoder: str) -> None:
    with pytest.raises(SourceError, match=r"has no sound: it holds video \(mpeg4\)"):
        hear("a.mp4", encode(Kind("mp4", "aac"), video=True))


def test_six_tracks_are_told_and_one_can_be_chosen(decoder: str) -> None:
    at = np.arange(RATE) / RATE
    data = encode(
        Kind("mp4", "aac", RATE), *(0.3 * np.sin(2 * np.pi * 200 * n * at, dtype=np.float32) for n in range(1, 7))
    )
    with pytest.raises(SourceError, match=r"has 6 sound tracks \(1 aac mono; .*--track 1"):
        hear("a.mp4", data)
    heard = hear("a.mp4", data, track=3).samples[4_000:12_000]
    assert np.argmax(np.abs(np.fft.rfft(heard))) == 600 * 8_000 // RATE
    for wrong in (0, 7):
        with pytest.raises(SourceError, match=f"6 sound tracks, and track {wrong} was asked for"):
            hear("a.mp4", data, track=wrong)


def test_too_little_to_hear_speech_in(decoder: str) -> None:
    with pytest.raises(SourceError, match="too little to hear speech in"):
        hear("a.mov", encode(Kind("mov", "pcm_s16le", RATE), clicks(0.5, RATE)[:160]))


def test_what_only_begins_like_media_is_refused_in_one_line(decoder: str) -> None:
    marks = {"MP4": b"\0\0\0\x20ftypisom", "WebM or Matroska": b"\x1aE\xdf\xa3", "FLV": b"FLV\x01\x05\0\0\0\x09"}
    noise = np.random.default_rng(0).bytes(3_000)  # other noise may happen to name a track, and be refused for that
    for container, mark in marks.items():
        with pytest.raises(SourceError, match=f"is no {container} file that can be read") as refused:
            hear("a", mark + noise)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "playlist", [b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", b"ffconcat version 1.0\nfile 'a'\n"]
)
def test_a_list_of_other_files_is_no_recording(decoder: str, playlist: bytes) -> None:
    with pytest.raises(SourceError, match="no sound file that can be read"):
        hear("a.mp4", playlist)


def test_without_a_decoder_the_error_says_what_brings_one(
    files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SourceError, match=r"a\.m4a is MP4, .*pip install 'stream-ser\[media\]', or install ffmpeg"):
        hear("a.m4a", files["a.m4a"])


def test_a_stereo_recording_is_split_after_decoding(track: np.ndarray, plain: np.ndarray, decoder: str) -> None:
    both = np.stack([track, np.roll(track, 24_000)])
    data = encode(Kind("ipod", "aac", 48_000, 192_000), both)
    right = hear("a.m4a", data, parties="right")
    assert right.info.channel == 2
    assert abs(lag(right.samples, np.roll(plain, 8_000))) <= SHIFT


def test_memory_does_not_grow_with_the_file() -> None:
    seconds = 40
    data = encode(Kind("ipod", "aac", RATE), clicks(seconds, RATE))
    recording = open_recording("a.m4a", speed=None, content=data)
    tracemalloc.start()
    try:
        assert sum(len(item.samples) for item in recording if isinstance(item, Block)) == seconds * RATE
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * seconds * RATE / 10  # bytes: a tenth of its sound
