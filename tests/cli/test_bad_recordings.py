"""Bad recordings at the command line: one line, exit 2, what was seen, what to do; and a folder that goes on past each."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.audio.files.defects import made, noise
from tests.audio.files.table import DEFECTS
from tests.audio.files.test_table import cells
from tests.conftest import read_lines, refused

Command = Callable[..., tuple[int, str, str]]


def sound_file(container: str, subtype: str, samples: np.ndarray, rate: int = 16_000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return file.getvalue()


BAD = {
    "cut.aiff": (
        made("AIFF")[:-6_400],
        r"cut\.aiff is cut off: its header promises 2\.000 s, but only 1\.800 s can be read",
    ),
    "cut.mp3": (made("MP3")[:-40], r"cut\.mp3 is cut off: its header promises 2\.000 s, but only 1\.9\d+ s"),
    "cut.ogg": (
        made("Ogg Opus", noise(6.0))[:-9],
        r"cut\.ogg is cut off: its last Ogg page is incomplete \(\d+ of \d+ b",
    ),
    "cut.w64": (made("W64")[:-6_400], r"cut\.w64 is cut off: its header promises 2\.000 s, but only 1\.800 s"),
    "empty.wav": (b"", r"empty\.wav is empty \(0 bytes\); record or copy it again"),
    "header.wav": (
        made("WAV")[:44],
        r"header\.wav is cut off: its header promises 64000 bytes of sound, and 0 are there",
    ),
    "levels.wav": (
        sound_file("WAV", "FLOAT", 32_768 * noise()),
        r"levels\.wav holds the float -?\d+(\.\d+)? at 0\.000000 s, and full scale is 1; divide by full scale",
    ),
    "number.wav": (
        sound_file("WAV", "FLOAT", np.where(np.arange(32_000) == 16_000, np.nan, noise())),
        r"number\.wav .*nan.* 1\.000000 s",
    ),
    "rate.wav": (
        made("WAV")[:24] + b"\3\0\0\0" + made("WAV")[28:],
        r"rate\.wav says that it has 3 Hz, which is no sample rate",
    ),
    "rates.mp3": (
        made("MP3") + sound_file("MP3", "MPEG_LAYER_III", noise(1.0, 44_100), 44_100),
        r"rates\.mp3 is not heard to its end: from 2\.\d+ s \(byte \d+\) on it holds a recording at 44100 Hz",
    ),
    "rates.ogg": (
        made("Ogg Vorbis") + sound_file("OGG", "VORBIS", noise(1.0, 48_000), 48_000),
        r"rates\.ogg is not heard to its end: from 2\.000 s \(byte \d+\) on it holds a recording at 48000 Hz behind one at",
    ),
    "talk.wav": (
        b"this is no sound" * 99,
        r"talk\.wav is not a sound file that can be read .*; convert it first: ffmpeg -i",
    ),
}
GOOD = {
    "behind.wav": made("WAV")[:40] + (0).to_bytes(4, "little") + made("WAV")[44:],
    "links.ogg": 2 * made("Ogg Opus"),
}


@pytest.mark.parametrize("name", BAD)
def test_one_line_says_what_was_seen_and_what_to_do(command: Command, tmp_path: Path, name: str) -> None:
    data, words = BAD[name]
    (tmp_path / name).write_bytes(data)
    result = command("analyze", tmp_path / name, "--out", tmp_path / "o.jsonl")
    refused(result)
    assert re.search(words, result[2])


def test_a_folder_of_them_goes_on_past_each_and_lists_it(command: Command, tmp_path: Path) -> None:
    for name, (data, _) in BAD.items():
        (tmp_path / name).write_bytes(data)
    for name, data in GOOD.items():
        (tmp_path / name).write_bytes(data)
    code, printed, error = command("analyze", tmp_path, "--out", tmp_path / "results")
    assert code == 2
    assert f"\n{len(BAD | GOOD)} recordings; " in printed
    lines = error.splitlines()
    for _, words in BAD.values():
        assert sum(bool(re.search(words, line)) for line in lines) == 1, words
    assert f"{len(BAD)} of {len(BAD | GOOD)} recordings could not be analysed to their end" in lines[-1]
    ends = {name: read_lines(tmp_path / "results" / f"{name}.jsonl")[-1] for name in GOOD}
    assert {name: end["duration_s"] for name, end in ends.items()} == {"behind.wav": 2.0, "links.ogg": 4.0}


def test_a_folder_of_every_container_and_defect_that_is_refused_goes_on_past_each(
    command: Command, tmp_path: Path
) -> None:
    words = ("cut off, told", "refused, told")
    refused_cells = {f"{name}, {defect}.wav": (name, defect) for name, defect, word in cells() if word in words}
    assert len(refused_cells) > 40
    for file, (name, defect) in refused_cells.items():
        (tmp_path / file).write_bytes(DEFECTS[defect](name, made(name)))
    code, _, error = command("analyze", tmp_path, "--out", tmp_path / "results")
    assert code == 2
    lines = error.splitlines()
    for file in refused_cells:
        told = [line for line in lines if file in line]
        assert len(told) == 1, (file, told)
        assert re.search(r"cut off|not heard to its end|refused|cannot", told[0]), told[0]
    assert f"{len(refused_cells)} of {len(refused_cells)} recordings could not be analysed" in lines[-1]
