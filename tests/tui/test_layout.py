from __future__ import annotations

from itertools import combinations, product

import pytest
from textual.geometry import Region

from stream_ser.tui.layout import Shape, places

FLAGS = list(product([False, True], repeat=5))
ALWAYS = {"header", "notice"}


@pytest.mark.parametrize("size", [(80, 23), (140, 44), (100, 30), (250, 70), (129, 33), (40, 11), (1, 1), (80, 12)])
@pytest.mark.parametrize("labels", [0, 4, 8, 26])
def test_panels_share_out_the_screen(size: tuple[int, int], labels: int) -> None:
    for flags in FLAGS:
        found = places(*size, Shape(labels, *flags))
        assert found.keys() >= ALWAYS
        for one, other in combinations(found.values(), 2):
            if size[1] >= 20:
                assert not one.overlaps(other), found
        if size[1] >= 20:
            whole = Region(0, 0, *size)
            assert all(whole.contains_region(region) for region in found.values())
            assert sum(region.area for region in found.values()) == whole.area, "no cell is left over"


@pytest.mark.parametrize("dimensions", [False, True])
@pytest.mark.parametrize("labels", [1, 4, 5])
def test_there_is_a_lane_for_each_of_five_labels_on_the_smallest_screen(labels: int, dimensions: bool) -> None:
    found = places(80, 23, Shape(labels, dimensions, False, dimensions, False, False))
    lanes = found["timeline"].height - 2 - 2
    assert lanes >= labels - (labels == 5 and dimensions)
    assert found["bars"].height - 2 >= labels


def test_what_is_shown_depends_on_what_there_is_and_on_the_width() -> None:
    everything = Shape(4, True, True, True, True, False)
    assert "meter" not in places(80, 23, everything)
    assert {"meter", "alerts", "status", "plane", "words", "dimensions"} <= places(140, 44, everything).keys()
    nothing = places(140, 44, Shape(4, False, False, False, False, False))
    assert not {"alerts", "plane", "words", "dimensions", "why"} & nothing.keys()


def test_the_reason_stands_beside_the_rest_or_in_its_place() -> None:
    shape = Shape(4, False, False, False, False, True)
    assert places(80, 23, shape).keys() == {"header", "notice", "why"}
    wide = places(140, 44, shape)
    assert wide["why"].x == wide["timeline"].right
