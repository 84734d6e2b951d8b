from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from stream_ser.audio.media.tracks import Track, choose, priming
from stream_ser.errors import SourceError

PATH = Path("a.mkv")
ONE, TWO = Track(0, "opus", 48_000, 2), Track(2, "aac", 44_100, 1, language="ger")
SILENT = Track(1, "atrac9", 48_000, 2, decodable=False)


def test_the_only_track_is_heard_and_of_several_the_one_that_was_asked_for() -> None:
    assert choose(PATH, [ONE], (), None, "PyAV") is ONE
    assert choose(PATH, [ONE, SILENT], (), None, "PyAV") is ONE
    assert [choose(PATH, [ONE, TWO], (), wanted, "PyAV") for wanted in (1, 2)] == [ONE, TWO]


@pytest.mark.parametrize(
    ("tracks", "wanted", "word"),
    [
        ([], None, "has no sound"),
        ([ONE, TWO], 0, "has 2 sound tracks, and track 0"),
        ([ONE, TWO], 3, "has 2 sound tracks, and track 3"),
        ([ONE], 2, "has one sound track, and track 2"),
        ([ONE, TWO], None, "1 opus stereo; 2 aac mono ger"),
        ([SILENT], None, "atrac9, which PyAV cannot decode"),
        ([ONE, SILENT], 2, "atrac9, which PyAV cannot decode"),
    ],
)
def test_a_track_that_cannot_be_had_is_named(tracks: list[Track], wanted: int | None, word: str) -> None:
    with pytest.raises(SourceError, match=word) as refused:
        choose(PATH, tracks, ("video",), wanted, "PyAV")
    assert refused.value.fix


@pytest.mark.parametrize(
    ("codec", "skips", "first_s", "delay"),
    [
        ("mp3", False, Fraction(0), 529),
        ("aac", False, Fraction(0), 1_024),
        ("aac", True, Fraction(0), 0),  # the file says what to leave out
        ("mp3", False, Fraction(-1, 100), 0),
        ("mp3", False, Fraction(529, 44_100), 0),  # there was room for the delay before it
        ("mp3", False, Fraction(528, 44_100), 529),
        ("mp3", False, None, 529),
        ("opus", False, Fraction(0), 0),
    ],
)
def test_an_encoders_delay_lies_on_the_clock_where_the_file_does_not_say_otherwise(
    codec: str, skips: bool, first_s: Fraction | None, delay: int
) -> None:
    assert priming(codec, skips, first_s, 1_024, 44_100) == Fraction(delay, 44_100)
