"""No split that leaks can be made."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser_training.clips import Clip
from stream_ser_training.splits import LeakError, Split, SplitError, refuse_leak, split_by_speaker


def clip(speaker: str, fingerprint: str | None = None, corpus: str = "c", label: str = "sad") -> Clip:
    return Clip(
        corpus, Path(f"{speaker}.wav"), f"{corpus}/{speaker}", "", label, 1.0, fingerprint or f"{corpus}/{speaker}"
    )


FOUR = [clip("1"), clip("2"), clip("3"), clip("4")]


def test_a_correct_split() -> None:
    other = [clip("3", corpus="d"), clip("9", corpus="d")]
    split = split_by_speaker([*FOUR, *other], {"c": ["2"], "d": ["9"]}, {"c": ["3"]})
    assert [item.speaker for item in split.train] == ["c/1", "c/4", "d/3"]  # another corpus, another person
    assert [item.speaker for item in split.validation] == ["c/2", "d/9"]
    assert [item.speaker for item in split.test] == ["c/3"]


def test_the_same_sound_twice_on_one_side_is_no_leak() -> None:
    split = split_by_speaker([*FOUR, clip("1", "c/4")], {"c": ["2"]}, {"c": ["3"]})
    assert len(split.train) == 3


def test_a_speaker_on_two_sides_is_refused() -> None:
    with pytest.raises(LeakError, match=r"speaker c/2 \(2\.wav\) is in both validation and test"):
        split_by_speaker(FOUR, {"c": ["2"]}, {"c": ["2", "3"]})
    with pytest.raises(LeakError, match=r"speaker c/1 .* train and validation"):
        Split(train=(clip("1"),), validation=(clip("1", "other"),), test=())


def test_equal_sound_on_two_sides_is_refused() -> None:
    with pytest.raises(LeakError, match=r"fingerprint c/1 \(3\.wav\) is in both train and test"):
        split_by_speaker([*FOUR[:2], clip("3", "c/1"), FOUR[3]], {"c": ["2"]}, {"c": ["3"]})


@pytest.mark.parametrize(
    ("validation", "test"), [({"c": ["2", "5"]}, {"c": ["3"]}), ({"c": ["2"]}, {"d": ["3"], "c": ["3"]})]
)
def test_a_misspelt_speaker_is_refused(validation: dict[str, list[str]], test: dict[str, list[str]]) -> None:
    unknown = "c/5" if "5" in validation["c"] else "d/3"
    with pytest.raises(SplitError, match=f"held-out speakers without a clip: {unknown}; correct their names"):
        split_by_speaker(FOUR, validation, test)


@pytest.mark.parametrize(
    ("validation", "test", "side"),
    [({}, {"c": ["3"]}, "validation"), ({"c": ["2"]}, {}, "test"), ({"c": ["1", "2"]}, {"c": ["3", "4"]}, "train")],
)
def test_an_empty_side_is_refused(validation: dict[str, list[str]], test: dict[str, list[str]], side: str) -> None:
    with pytest.raises(SplitError, match=f"no clip for {side}; give every side at least one speaker"):
        split_by_speaker(FOUR, validation, test)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("123456"), st.integers(0, 7)), max_size=30))
def test_whatever_passes_shares_nothing(drawn: list[tuple[str, int]]) -> None:
    clips = [clip(speaker, f"f{sound}") for speaker, sound in drawn]
    try:
        split = split_by_speaker(clips, {"c": ["1", "2"]}, {"c": ["3"]})
    except SplitError:
        sides = {"1": "validation", "2": "validation", "3": "test"}
        homes: dict[int, set[str]] = {}
        for speaker, sound in drawn:
            homes.setdefault(sound, set()).add(sides.get(speaker, "train"))
        heard = {speaker for speaker, _ in drawn}
        assert any(len(home) > 1 for home in homes.values()) or not heard >= set("123") or not heard & set("456")
        return
    sides_of_split = (split.train, split.validation, split.test)
    assert sum(map(len, sides_of_split)) == len(clips)
    for what in ("speaker", "fingerprint"):
        values = [{getattr(item, what) for item in side} for side in sides_of_split]
        assert sum(map(len, values)) == len(set().union(*values))


def test_rows_of_strangers_are_no_leak() -> None:
    refuse_leak([FOUR[0], FOUR[0], FOUR[1]], [FOUR[2], FOUR[3], FOUR[3]])  # copies repeat their source


@pytest.mark.parametrize(
    ("held", "words"),
    [(clip("1", "another take"), r"speaker c/1 "), (clip("9", "c/1"), r"sound c/1 "), (FOUR[0], r"c/1 .*is held out")],
)
def test_an_augmented_copy_whose_source_is_held_out_is_refused(held: Clip, words: str) -> None:
    copies = [source for source in FOUR[:2] for _ in range(8)]  # eight rows of each clip, augmented or not
    with pytest.raises(LeakError, match=words):
        refuse_leak(copies, [FOUR[2], held])
