"""Ten seconds of accelerated days, and what judges them."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest

from stream_ser.load import resources
from stream_ser.load.churn import Place
from stream_ser.load.soak import MILESTONES, soak
from stream_ser.load.synthetic_calls import SCRIPTS


def test_seconds_of_accelerated_days_leave_nothing_behind(tmp_path: Path) -> None:
    told: list[str] = []
    # What is bounded, such as the history of 20,000 messages, still fills: memory is judged by ten minutes, not by ten seconds.
    found = soak(tmp_path, 8.0, told.append, growth_mb=200.0)
    assert found.troubles == []
    assert found.highest > MILESTONES[-1]
    assert set(found.calls) >= {"talk", "holes", "broken", "far"}
    assert found.points["speech"] + found.points["uncertain"] > 20
    assert found.sound_s > 100
    assert "(0 open)" in told[-1]


def test_growth_is_that_of_the_second_half() -> None:
    times = np.arange(100.0)
    full = np.minimum(times, 50.0)  # fills, and then is full
    assert abs(resources.growth_mb(times, 100 + full)) < 0.01
    assert resources.growth_mb(times, 100 + 0.2 * times) == pytest.approx(9.8)
    rng = np.random.default_rng(1)
    assert abs(resources.growth_mb(times, 100 + rng.normal(0, 0.5, 100))) < 1.0


@pytest.mark.parametrize("count", [0, 1, 2])
def test_growth_of_too_few_figures_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="measure for longer"):
        resources.growth_mb([1.0] * count, [5.0] * count)


def test_what_is_held_is_counted(tmp_path: Path) -> None:
    before = resources.held()
    leave = threading.Event()
    thread = threading.Thread(target=leave.wait)
    thread.start()
    with (tmp_path / "file").open("w"):
        during = resources.held()
    leave.set()
    thread.join()
    assert (during.threads - before.threads, during.files - before.files) == (1, 1)
    assert during.memory_mb > 10


def test_tasks_are_counted() -> None:
    async def two() -> int:
        other = asyncio.create_task(asyncio.sleep(10))
        tasks = resources.held([asyncio.get_running_loop()]).tasks
        other.cancel()
        return tasks

    assert asyncio.run(two()) == 2


def test_what_is_alive_is_counted() -> None:
    class Kept:
        pass

    kept = [Kept() for _ in range(3)]
    assert resources.alive(Kept) == {"Kept": 3}
    kept.clear()
    assert resources.alive(Kept) == {"Kept": 0}


def take(place: Place, *messages: str) -> Place:
    for message in messages:
        kind, _, numbers = message.partition(" ")
        first, _, last = numbers.partition("-")
        if last:
            place.take(f'{{"type": "{kind}", "epoch": "e", "first": {first}, "seq": {last}}}')
        else:
            place.take(f'{{"type": "{kind}", "epoch": "e", "seq": {first}}}')
    return place


def test_a_churning_subscriber_sees_holes_and_what_comes_twice() -> None:
    whole = take(Place(), "hello 7", "point 8", "dropped 9-12", "hello 12", "gap 13", "missed 14-20", "point 21")
    assert (whole.holes, whole.again, whole.query) == (0, 0, "last_seq=21&epoch=e")
    assert take(Place(), "heartbeat 7", "point 9").holes == 1
    assert take(Place(), "point 7", "point 8", "point 8").again == 1
    assert take(Place(), "point 7", "missed 9-12").holes == 1


def test_scripts_bring_what_their_names_say() -> None:
    from random import Random

    from stream_ser.calls.events import Closed, Lost, Paused, Sound

    voice = np.ones(16_000, dtype=np.float32)
    kinds = {name: {type(step) for step in script(voice, Random(3))} for name, (_, script) in SCRIPTS.items()}
    assert kinds["talk"] == {Sound, Closed}
    assert kinds["gone"] == {Sound}
    assert {Paused, Lost} <= kinds["pauses"]
    assert kinds["refused"] == set()
    spoiled = [step.samples for step in SCRIPTS["not numbers"][1](voice, Random(3)) if isinstance(step, Sound)]
    assert not np.isfinite(np.concatenate(spoiled)).all()
    hours = [step for step in SCRIPTS["silence"][1](voice, Random(3)) if isinstance(step, Sound)]
    assert hours[-1].start >= 3500 * 8000
    assert not any(step.samples.any() for step in hours[:10])
