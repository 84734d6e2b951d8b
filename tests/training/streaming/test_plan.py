"""Plans: drawn from a seed, without a clip twice, of the shares that their kind promises, and the same when read again."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from stream_ser_training.clips import Clip, CorpusError
from stream_ser_training.corpora import SAMPLE_RATE
from stream_ser_training.streaming.plan import LEAD, Plan, draw_plan, read_plan, write_plan

LABELS = ("angry", "happy", "neutral", "sad")


def clips(each: int = 12, seconds: float = 2.0) -> list[Clip]:
    return [
        Clip("c", Path("/data/c/x") / f"{label}{k}.flac", "c/1", "f", label, seconds, f"{label}{k}")
        for label in LABELS
        for k in range(each)
    ]


def seconds_of(plan: Plan) -> Counter[str]:
    found: Counter[str] = Counter()
    for piece in plan.pieces:
        found[piece.label] += piece.length
    return found


def test_the_same_seed_draws_the_same_and_another_another() -> None:
    first = draw_plan(clips(), "balanced", 1)
    assert draw_plan(list(clips()), "balanced", 1) == first
    assert draw_plan(clips(), "balanced", 2) != first
    assert first.key == draw_plan(clips(), "balanced", 1).key != draw_plan(clips(), "balanced", 2).key


def test_clips_follow_each_other_with_pauses_and_none_comes_twice() -> None:
    plan = draw_plan(clips(), "balanced", 1)
    assert plan.pieces[0].start == LEAD
    for before, after in pairwise(plan.pieces):
        pause = (after.start - before.start - before.length) / SAMPLE_RATE
        assert 0.2 <= pause <= (0.6 if before.label == after.label else 3.0)
    assert plan.samples >= plan.pieces[-1].start + plan.pieces[-1].length + LEAD
    assert max(Counter(piece.fingerprint for piece in plan.pieces).values()) == 1
    assert plan.pieces[0].file.startswith("x/")


def test_all_emotions_come_and_one_never_follows_itself() -> None:
    plan = draw_plan(clips(40), "balanced", 3)
    assert set(seconds_of(plan)) == set(LABELS)
    runs = [piece.label for piece in plan.pieces]
    changes = sum(a != b for a, b in pairwise(runs))
    longest = max(len(list(group)) for group in _groups(runs))
    assert changes >= 8
    assert longest <= 5


def _groups(runs: list[str]) -> list[list[str]]:
    found: list[list[str]] = []
    for label in runs:
        if found and found[-1][-1] == label:
            found[-1].append(label)
        else:
            found.append([label])
    return found


def test_seventy_per_cent_are_neutral() -> None:
    plan = draw_plan(clips(60), "neutral", 1)
    shares = seconds_of(plan)
    assert shares["neutral"] / shares.total() == pytest.approx(0.7, abs=0.08)


def test_one_emotion_is_all_there_is() -> None:
    assert set(seconds_of(draw_plan(clips(), "one", 1, shown="sad"))) == {"sad"}


def test_it_ends_in_time() -> None:
    plan = draw_plan(clips(200), "balanced", 1, longest_s=60.0)
    assert 50.0 <= plan.samples / SAMPLE_RATE <= 80.0


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="stream 'loud' is unknown"):
        draw_plan(clips(), "loud", 1)
    with pytest.raises(CorpusError, match="c/1 has no clip of calm"):
        draw_plan(clips(), "one", 1, shown="calm")
    with pytest.raises(CorpusError, match="nobody has no clip"):
        draw_plan([], "balanced", 1)


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    plan = draw_plan(clips(), "balanced", 1)
    assert read_plan(write_plan(plan, tmp_path)) == plan


@pytest.mark.parametrize("text", ["", "[]", '{"format": 9}', '{"format": 1, "pieces": [{"file": 1}]}'])
def test_what_is_no_plan_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(CorpusError, match=r"x\.json"):
        read_plan(path)
