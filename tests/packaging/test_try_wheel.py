"""What a wheel holds is looked at before it is tried, and licences are stated of all that it holds."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from stream_ser_models.card import SHIPPED, read_card
from tests.conftest import ROOT
from tests.packaging import try_wheel

DIST = "stream_ser-0.dist-info"
WHOLE = [*(f"{DIST}{held}" if held.startswith("/") else held for held in try_wheel.HELD), "stream_ser_training/fit.py"]


def wheel(folder: Path, names: list[str]) -> Path:
    path = folder / "stream_ser-0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return path


def test_a_whole_wheel_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try_wheel.inspect(wheel(tmp_path, WHOLE))
    assert "installs stream_ser, stream_ser_models, stream_ser_training" in capsys.readouterr().out


def test_a_foreign_top_level_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(try_wheel.WheelError, match=r"installs models, training, which"):
        try_wheel.inspect(wheel(tmp_path, [*WHOLE, "models/card.py", "training/fit.py"]))


@pytest.mark.parametrize("lost", WHOLE[:-1])
def test_a_file_that_is_missing_is_named(lost: str, tmp_path: Path) -> None:
    with pytest.raises(try_wheel.WheelError, match=f"lacks .*{Path(lost).name}"):
        try_wheel.inspect(wheel(tmp_path, [name for name in WHOLE if name != lost]))


def test_a_wheel_that_has_grown_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(try_wheel, "MOST_MB", 1e-6)
    with pytest.raises(try_wheel.WheelError, match="MB, more than"):
        try_wheel.inspect(wheel(tmp_path, WHOLE))


def test_a_command_that_fails_or_says_something_else_is_told_with_its_last_lines(tmp_path: Path) -> None:
    with pytest.raises(try_wheel.WheelError, match=r"(?s)ended with code 3.*the last word"):
        try_wheel.run(["sh", "-c", "echo the last word; exit 3"], tmp_path)
    with pytest.raises(try_wheel.WheelError, match=r"without .*finished"):
        try_wheel.run(["echo", "began"], tmp_path, "finished")


@pytest.mark.parametrize("name", sorted(folder.name for folder in SHIPPED.iterdir() if folder.is_dir()))
def test_the_licence_of_every_shipped_model_is_one_that_is_stated(name: str) -> None:
    stated = (ROOT / "LICENSE-WEIGHTS.md").read_text("utf-8")
    assert read_card(SHIPPED / name).licence.split(" (")[0] in stated
