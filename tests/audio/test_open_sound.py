from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from stream_ser.audio.open_sound import open_sound
from stream_ser.errors import ConfigError, SourceError
from stream_ser.types import Block
from tests.audio.files.defects import made

SOUNDS = ["path", "text", "bytes", "bytearray", "memoryview", "file"]


def given(kind: str, folder: Path) -> object:
    data, path = made("WAV"), folder / "a.wav"
    path.write_bytes(data)
    return {
        "path": path,
        "text": str(path),
        "bytes": data,
        "bytearray": bytearray(data),
        "memoryview": memoryview(data),
        "file": io.BytesIO(data),
    }[kind]


@pytest.mark.parametrize("kind", SOUNDS)
def test_a_sound_file_is_heard_however_it_is_given(tmp_path: Path, kind: str) -> None:
    items = list(open_sound(given(kind, tmp_path)))
    assert sum(len(item.samples) for item in items if isinstance(item, Block)) == 32_000


@pytest.mark.parametrize("kind", SOUNDS)
def test_a_sound_file_says_its_own_rate(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ConfigError, match="rate=8000 was given for") as failed:
        open_sound(given(kind, tmp_path), rate=8_000)
    assert failed.value.fix == "leave rate out"


def test_an_array_has_a_rate_and_may_have_a_name() -> None:
    silence = np.zeros(8_000, dtype=np.float32)
    assert open_sound(silence, 8_000).info.name == "array"
    source = open_sound(silence, 8_000, name="mine")
    assert (source.info.name, source.info.rate) == ("mine", 8_000)


@pytest.mark.parametrize(
    ("sound", "said"), [(7, "int is no sound"), (io.StringIO("text"), "StringIO gives str and not bytes")]
)
def test_what_is_no_sound_is_told_with_what_is(sound: object, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        open_sound(sound)


def test_a_file_object_is_called_by_its_name(tmp_path: Path) -> None:
    given("path", tmp_path)
    with (tmp_path / "a.wav").open("rb") as file:
        assert open_sound(file).info.name == "a.wav"
    assert open_sound(made("WAV"), name="call 7").info.name == "call 7"
    assert open_sound(made("WAV")).info.name == "sound"
