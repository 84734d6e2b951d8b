"""Commands in documents can be typed, and links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_ser.cli.main import parser
from stream_ser_models.card import DEFAULT, find, read_card

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])
EACH = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def commands(page: str) -> Iterator[str]:
    """The program's own commands in a page's blocks of shell."""
    for block in re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"\|(?!\|)|&&", re.sub(r"\s#.*", "", line)):
                if part.split()[:1] == ["stream-ser"]:
                    yield part.strip()


@pytest.mark.parametrize(
    "page", sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]), ids=lambda page: page.stem
)
def test_commands_of_the_documents_can_be_typed(page: Path) -> None:
    for command in commands(page.read_text("utf-8")):
        words = shlex.split(command.replace("…", "x"))[1:]
        if words[:1] != ["completion"]:  # whose grammar is the whole command line's
            parser().parse_args(words)


def test_a_command_that_does_not_exist_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = commands("text\n```sh\narecord | stream-ser replay - --modle x  # why\n```\n")
    assert found == "stream-ser replay - --modle x"
    with pytest.raises(SystemExit):
        parser().parse_args(shlex.split(found)[1:])
    assert "did you mean --model?" in capsys.readouterr().err


def anchors(page: str) -> set[str]:
    """What a heading can be linked by."""
    heads = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def broken(page: Path) -> list[str]:
    """Links to files or headings that are not there."""
    found = []
    for name, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", page.read_text("utf-8")):
        target = page.parent / name if name else page
        if "://" in name or name.startswith("mailto:"):
            continue
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in anchors(target.read_text("utf-8"))
        ):
            found.append(f"{name}#{anchor}")
    return found


@EACH
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("# One `two`, three\n[x](#one-two-three) [y](#four) [z](b.md) [w](https://example.org/#x)\n")
    assert broken(page) == ["#four", "b.md#"]


def test_the_readme_has_the_figures_of_the_models_card() -> None:
    page = (ROOT / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| (?:CREMA-D|EmoDB|nEMO|RAVDESS|EMOVO) .*$", page, re.MULTILINE)
    assert len(rows) == 5
    streams = read_card(find(DEFAULT)).figures["streams"]
    for row in rows:
        name, _, nobody, caller, recall, telephone, error = (cell.strip() for cell in row.strip("| ").split(" | "))
        corpus = {"CREMA-D": "crema_d", "EMOVO": "cross:emovo"}.get(name.split()[0], name.split()[0].lower())
        heard = streams["caller"][corpus]
        for told, share, room in (
            (nobody, streams["plain"][corpus]["UA"], 0.051),
            (caller, heard["UA"], 0.051),
            (telephone, streams["telephone caller"][corpus]["UA"], 0.051),
            *((one, share, 0.51) for one, share in zip(recall.split(" / "), heard["recall"].values(), strict=True)),
        ):
            assert told == "–" or abs(float(told.removesuffix(" %")) - 100 * share) < room, (name, told, share)
        assert abs(float(error) - heard["ECE_windows"]) < 0.0051
