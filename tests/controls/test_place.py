from __future__ import annotations

import pytest

from stream_ser.controls.place import seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("83", 83.0), ("1:23", 83.0), ("1:02:03", 3723.0), (" 0:05.5 ", 5.5), ("90:00", 5400.0)),
        *((text, None) for text in ("x", "-1", "1:2:3:4", "")),
    ],
)
def test_places_are_read_as_people_write_them(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds
