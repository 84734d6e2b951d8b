from __future__ import annotations

from itertools import combinations, product

import pytest
from textual.geometry import Region

from stream_ser.tui.layout import Shape, places

FLAGS = list(product([False, True], repeat=6))
HIDDEN = [
    frozenset[str](),
    frozenset({"timeline"}),
    frozenset({"bars", "scrubber"}),
    frozenset({"meter", "status", "plane"}),
]


@pytest.mark.parametrize("size", [(80, 23), (140, 44), (100, 30), (250, 70), (129, 33), (72, 20)])
@pytest.mark.parametrize("labels", [0, 4, 8, 26])
def test_panels_share_out_the_screen(size: tuple[int, int], labels: int) -> None:
    for flags, hidden in product(FLAGS, HIDDEN):
        found = places(*size, Shape(labels, *flags, hidden))
        assert "header" in found
        assert not found.keys() & hidden
        for one, other in combinations(found.values(), 2):
            assert not one.overlaps(other), found
        whole = Region(0, 0, *size)
        assert all(whole.contains_region(region) for region in found.values())
        assert sum(region.area for region in found.values()) == whole.area, "no cell is left over"


@pytest.mark.parametrize("size", [(71, 40), (200, 19), (40, 11), (1, 1)])
def test_below_the_smallest_size_there_is_one_panel(size: tuple[int, int]) -> None:
    assert places(*size, Shape(4, False, False, False, False, False)) == {"small": Region(0, 0, *size)}


def test_in_few_rows_the_whole_recording_has_the_last_row_while_there_is_no_notice() -> None:
    for size, notice, shown in (((80, 23), True, False), ((80, 23), False, True), ((140, 44), True, True)):
        assert ("scrubber" in places(*size, Shape(4, False, False, False, False, False, notice))) == shown


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
    assert places(250, 70, shape)["why"].width == 80, "a great screen is used"
    wide = places(140, 44, shape)
    assert wide["why"].x == wide["timeline"].right
