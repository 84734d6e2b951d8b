from __future__ import annotations

import io

import pytest

from stream_ser.cli.progress import Progress
from tests.tui import wire
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
    progress = Progress(4, out, bar, clock)
    progress.skip()
    progress.begin("a\x1b.wav")
    progress(wire.hello())  # 40.1 s long
    for slot in range(1, 81):
        clock.now += 0.025
        progress(wire.point(slot))
    progress.done("not shown")
    progress.clear()
    drawn = frames(bar)
    assert drawn[0].startswith("[██████··················] 1/4, 0 × real time  a␛.wav")
    assert drawn[-2] == "[█████████···············] 1/4, 10 × real time, 0:10 left  a␛.wav"
    assert drawn[-1] == ""
    assert 15 < len(drawn) < 25, "at most ten a second"
    assert out.getvalue() == ""


def test_elsewhere_there_is_a_line_for_each_recording() -> None:
    out, bar = io.StringIO(), io.StringIO()
    progress = Progress(2, out, bar, Clock())
    for name in ("a.wav", "b.wav"):
        progress.begin(name)
        progress(wire.hello())
        progress(wire.point(1))
        progress.done("well")
    progress.clear()
    assert out.getvalue() == "1/2 a.wav: well\n2/2 b.wav: well\n"
    assert bar.getvalue() == ""
    assert progress.sound_s == 0.5


def test_a_narrow_terminal_is_not_overrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    bar = Terminal()
    Progress(4, io.StringIO(), bar, Clock()).begin("x" * 100)
    assert len(frames(bar)[0]) == 39
