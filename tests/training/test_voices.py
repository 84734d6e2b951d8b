"""The caller's baseline is causal, counts speech alone, and training histories come from the same voice and line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream_ser_models.card import VOICE_CAP_S
from stream_ser_training.clips import Clip
from stream_ser_training.corpora import NOBODY
from stream_ser_training.feature_cache import Staged
from stream_ser_training.voices import MOST, Histories, stream_histories

LABELS = ("angry", "happy", "neutral", "sad")
COPIES = 2


def clip(voice: str, label: str, take: int, corpus: str = "one") -> Clip:
    name = f"{voice}-{label}-{take}"
    return Clip(corpus, Path(name), f"{corpus}/{voice}", "", label, 1.0, f"{corpus}/{name}")


CLIPS = [clip(voice, label, take) for voice in "AB" for label in LABELS for take in range(4)]


def staged_of(clips: list[Clip], count: int = COPIES, seconds: float = 1.5) -> tuple[Staged, np.ndarray]:
    """Rows of nothing, and voice vectors (rows, 3) of which each holds its own number."""
    places = {item.fingerprint: np.arange(count * k, count * (k + 1)) for k, item in enumerate(clips)}
    total = count * len(clips)
    vectors = np.arange(total, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
    return Staged(np.zeros((total, 1, 3), np.float16), places, np.full(total, seconds, np.float32)), vectors


def test_a_clip_is_asked_with_what_came_before_it_and_nothing_else() -> None:
    staged, vectors = staged_of(CLIPS)
    found = stream_histories(CLIPS, staged, vectors, "caller", 1)
    changed = vectors.copy()
    last = max((c for c in CLIPS if c.speaker == "one/A"), key=lambda c: found[c.fingerprint][1][0])
    changed[staged.rows_of(last)] = 1e6  # the stream's end
    again = stream_histories(CLIPS, staged, changed, "caller", 1)
    for item in CLIPS:
        if item is not last:
            np.testing.assert_array_equal(found[item.fingerprint][0], again[item.fingerprint][0])
    np.testing.assert_array_equal(found[last.fingerprint][0], again[last.fingerprint][0])
    first = min((c for c in CLIPS if c.speaker == "one/A"), key=lambda c: found[c.fingerprint][1][0])
    changed = vectors.copy()
    changed[staged.rows_of(first)] = 1e6
    later = stream_histories(CLIPS, staged, changed, "caller", 1)
    assert not np.array_equal(found[last.fingerprint][0], later[last.fingerprint][0])


def test_the_sums_are_those_of_the_voices_own_windows() -> None:
    staged, vectors = staged_of(CLIPS)
    found = stream_histories(CLIPS, staged, vectors, "caller", 1)
    for voice in ("one/A", "one/B"):
        own = sorted((c for c in CLIPS if c.speaker == voice), key=lambda c: float(found[c.fingerprint][1][0]))
        total, seconds = np.zeros(3, np.float32), 0.0
        for item in own:
            for window in range(COPIES):  # the second overlaps the first, which therefore is not known yet
                np.testing.assert_allclose(found[item.fingerprint][0][window], total, rtol=1e-5)
                assert found[item.fingerprint][1][window] == pytest.approx(seconds)
            for row in staged.rows_of(item):
                total, seconds = total + 1.5 * vectors[row], seconds + 1.5


def test_within_a_clip_a_window_knows_those_that_ended_before_it_began() -> None:
    long = [clip("A", "sad", 0)]
    staged, vectors = staged_of(long, count=9, seconds=1.0)
    total, known = stream_histories(long, staged, vectors, "caller", 1)[long[0].fingerprint]
    # Every 0.4 s: window 5 begins at 2 s, where window 0 ends. The last may begin up to a hop earlier.
    assert known.tolist() == [0, 0, 0, 0, 0, 1, 2, 3, 3]
    assert total[7].tolist() == [0 + 1 + 2] * 3


def test_another_seed_orders_the_stream_otherwise() -> None:
    staged, vectors = staged_of(CLIPS)
    one, same, other = (stream_histories(CLIPS, staged, vectors, "caller", seed) for seed in (1, 1, 2))
    assert all(np.array_equal(one[c.fingerprint][0], same[c.fingerprint][0]) for c in CLIPS)
    assert any(not np.array_equal(one[c.fingerprint][1], other[c.fingerprint][1]) for c in CLIPS)


def test_silence_does_not_enter_the_baseline() -> None:
    staged, vectors = staged_of(CLIPS, seconds=0.0)
    found = stream_histories(CLIPS, staged, vectors, "caller", 1)
    assert all(not total.any() and not known.any() for total, known in found.values())


def test_a_stream_of_one_emotion_knows_that_emotion_alone() -> None:
    staged, vectors = staged_of(CLIPS)
    found = stream_histories(CLIPS, staged, vectors, "one", 1)
    for item in CLIPS:
        rows = np.concatenate([staged.rows_of(c) for c in CLIPS if (c.speaker, c.label) == (item.speaker, item.label)])
        total, known = found[item.fingerprint]
        heard = known > 0.0
        mean = total[heard, 0] / known[heard]
        assert ((mean >= vectors[rows].min()) & (mean <= vectors[rows].max())).all()


def test_a_skewed_stream_is_mostly_neutral() -> None:
    clips = [clip("A", label, take) for label in LABELS for take in range(50)]
    staged, vectors = staged_of(clips)
    vectors[:] = 0.0
    for item in clips:
        vectors[staged.rows_of(item)] = float(item.label == "neutral")
    found = stream_histories(clips, staged, vectors, "neutral", 1)
    late = [item for item in clips if found[item.fingerprint][1][0] > 100.0]
    shares = [found[c.fingerprint][0][0, 0] / found[c.fingerprint][1][0] for c in late]
    assert len(late) > 100
    assert np.mean(shares) == pytest.approx(0.7, abs=0.03)


def test_what_is_long_past_fades() -> None:
    clips = [clip("A", "sad", take) for take in range(300)]
    staged, vectors = staged_of(clips)
    found = stream_histories(clips, staged, vectors, "caller", 1)
    assert max(known.max() for _, known in found.values()) == pytest.approx(VOICE_CAP_S)


def test_people_who_are_not_known_apart_have_no_baseline() -> None:
    corpus, _, voice = sorted(NOBODY)[0].partition("/")
    clips = [clip(voice, "sad", take, corpus) for take in range(4)]
    staged, vectors = staged_of(clips)
    found = stream_histories(clips, staged, vectors, "caller", 1)
    assert all(known[0] == 0.0 for _, known in found.values())
    drawn = Histories(clips, staged, vectors).draw(clips, np.array([0, 2, 4, 6]), np.random.default_rng(0))
    assert not drawn.seconds.any()


def test_an_unknown_stream_is_refused() -> None:
    staged, vectors = staged_of(CLIPS)
    with pytest.raises(ValueError, match="stream 'angry' is unknown; choose one of caller, neutral, one"):
        stream_histories(CLIPS, staged, vectors, "angry", 1)


def test_training_histories_are_of_the_same_voice_and_line_and_never_the_window_itself() -> None:
    staged, vectors = staged_of(CLIPS, seconds=1.0)
    width = len(vectors)
    vectors = np.eye(width, dtype=np.float32)  # a history then says which rows it is of
    histories, rng = Histories(CLIPS, staged, vectors), np.random.default_rng(0)
    lengths = []
    for _ in range(20):
        rows = np.array([rng.choice(staged.rows_of(item)) for item in CLIPS])
        drawn = histories.draw(CLIPS, rows, rng)
        for item, row, total, seconds in zip(CLIPS, rows, drawn.total.numpy(), drawn.seconds.numpy(), strict=True):
            heard = np.flatnonzero(total)
            own = np.concatenate([staged.rows_of(c) for c in CLIPS if c.speaker == item.speaker])
            assert set(heard) <= set(own) - {row}
            assert {int(k) % COPIES for k in heard} <= {int(row) % COPIES}
            assert total.sum() == pytest.approx(seconds)
            lengths.append(float(seconds))
    assert min(lengths) == 0.0
    assert max(lengths) > 20.0
    assert max(lengths) <= MOST
