from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from stream_ser.feed import turn_share
from stream_ser.feed.turn_share import LIGHT_S, SHARE_S, WINDOW_S, TurnShare, Use

PIECE_S = SHARE_S / 2


class Turns:
    """A turn that takes as long as the test says, and what was done in each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.began = 100.0, 100.0
        self.done: list[list[str]] = [[]]
        self.share = TurnShare(lambda: self.now - self.began)
        monkeypatch.setattr("stream_ser.feed.turn_share.time.monotonic", lambda: self.now)

    def piece(self, name: str) -> None:
        self.now += PIECE_S
        self.done[-1].append(name)

    async def next(self) -> list[str]:
        """Go on to the next turn; gives what was done in it."""
        self.began = self.now
        self.done.append([])
        await asyncio.sleep(0)
        return self.done[-1]


@pytest.fixture
async def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    return Turns(monkeypatch)


def heavy(turns: Turns) -> Use:
    use = Use()
    use.add(turns.now - 2 * LIGHT_S)
    return use


async def test_what_a_hundred_bring_together_takes_no_longer_than_the_share_and_a_piece(turns: Turns) -> None:
    names = [f"{number}" for number in range(100)]
    for name in names:
        turns.share.later(lambda name=name: turns.piece(name), Use())  # type: ignore[misc]
    found: list[str] = []
    while len(found) < 100:
        done = await turns.next()
        assert len(done) >= 1
        assert turns.now - turns.began <= SHARE_S + PIECE_S
        found += done
    assert found == names, "first come, first served"
    assert turns.share.put_off == 100


async def test_who_took_little_does_not_wait_for_who_took_much(turns: Turns) -> None:
    flood, call = heavy(turns), Use()
    for number in range(20):
        turns.share.later(lambda number=number: turns.piece(f"flood {number}"), flood)  # type: ignore[misc]
    assert turns.share.must_wait(flood)
    assert not turns.share.must_wait(call), "there is time, and only a flood waits"
    turns.now += 2 * SHARE_S
    assert turns.share.must_wait(call), "the turn is over"
    turns.share.later(lambda: turns.piece("call"), call)
    assert (await turns.next())[0] == "call"


async def test_a_flood_is_worked_at_even_where_others_take_the_whole_share(turns: Turns) -> None:
    turns.share.later(lambda: turns.piece("flood"), heavy(turns))
    for _ in range(50):
        turns.share.later(lambda: turns.piece("call"), Use())
    assert "flood" in await turns.next()


async def test_who_has_rested_is_light_again(turns: Turns) -> None:
    use = heavy(turns)
    assert use.heavy
    turns.now += 1.5
    use.add(turns.now - 0.001)
    assert not use.heavy


async def test_a_task_gets_what_its_work_gives_or_raises(turns: Turns) -> None:
    def fails() -> int:
        raise ValueError("no")

    assert await turns.share.run(lambda: 1, Use()) == 1, "at once, for there is time"
    turns.now += 2 * SHARE_S
    given, raised, left = (asyncio.create_task(turns.share.run(work, Use())) for work in (lambda: 2, fails, lambda: 3))
    await asyncio.sleep(0)
    left.cancel()
    turns.began = turns.now
    assert await given == 2
    with pytest.raises(ValueError, match="no"):
        await raised
    with pytest.raises(asyncio.CancelledError):
        await left


async def test_work_that_fails_keeps_nobody_from_theirs(turns: Turns) -> None:
    def fails() -> None:
        raise ValueError("no")

    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["exception"]))
    turns.share.later(fails, Use())
    turns.share.later(lambda: turns.piece("call"), Use())
    assert await turns.next() == []
    assert await turns.next() == ["call"]
    assert len(errors) == 1


async def test_turns_that_nobody_measures_are_measured_here(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [5.0]
    monkeypatch.setattr("stream_ser.feed.turn_share.time.monotonic", lambda: now[0])
    share, use = TurnShare(), Use()
    assert not share.must_wait(use)
    now[0] += 2 * SHARE_S
    assert share.must_wait(use)
    await asyncio.sleep(0)
    assert not share.must_wait(use)


def test_what_is_taken_in_small_pieces_adds_up_until_a_second_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(turn_share, "time", SimpleNamespace(monotonic=lambda: now[0]))
    use, heavy = Use(), []
    for _ in range(5):
        began = now[0]
        now[0] += LIGHT_S / 4
        use.add(began)
        heavy.append(use.heavy)
    assert heavy == [False, False, False, False, True]
    now[0] += WINDOW_S
    use.add(now[0])
    assert not use.heavy
