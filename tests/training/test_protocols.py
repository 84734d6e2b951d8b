"""Every protocol holds out whom it should, and refuses what would leak."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stream_ser_training.clips import Clip, CorpusError
from stream_ser_training.corpora import read_corpora
from stream_ser_training.protocols import Fold, ProtocolConfig, make_folds
from stream_ser_training.recipe import read_task
from stream_ser_training.splits import LeakError, SplitError

LABELS = ("angry", "sad")


def clips(people: dict[str, str], corpus: str = "c", sessions: dict[str, str] | None = None) -> list[Clip]:
    """One clip of each label for every speaker; ``people`` maps names to sexes."""
    return [
        Clip(corpus, Path(f"{name}-{label}.wav"), f"{corpus}/{name}", sex, label, 1.0, f"{corpus}/{name}/{label}",
             session=(sessions or {}).get(name, ""))
        for name, sex in people.items()
        for label in LABELS
    ]  # fmt: skip


def same_sound(one: Clip, other: Clip) -> Clip:
    return Clip(one.corpus, one.path, one.speaker, one.sex, one.label, 1.0, other.fingerprint)


def sides(fold: Fold) -> tuple[str, str, str]:
    split = fold.split
    return tuple(  # type: ignore[return-value]
        " ".join(sorted({clip.speaker.partition("/")[2] for clip in side}))
        for side in (split.train, split.validation, split.test)
    )


SIX = {"a": "F", "b": "M", "c": "F", "d": "F", "e": "M", "f": "M"}


def table(root: Path, text: str, corpus: str = "c") -> Path:
    (root / corpus).mkdir(exist_ok=True)
    (root / corpus / "folds.csv").write_text(text, "utf-8")
    return root


def test_a_hold_out_with_a_corpus_that_is_only_tested(tmp_path: Path) -> None:
    config = ProtocolConfig(validation={"c": ["b"]}, test={"c": ["a"]}, cross=("x",))
    (fold,) = make_folds(config, [*clips(SIX), *clips({"z": "F"}, "x")], tmp_path)
    assert (fold.name, sides(fold)) == ("holdout", ("c d e f", "b", "a"))
    assert [clip.corpus for clip in fold.cross] == ["x", "x"]


def test_public_folds_and_who_chooses(tmp_path: Path) -> None:
    root = table(tmp_path, "speaker,fold\na,1\nb,1\nc,2\nd,2\ne,3\nf,3\n")
    folds = make_folds(ProtocolConfig("folds", validation_speakers=2), clips(SIX), root)
    assert [(fold.name, *sides(fold)) for fold in folds] == [
        ("1", "d f", "c e", "a b"),  # a woman of the next fold and, as it has no man, one of the fold after
        ("2", "b f", "a e", "c d"),
        ("3", "c d", "a b", "e f"),
    ]


def test_public_folds_with_development_speakers_follow_them(tmp_path: Path) -> None:
    rotated = [("1", "abcdef"), ("2", "cdefab"), ("3", "efabcd")]
    order = ("Test", "Test", "Train", "Train", "Development", "Development")
    rows = [f"{fold},{who},{side}" for fold, people in rotated for who, side in zip(people, order, strict=True)]
    root = table(tmp_path, "\n".join(["fold,speaker,split", *rows]) + "\n")
    folds = make_folds(ProtocolConfig("folds"), clips(SIX), root)
    assert [sides(fold) for fold in folds] == [("c d", "e f", "a b"), ("e f", "a b", "c d"), ("a b", "c d", "e f")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("speaker,fold\na,1\nb,2\nc,3\nd,3\ne,3\n", "no fold for c/f; complete folds.csv"),
        ("speaker,group\na,1\n", "no columns speaker and fold"),
        ("", "no columns speaker and fold"),
        ("speaker,fold\na,1\na,2\n", "speaker a in two Test folds"),
    ],
)
def test_folds_that_cannot_be_followed(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(CorpusError, match=words):
        make_folds(ProtocolConfig("folds"), clips(SIX), table(tmp_path, text))


def test_a_corpus_without_public_folds(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"cannot read .*folds\.csv.*needs the corpus's public folds"):
        make_folds(ProtocolConfig("folds"), clips(SIX), tmp_path)


@pytest.mark.parametrize("shuffle", [False, True])
def test_one_speaker_is_left_out_whatever_the_order_of_clips(tmp_path: Path, shuffle: bool) -> None:
    given = clips({name: SIX[name] for name in "abcd"})
    folds = make_folds(ProtocolConfig("speakers", validation_speakers=1), given[::-1] if shuffle else given, tmp_path)
    assert [(fold.name, *sides(fold)) for fold in folds] == [
        ("a", "c d", "b", "a"),
        ("b", "a d", "c", "b"),
        ("c", "a b", "d", "c"),
        ("d", "b c", "a", "d"),
    ]


def test_speakers_of_one_name_in_two_corpora_have_folds_of_their_own(tmp_path: Path) -> None:
    given = [*clips({"1": "F", "2": "M"}), *clips({"1": "F", "2": "M"}, "d")]
    folds = make_folds(ProtocolConfig("speakers", validation_speakers=1), given, tmp_path)
    assert [fold.name for fold in folds] == ["c-1", "c-2", "d-1", "d-2"]


def test_a_sound_filed_under_two_speakers_makes_them_one(tmp_path: Path) -> None:
    given = clips(dict.fromkeys("abcd", ""))
    given[4] = same_sound(given[4], given[0])  # of c, and of a
    folds = make_folds(ProtocolConfig("speakers", validation_speakers=1), given, tmp_path)
    assert [(fold.name, *sides(fold)) for fold in folds] == [
        ("a+c", "d", "b", "a c"), ("b", "a c", "d", "b"), ("d", "b", "a c", "d")
    ]  # fmt: skip


@pytest.mark.parametrize("named", [True, False])
def test_one_session_is_left_out(tmp_path: Path, named: bool) -> None:
    people = {f"Ses0{n}{sex}": sex for n in (1, 2, 3) for sex in "FM"}
    sessions = {name: name[:5] for name in people} if named else None
    folds = make_folds(ProtocolConfig("sessions"), clips(people, sessions=sessions), tmp_path)
    assert [fold.name for fold in folds] == ["Ses01", "Ses02", "Ses03"]
    assert sides(folds[0]) == ("Ses03F Ses03M", "Ses02F Ses02M", "Ses01F Ses01M")


def test_a_speaker_without_a_session(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="c/a belongs to no session"):
        make_folds(ProtocolConfig("sessions"), clips(SIX), tmp_path)


def test_a_sound_in_two_folds_is_refused_by_the_folds_name(tmp_path: Path) -> None:
    given = clips(SIX)
    given[4] = same_sound(given[4], given[0])  # of c in fold 2, and of a in fold 1
    root = table(tmp_path, "speaker,fold\na,1\nb,1\nc,2\nd,2\ne,3\nf,3\n")
    with pytest.raises(LeakError, match=r"fold 1: fingerprint c/a/angry .* in both"):
        make_folds(ProtocolConfig("folds"), given, root)


def test_a_cross_corpus_sound_that_was_learnt_is_refused(tmp_path: Path) -> None:
    given = clips(SIX)
    config = ProtocolConfig("speakers", cross=("x",), validation_speakers=1)
    copied = same_sound(clips({"z": "F"}, "x")[0], given[0])
    with pytest.raises(LeakError, match=r"fold b, cross-corpus test: sound c/a/angry"):
        make_folds(config, [*given, copied], tmp_path)


def test_a_class_that_nobody_teaches_is_named(tmp_path: Path) -> None:
    given = [clip for clip in clips(SIX) if clip.label == "angry" or clip.speaker == "c/b"]
    with pytest.raises(SplitError, match="fold a trains on no clip of sad"):
        make_folds(ProtocolConfig("speakers", validation_speakers=1), given, tmp_path)


def test_too_few_speakers_and_a_silent_corpus(tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="2 folds of speakers; training, validation and test need three"):
        make_folds(ProtocolConfig("speakers"), clips({"a": "F", "b": "M"}), tmp_path)
    with pytest.raises(SplitError, match="no clip of x, which cross names"):
        make_folds(ProtocolConfig("speakers", cross=("x",)), clips(SIX), tmp_path)


def test_an_unknown_kind() -> None:
    with pytest.raises(ValueError, match="kind 'random' is unknown; choose one of holdout, folds, speakers, sessions"):
        ProtocolConfig("random")


@pytest.mark.skipif("STREAM_SER_DATA" not in os.environ, reason="needs the corpora in STREAM_SER_DATA")
@pytest.mark.parametrize(("name", "count"), [("ravdess8", 6), ("emodb7", 10), ("pooled4", 1)])
def test_bundled_protocols_on_the_real_corpora(name: str, count: int) -> None:
    task, data = read_task(name), Path(os.environ["STREAM_SER_DATA"])
    given = read_corpora(data, [*dict.fromkeys([*task.corpora, *task.protocol.cross])], task.label_column)
    folds = make_folds(task.protocol, given, data)
    assert len(folds) == count
    for fold in folds:
        split = fold.split
        assert len(split.train) + len(split.validation) + len(split.test) + len(fold.cross) == len(given)
        assert {clip.label for clip in split.train} == set(task.labels)
    if count > 1:  # everybody is tested once
        tested = [clip.path for fold in folds for clip in fold.split.test]
        assert sorted(tested) == sorted(clip.path for clip in given)


def test_a_corpus_is_left_out_whole_while_named_speakers_of_the_others_choose(tmp_path: Path) -> None:
    every = [*clips(SIX, "one"), *clips(SIX, "two"), *clips(SIX, "more"), *clips(SIX, "far")]
    config = ProtocolConfig("corpora", validation={"one": ["a"], "two": ["b"]}, cross=("far",), extra=("more",))
    folds = {fold.name: fold for fold in make_folds(config, every, tmp_path)}
    assert sorted(folds) == ["one", "two"]
    fold = folds["one"]
    assert {clip.corpus for clip in fold.split.test} == {"one"}
    assert {clip.speaker for clip in fold.split.validation} == {"two/b"}
    assert {clip.speaker for clip in fold.split.train} == {f"two/{who}" for who in "acdef"} | {f"more/{w}" for w in SIX}
    assert {clip.corpus for clip in fold.cross} == {"far"}


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (ProtocolConfig("corpora", validation={"one": ["a"]}, extra=("two",)), "1 corpora to leave out"),
        (ProtocolConfig("corpora", validation={"one": ["a"]}), "fold one has no clip for validation"),
        (ProtocolConfig("corpora", validation={"one": ["z"]}), "validation speakers without a clip: one/z"),
    ],
)
def test_corpora_that_cannot_be_left_out_are_named(config: ProtocolConfig, says: str, tmp_path: Path) -> None:
    with pytest.raises(SplitError, match=says):
        make_folds(config, [*clips(SIX, "one"), *clips(SIX, "two")], tmp_path)


@pytest.mark.skipif("STREAM_SER_DATA" not in os.environ, reason="needs the corpora in STREAM_SER_DATA")
@pytest.mark.parametrize("name", ["loco", "loco_more"])
def test_strangers_are_three_whole_corpora_and_emovo(name: str) -> None:
    task, data = read_task(name), Path(os.environ["STREAM_SER_DATA"])
    given = read_corpora(data, [*dict.fromkeys([*task.corpora, *task.protocol.cross])], task.label_column)
    folds = {fold.name: fold for fold in make_folds(task.protocol, given, data)}
    assert sorted(folds) == ["emodb", "nemo", "ravdess"]
    for corpus, fold in folds.items():
        assert {clip.corpus for clip in fold.split.test} == {corpus}
        assert sorted(c.path for c in fold.split.test) == sorted(c.path for c in given if c.corpus == corpus)
        assert {clip.corpus for clip in fold.cross} == {"emovo"}
        learnt = {clip.corpus for clip in fold.split.train}
        assert learnt == {"emodb", "nemo", "ravdess", *task.protocol.extra} - {corpus}
        assert {clip.corpus for clip in fold.split.validation} == {"emodb", "nemo", "ravdess"} - {corpus}
