from __future__ import annotations

import io

import pytest

from stream_ser.cli.progress import Progress
from tests.tui.wire import Clock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "90")


def frames(bar: io.StringIO) -> list[str]:
    return [frame.removesuffix("\x1b[K") for frame in bar.getvalue().split("\r")[1:]]


def test_a_terminal_sees_one_line_that_grows() -> None:
    out, bar, clock = io.StringIO(), Terminal(), Clock()
    progress = Progress(4, 0, out, bar, clock)
    progress.skip()
    for slot in range(81):
        progress.at("a\x1b.wav", 0.25 * slot, 40.1)
        clock.now += 0.025
    progress.done("a\x1b.wav", 20.0, "not shown")
    progress.clear()
    drawn = frames(bar)
    assert drawn[0].startswith("[██████··················] 1/4, 0 × real time  a␛.wav")
    assert drawn[-2] == "[█████████···············] 1/4, 10 × real time, 0:10 left  a␛.wav"
    assert drawn[-1] == ""
    assert 15 < len(drawn) < 25, "at most ten a second"
    assert out.getvalue() == ""


def test_what_is_under_way_at_once_is_added_up() -> None:
    bar, clock = Terminal(), Clock()
    progress = Progress(4, 2, io.StringIO(), bar, clock)
    clock.now += 10.0
    progress.at("a.wav", 30.0, 60.0)
    clock.now += 10.0
    progress.at("b.wav", 15.0, 60.0)
    assert frames(bar)[-1] == "[████████████████········] 2/4, 2 × real time, 0:33 left  b.wav"


def test_elsewhere_there_is_a_line_for_each_recording() -> None:
    out, bar = io.StringIO(), io.StringIO()
    progress = Progress(3, 1, out, bar, Clock())
    progress.at("b.wav", 0.2, 1.0)  # two of them at once
    progress.at("a.wav", 0.1, None)
    progress.done("a.wav", 0.25, "well")
    assert progress.sound_s == 0.45
    progress.done("b.wav", 0.25, "well")
    progress.clear()
    assert out.getvalue() == "2/3 a.wav: well\n3/3 b.wav: well\n"
    assert bar.getvalue() == ""
    assert progress.sound_s == 0.5


def test_a_narrow_terminal_is_not_overrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    bar = Terminal()
    Progress(4, 0, io.StringIO(), bar, Clock()).at("x" * 100, 0.0, None)
    assert len(frames(bar)[0]) == 39
