"""Two versions beside each other: in turns, with ratios of the same round, and judged by what can be judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import soundfile

from stream_ser.audio.vad import VoiceActivityDetector
from stream_ser.bench.compare import (
    CLOCK,
    SMALL,
    WHOLE,
    Compared,
    Measure,
    compare,
    main,
    one_by_one,
    table,
    write_sounds,
)
from stream_ser.bench.versions import Version
from stream_ser.types import SAMPLE_RATE

VERSIONS = {side: Version(Path(side)) for side in ("then", "now")}


def costing(costs: Mapping[str, Iterator[float]], turns: list[str], name: str = "cost") -> Measure:
    def take(version: Version, _: Path) -> Mapping[str, float]:
        turns.append(version.tree.name)
        return {name: next(costs[version.tree.name])}

    return one_by_one(name, take)


def test_versions_take_turns_and_are_held_against_each_other_round_by_round() -> None:
    turns: list[str] = []
    costs = {"then": iter([4.0, 8.0, 4.0, 4.0, 4.0]), "now": iter([2.0, 8.0, 1.0, 2.0, 2.0])}
    (found,) = compare(VERSIONS, [costing(costs, turns)], Path(), 1.0, lambda _: None)
    assert turns == ["then", "now", "now", "then"] * 2 + ["then", "now"]
    assert found == Compared("cost", 4.0, 2.0, (0.5, 1.0, 0.25, 0.5, 0.5))
    assert found.ratio == 0.5
    assert table([found]).splitlines()[-1] == "| cost | 4 | 2 | 0.50 | 0.25 to 1.00, 5 |"


def test_without_time_there_is_one_round() -> None:
    costs = {side: iter([1.0]) for side in VERSIONS}
    (found,) = compare(VERSIONS, [costing(costs, [])], Path(), 0.0, lambda _: None)
    assert found.ratios == (1.0,)


def test_what_is_near_the_limit_is_measured_until_it_is_not() -> None:
    turns: list[str] = []
    quiet = costing({"then": iter([1.0]), "now": iter([1.1])}, turns, "quiet")
    noisy = costing({"then": iter([1.0] * 3), "now": iter([1.5, 1.0, 1.0])}, turns, "noisy")
    dearer = costing({"then": iter([1.0] * 5), "now": iter([1.4] * 5)}, turns, "dearer")
    found = {each.name: each for each in compare(VERSIONS, [quiet, noisy, dearer], Path(), 1.0, str, near=1.125)}
    assert {name: len(each.ratios) for name, each in found.items()} == {"quiet": 1, "noisy": 3, "dearer": 5}
    assert {name for name, each in found.items() if each.is_above(1.25)} == {"dearer"}


def test_nothing_is_called_dearer_after_one_round_however_slow_the_machine() -> None:
    costs = {"then": iter([1.0] * 3), "now": iter([2.0, 1.0, 1.3])}
    (found,) = compare(VERSIONS, [costing(costs, [])], Path(), 0.0, str, near=1.125)
    assert found.ratios == (2.0, 1.0, 1.3)


def test_what_the_clock_says_is_not_judged() -> None:
    assert Compared("a window, CPU ms", 1.0, 2.0, (2.0,)).is_above(1.25)
    assert not Compared(f"a window, ms {CLOCK}", 1.0, 2.0, (2.0,)).is_above(1.25)


def test_the_small_plan_measures_less_of_the_same() -> None:
    assert {measure.name for measure in SMALL.measures} < {measure.name for measure in WHOLE.measures}
    assert SMALL.sound_s < WHOLE.sound_s


def test_the_command_says_what_it_was_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-commit"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("stream-ser: git worktree failed")
    assert len(error.splitlines()) == 1


def test_small_needs_a_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["HEAD", "--small"])
    assert "above --most" in capsys.readouterr().err


def test_the_sounds_are_as_long_as_they_are_said_to_be_and_nobody_pauses(tmp_path: Path) -> None:
    write_sounds(tmp_path, 7)
    sounds = {path.name: soundfile.read(path, dtype="float32")[0] for path in tmp_path.iterdir()}
    assert {name: len(sound) / SAMPLE_RATE for name, sound in sounds.items()} == {"long.wav": 7.0, "short.wav": 2.0}
    vad = VoiceActivityDetector()
    vad.push(0, sounds["long.wav"])
    assert vad.speech_samples(0, vad.end) > 0.9 * vad.end
