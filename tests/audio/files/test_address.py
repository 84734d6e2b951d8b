from __future__ import annotations

from pathlib import Path

import pytest

from stream_ser.audio.files.address import as_path
from stream_ser.audio.recording import open_recording
from stream_ser.errors import SourceError


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("https://example.org/a.wav", ("https://example.org/a.wav is", "curl -L -o a.wav https://example.org/a.wav &&")),
        ("http://example.org/my%20talk.mp3?x=1", ("'http://example.org/my%20talk.mp3?x=1'", "stream-ser replay 'my talk.mp3'")),
        ("https://example.org/", ("curl -L -o recording ",)),
        ("ws://127.0.0.1:8765/v1/feed", ("stream-ser watch ws://127.0.0.1:8765/v1/feed",)),
        ("s3://bucket/a.wav", ("s3://bucket/a.wav is an address",)),
    ],
)  # fmt: skip
def test_an_address_keeps_its_slashes_and_the_next_command_is_told(given: str, words: tuple[str, ...]) -> None:
    for way in (given, Path(given)) if given.startswith(("http", "ws")) else (given,):
        with pytest.raises(SourceError) as caught:
            open_recording(way)
        if way == given:
            assert all(word in str(caught.value) for word in words), str(caught.value)
        else:
            assert given.partition("?")[0].rstrip("/") in str(caught.value)


def test_files_stay_files(tmp_path: Path) -> None:
    assert as_path("file:///a/my%20talk.wav") == Path("/a/my talk.wav")
    for name in ("talk.wav", "a:b.wav", "C:/talk.wav", "./x//y.wav"):
        assert as_path(name) == Path(name)
        assert as_path(Path(name)) == Path(name)
    odd = tmp_path / "http:" / "talk.wav"
    odd.parent.mkdir()
    odd.touch()
    assert as_path(f"{tmp_path}/http:/talk.wav") == odd
