from __future__ import annotations

import io

from stream_ser.cli.console import LinePrinter
from tests.tui.wire import LABELS, Message, hello, point

DIMENSIONS = ["activation", "valence"]


def printed(*messages: Message) -> list[str]:
    out = io.StringIO()
    printer = LinePrinter(out)
    for message in messages:
        printer(message)
    return out.getvalue().splitlines()


def test_dimensions_stand_behind_the_level() -> None:
    lines = printed(
        hello(dimensions=DIMENSIONS),
        point(8, dimensions={"activation": 0.424, "valence": -1.0}),
        point(12, "silence", dimensions=dict.fromkeys(DIMENSIONS)),
    )
    assert lines[1].endswith("dBFS  activation +0.42  valence -1.00")
    assert lines[2].endswith("dBFS  activation     –  valence     –")


def test_words_are_printed_when_they_are_sent_and_new() -> None:
    lines = printed(
        hello(text="pocketsphinx"),
        point(8, text="the airplane"),
        point(12, text="the airplane"),
        point(16, text="full"),
    )
    assert lines[0].endswith("words from pocketsphinx")
    assert [line.strip() for line in lines if "“" in line] == ["“the airplane”", "“full”"]
    assert not [line for line in printed(hello(text="pocketsphinx"), point(8)) if "“" in line]


def test_a_mark_is_printed_with_its_place() -> None:
    mark = {"type": "mark", "seq": 9, "stream": "demo", "at": 36_000, "t": 2.25, "text": "a sigh"}
    assert printed(hello(), mark)[1] == "00:02.2  mark       a sigh"


def test_long_labels_keep_the_columns() -> None:
    labels = [*LABELS, "disappointed"]
    shares = (0.1, 0.1, 0.1, 0.1, 0.6), (0.6, 0.1, 0.1, 0.1, 0.1)
    lines = printed(
        hello(labels=labels), *(point(8 * (i + 1), smoothed=s, raw=s, labels=labels) for i, s in enumerate(shares))
    )
    assert len({line.index("60 %") for line in lines[1:]}) == 1
