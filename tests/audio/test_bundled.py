"""One function finds the bundled recording, in a clone and in a wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_ser.audio.bundled import NAME, bundled_recording
from stream_ser.errors import SourceError
from tests.conftest import BUNDLED


def test_in_a_clone_it_is_the_one_in_demos() -> None:
    assert bundled_recording().samefile(BUNDLED)


def test_what_a_wheel_holds_comes_first(tmp_path: Path) -> None:
    (tmp_path / "wheel").mkdir()
    (tmp_path / "wheel" / NAME).write_bytes(b"fLaC")
    assert bundled_recording((tmp_path / "wheel", BUNDLED.parent)) == tmp_path / "wheel" / NAME


def test_where_it_is_missing_it_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="install stream-ser again") as refused:
        bundled_recording((tmp_path / "a", tmp_path / "b"))
    assert str(tmp_path / "a") in refused.value.what
    assert str(tmp_path / "b") in refused.value.what
