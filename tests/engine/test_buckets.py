from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_ser.engine.buckets import BUCKETS, bucket_for, buckets, split

limits = st.integers(1, 5_000)


def test_powers_of_two_and_the_limit() -> None:
    assert BUCKETS == (1, 2, 4, 8, 16, 32, 64, 128, 256)
    assert [buckets(limit) for limit in (1, 2, 3, 8, 100)] == [
        (1,),
        (1, 2),
        (1, 2, 3),
        (1, 2, 4, 8),
        (1, 2, 4, 8, 16, 32, 64, 100),
    ]


@given(limits)
def test_buckets_ascend_from_one_to_the_limit(limit: int) -> None:
    made = buckets(limit)
    assert (made[0], made[-1]) == (1, limit)
    assert all(a < b <= 2 * a for a, b in pairwise(made))


@given(limits, st.data())
def test_a_bucket_is_the_smallest_that_holds_the_rows(limit: int, data: st.DataObject) -> None:
    n, made = data.draw(st.integers(1, limit)), buckets(limit)
    found = bucket_for(n, made)
    assert found in made
    assert n <= found
    assert all(other < n for other in made if other < found)


@given(st.integers(0, 20_000), limits)
def test_pieces_cover_all_rows_in_order_and_fit(n: int, limit: int) -> None:
    made = buckets(limit)
    pieces = split(n, made)
    assert [row for piece in pieces for row in range(n)[piece]] == list(range(n))
    assert all(0 < piece.stop - piece.start <= made[-1] for piece in pieces)
    assert len(pieces) == -(-n // limit)


@pytest.mark.parametrize("n", [0, -1, 9])
def test_what_fits_nowhere_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"{n} rows"):
        bucket_for(n, (1, 2, 4, 8))


def test_sizes_below_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="0 rows"):
        buckets(0)
    with pytest.raises(ValueError, match="-1 rows"):
        split(-1, (1,))
