"""What the front end costs is said where a profile can tell it, and of every shipped model it is known whether it can."""

from __future__ import annotations

import pytest

from stream_ser.bench.front_end import front_end_share
from stream_ser_models.card import find, read_card, shipped


@pytest.mark.parametrize("name", shipped())
def test_a_share_lies_between_nothing_and_all(name: str) -> None:
    card = read_card(find(name))
    share = front_end_share(find(name), card, runs=2)
    assert share is None or 0.0 < share < 1.0
    if card.encoder is not None:
        assert share is None, "the encoder is a file of its own"


def test_the_front_end_of_a_network_on_samples_is_told_apart() -> None:
    assert front_end_share(find("cnn-bilstm"), read_card(find("cnn-bilstm")), runs=2) is not None
