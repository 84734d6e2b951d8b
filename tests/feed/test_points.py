from __future__ import annotations

from dataclasses import replace

from stream_ser.feed import messages
from stream_ser.feed.points import point_of
from stream_ser.types import Timing
from tests.feed.wire import make_info, make_point


def test_a_message_becomes_the_point_that_it_tells_of() -> None:
    for made in (
        make_point(3),
        make_point(4, "silence", None),
        replace(make_point(5), dimensions=(0.5, -0.25)),
    ):
        info = replace(make_info(), dimensions=("activation", "valence") if made.dimensions else ())
        read = point_of(messages.point(info, made, 1_007_000_000, 0))
        assert read == replace(made, timing=read.timing)


def test_times_count_from_the_sounds_arrival() -> None:
    timing = Timing(5_000_000_000, 5_000_500_000, 5_006_750_000, 4_990_000_000, 5_006_800_000)
    message = messages.point(make_info(), make_point(timing=timing), 5_007_000_000)
    assert point_of(message).timing == Timing(0, 500_000, 6_750_000, -10_000_000, 6_800_000)
    unasked = messages.point(make_info(), make_point(timing=Timing(5_000_000_000)), 5_007_000_000)
    assert point_of(unasked).timing == Timing(0)


def test_a_model_without_dimensions_and_one_that_was_not_asked_are_none() -> None:
    info = replace(make_info(), dimensions=("activation",))
    assert point_of(messages.point(info, make_point(1, "silence", None), 0)).dimensions is None
    assert point_of(messages.point(make_info(), make_point(1), 0)).dimensions is None
