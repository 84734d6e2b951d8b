from __future__ import annotations

from pathlib import Path

from stream_ser.archive.folders import LocalFolder
from stream_ser.archive.listing import Stamp, sort_out

STAMP: Stamp = {"bytes": 1, "modified_ns": 2}


def test_recordings_are_found_in_order(tmp_path: Path) -> None:
    names = ["a.wav", "b/a.wav", "b/c/d.WAV", "b/cut.wav", "b/long.flac", "b/ü é.wav", "empty.mp3"]
    for name in [*reversed(names), "notes.txt", ".hidden.wav", "b/call.m4p", ".git/x.wav"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("no recording")
    listing = LocalFolder(tmp_path).listing()
    assert list(listing.recordings) == names
    assert listing.recordings["a.wav"] == {"bytes": 12, "modified_ns": (tmp_path / "a.wav").stat().st_mtime_ns}
    assert (listing.others, listing.complaints) == ({".m4p": 1}, [])


def test_a_folder_comes_where_its_name_does() -> None:
    names = ["b.wav", "b/a.wav", "b-c/a.wav", "B.wav"]
    assert list(sort_out((name, STAMP) for name in names).recordings) == ["B.wav", "b/a.wav", "b-c/a.wav", "b.wav"]


def test_names_that_lead_elsewhere_are_complained_of() -> None:
    """Objects may have any name, and that of a result is made of it."""
    bad = ["../a.wav", "x/../../a.wav", "/etc/a.wav", "x//a.wav", "./a.wav", "x/\0.wav"]
    listing = sort_out((name, STAMP) for name in [*bad, "x/..a.txt", "good.wav", ".../a.txt"])
    assert list(listing.recordings) == ["good.wav"]
    assert len(listing.complaints) == len(bad)
    assert listing.complaints[0] == (
        "../a.wav was left out: its name would lead out of the folder of results; rename it"
    )
