from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream_ser.errors import ConfigError
from stream_ser.text.transcript import Transcript, read_transcript
from stream_ser.types import Word

SAID = [Word("don't", 16_000, 24_000), Word("forget", 24_000, 32_000)]
SAME = {
    "a.jsonl": '{"start_s": 1, "end_s": 1.5, "word": "don\'t"}\n\n{"word": "forget", "start_s": 1.5, "end_s": 2.0, "p": 1}\n',
    "b.csv": "1.0,1.5,don't\n1.5,2,forget\n",
    "c.csv": "word,end_s,speaker,start_s\ndon't,1.5,x,1\nforget,2,x,1.5\n",
    "d.tsv": "start_s\tend_s\tword\n1\t2\tdon't forget\n",
    "e.vtt": "WEBVTT\n\nNOTE a note\n\n1\n00:01.000 --> 00:02.000 align:start\n<v Anna>don't\n<i>forget</i>\n\n",
    "f.srt": "\ufeff1\r\n00:00:01,000 --> 00:00:02,000\r\ndon't forget\r\n",
    "g.JSONL": '{"start_s": 1.5, "end_s": 2.0, "word": "forget"}\n{"start_s": 1, "end_s": 1.5, "word": "don\'t"}\n',
}


@pytest.mark.parametrize("name", SAME)
def test_every_kind_of_file_gives_the_same_words(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(SAME[name], "utf-8", newline="")
    assert Transcript(read_transcript(path)).words(10**9, 10**9) == SAID


def test_hours_count() -> None:
    text = "01:02:03.5 --> 01:02:04.25\nyes\n"
    from stream_ser.text.transcript import _cues

    assert list(_cues(text, Path("x.vtt"))) == [(1, 3723.5, 3724.25, "yes")]


def test_a_word_is_given_out_once_its_end_was_heard_and_forgotten_after_the_span() -> None:
    transcript = Transcript(list(reversed(SAID)))
    transcript.hear(np.zeros(10, dtype=np.float32), 10)
    transcript.rest()
    told = [
        [word.text for word in transcript.words(until, 10_000)] for until in (23_999, 24_000, 32_000, 34_000, 42_000)
    ]
    assert told == [[], ["don't"], ["don't", "forget"], ["forget"], []]
    transcript.reset(30_000)
    transcript.close()
    assert [word.text for word in transcript.words(32_000, 10_000)] == ["don't", "forget"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", "not json\n", ("line 1", "not json", "start_s")),
        ("a.jsonl", '{"start_s": 0, "end_s": 1, "word": "a"}\n[1]\n', ("line 2",)),
        ("a.jsonl", '{"start_s": 0, "word": "a"}\n', ("line 1", "end_s")),
        ("a.jsonl", '{"start_s": null, "end_s": 1, "word": "a"}\n', ("line 1",)),
        ("a.csv", "0,1\n", ("line 1",)),
        ("a.csv", "0,1,a\nx,1,b\n", ("line 2", "x")),
        ("a.csv", "1,1,a\n", ("1 to 1 s", "the end after the start")),
        ("a.csv", "-1,1,a\n", ("-1 to 1 s",)),
        ("a.csv", "0,inf,a\n", ("0 to inf s",)),
        ("a.csv", "nan,1,a\n", ("nan to 1 s",)),
        ("a.csv", "", ("no words",)),
        ("a.vtt", "WEBVTT\n\nsoon --> later\nhello\n", ("line 3", "soon --> later")),
        ("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\n\n", ("no words",)),
        ("a.txt", "hello", (".jsonl, .csv, .tsv, .vtt, .srt",)),
        ("a.csv", b"\xff\xfe\x00", ("UTF-8",)),
    ],
)
def test_a_bad_transcript_says_where(name: str, content: str | bytes, words: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as caught:
        read_transcript(path)
    assert str(path) in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_missing_transcript(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="check the path"):
        read_transcript(tmp_path / "none.csv")
