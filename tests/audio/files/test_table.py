"""Every cell of the table in docs/recordings.md is tried."""

from __future__ import annotations

import pytest

from tests.conftest import ROOT

from .defects import CONTAINERS
from .table import DEFECTS, outcome

PAGE = ROOT / "docs" / "recordings.md"


def cells() -> list[tuple[str, str, str]]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    begin = next(index for index, line in enumerate(lines) if line.startswith("| container |"))
    names = [name.strip() for name in lines[begin].strip("|").split("|")][1:]
    found = []
    for line in lines[begin + 1 : begin + 1 + len(CONTAINERS)]:
        container, *words = (word.strip() for word in line.strip("|").split("|"))
        found += [(container, defect, word) for defect, word in zip(names, words, strict=True)]
    return found


def test_the_page_has_every_container_and_defect() -> None:
    assert [(container, defect) for container, defect, _ in cells()] == [
        (container, defect) for container in CONTAINERS for defect in DEFECTS
    ]


@pytest.mark.parametrize("container", CONTAINERS)
def test_what_the_page_says_is_what_happens(container: str, capfd: pytest.CaptureFixture[str]) -> None:
    said = {defect: word for name, defect, word in cells() if name == container}
    assert {defect: outcome(container, defect) for defect in DEFECTS} == said
    capfd.readouterr()  # libmpg123 prints of itself
