"""The rows that only some streams have."""

from __future__ import annotations

import pytest

from tests.tui.wire import Message, end, hello, point, screen, text_of

NAMES = ["activation", "valence", "dominance"]
KNOWN = dict(zip(NAMES, (0.42, -1.0, 0.0), strict=True))
UNKNOWN = dict.fromkeys(NAMES)


async def drawn(messages: list[Message], size: tuple[int, int] = (80, 24)) -> list[str]:
    app = screen(messages)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.frame()
        await pilot.pause()
        return text_of(app)


def row_with(word: str, rows: list[str]) -> str:
    (row,) = [row for row in rows if row.strip().startswith(word)]
    return row


@pytest.mark.parametrize("size", [(80, 24), (140, 45), (72, 21)])
async def test_dimensions_are_shown_with_sign_and_place(size: tuple[int, int]) -> None:
    rows = await drawn([hello(dimensions=NAMES), point(8, dimensions=KNOWN)], size)
    row = row_with("activation", rows)
    assert len(row.rstrip()) <= size[0] - 2
    for part in ("+0.42", "-1.00", "+0.00"):
        assert part in row
    if size == (140, 45):
        scales = [part.split() for part in row.split("   ") if "─" in part]
        activation, valence, dominance = (scale[1] for scale in scales)
        assert len(activation) % 2 == 1
        assert (valence.index("●"), dominance.index("●")) == (0, len(dominance) // 2)
        assert activation.index("●") == round(1.42 / 2 * (len(activation) - 1))
        assert activation[len(activation) // 2] == "┼"


@pytest.mark.parametrize(
    "after",
    [
        [point(8, dimensions=KNOWN), point(9, "silence", dimensions=UNKNOWN)],
        [point(8, dimensions=KNOWN), end()],
        [point(8, "uncertain", dimensions=UNKNOWN)],
        [],
    ],
    ids=["silence", "ended", "not asked", "no point"],
)
async def test_old_dimensions_are_not_shown_as_present(after: list[Message]) -> None:
    row = row_with("activation", await drawn([hello(dimensions=NAMES), *after]))
    assert row.count("–") == 3
    assert "●" not in row


async def test_streams_without_them_have_neither_row() -> None:
    rows = await drawn([hello(text="pocketsphinx"), point(8)])
    assert not [row for row in rows if row.strip().startswith(("activation", "words"))]
    more = await drawn([hello(dimensions=NAMES, text="pocketsphinx"), point(8, dimensions=KNOWN, text="yes")])
    assert len(rows) == len(more) == 24
    assert {"expressed", "trajectory", "sound"} <= {word for row in more for word in row.replace("─", " ").split()}


async def test_the_newest_words_are_never_cut() -> None:
    rows = await drawn([hello(text="pocketsphinx"), point(8, text=" ".join(f"word{i}" for i in range(50)))])
    row = row_with("words", rows).rstrip()
    assert row.endswith("word48 word49")
    assert "…" in row
    assert len(row) <= 78
    assert "the airplane" in row_with("words", await drawn([hello(), point(8, text="the airplane")]))


async def test_a_stream_without_words_after_one_with_them_gives_the_row_back() -> None:
    rows = await drawn([hello(), point(8, text="yes"), hello(stream="other"), point(8)])
    assert not [row for row in rows if row.strip().startswith("words")]


async def test_eight_labels_that_nobody_expected_are_all_shown() -> None:
    labels = ["angry", "boredom", "calm", "disgust", "fearful", "happy", "sad", "surprised"]
    shares = (0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.1, 0.6)
    text = "\n".join(
        await drawn([hello(labels=labels), point(8, labels=labels, smoothed=shares, raw=shares)], (140, 45))
    )
    for label in labels:
        assert label in text
    assert "U surprised" in text, "letters are the labels' own and differ"
