from __future__ import annotations

import pytest

from stream_ser.feed import messages
from stream_ser.feed.filters import PublishedMessage
from stream_ser.feed.history import History, HistoryPage, lacking
from tests.feed.wire import make_info, point_message


def entry(seq: int, call: str | None = None) -> PublishedMessage:
    message = {**point_message(0, "a"), "seq": seq}
    return PublishedMessage(message, messages.encode(message), {**messages.hello(make_info("a")), "call": call})


def numbers(entries: list[PublishedMessage]) -> list[int]:
    return [each.seq for each in entries]


def test_the_newest_are_kept() -> None:
    history = History(limit=3)
    for seq in range(5, 12):
        history.append(entry(seq))
    assert numbers(history.after(0, 10)) == [9, 10, 11]
    assert numbers(history.after(9, 10)) == [10, 11]
    assert numbers(history.after(9, 1)) == [10]
    assert history.after(11, 10) == []
    assert history.after(400, 10) == []


def test_calls_that_are_forgotten_leave_holes_and_nothing_else() -> None:
    history = History(limit=8)
    for seq in range(1, 10):
        history.append(entry(seq, ("one", "two", None)[seq % 3]))
    assert history.calls() == {"one", "two"}
    size = history.bytes
    assert history.forget({"one": 100, "nobody": 100}) == 3
    assert numbers(history.after(0, 10)) == [2, 4, 5, 7, 8]
    assert numbers(history.after(3, 2)) == [4, 5]
    assert numbers(history.after(4, 9)) == [5, 7, 8]
    assert history.after(8, 9) == []
    assert history.calls() == {"two"}
    assert history.bytes == sum(len(kept.text) for kept in history.after(0, 10)) < size
    for seq in range(10, 14):
        history.append(entry(seq))
    assert numbers(history.after(0, 10)) == [4, 5, 7, 8, 10, 11, 12, 13]
    assert history.forget({"one": 100}) == 0
    assert history.forget({"two": 7}) == 1
    assert numbers(history.after(0, 10)) == [5, 7, 8, 10, 11, 12, 13], "what is below the number"


def test_bytes_are_bounded_too() -> None:
    size = len(entry(1_000).text)
    history = History(limit=100, size=3 * size + size // 2)
    for seq in range(1_000, 1_010):
        history.append(entry(seq))
    assert numbers(history.after(0, 100)) == [1_007, 1_008, 1_009]
    assert history.bytes == 3 * size
    assert len(history) == 3


def test_a_message_larger_than_all_is_not_kept_and_nothing_stays_behind() -> None:
    history = History(size=10)
    history.append(entry(1))
    assert (len(history), history.bytes, history.after(0, 9)) == (0, 0, [])


def test_only_text_is_kept_and_the_message_is_the_same() -> None:
    history = History()
    given = entry(1)
    history.append(given)
    (kept,) = history.after(0, 1)
    assert kept._message is None
    assert kept.message == given.message
    assert (kept.stream, kept.end, kept.hello) == (given.stream, given.end, given.hello)


@pytest.mark.parametrize(("limit", "size"), [(-1, 1), (1, -1)])
def test_a_history_of_less_than_nothing_is_refused(limit: int, size: int) -> None:
    with pytest.raises(ValueError, match="cannot be kept"):
        History(limit, size)


@pytest.mark.parametrize(
    ("after", "seqs", "upto", "expected"),
    [
        (0, [1, 2, 3], 3, []),
        (3, [], 3, []),
        (3, [], 9, [(4, 9)]),
        (3, [5, 6, 9], 12, [(4, 4), (7, 8), (10, 12)]),
    ],
)
def test_what_is_lacking_the_numbers_tell(
    after: int, seqs: list[int], upto: int, expected: list[tuple[int, int]]
) -> None:
    assert lacking(after, seqs, upto) == expected
    assert HistoryPage.whole(after, [entry(seq) for seq in seqs], upto).lacking == expected


def test_what_was_stored_is_told_as_it_was_published() -> None:
    given = entry(1, "c")
    stored = PublishedMessage.stored(1, given.kind, given.stream, given.call, given.end, given.text, given.hello)
    assert stored.message == given.message
    assert stored.slim().text == given.text
