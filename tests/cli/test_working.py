from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stream_ser.cli.working import Working, running
from stream_ser.pipeline.runtime import Options
from tests.cli.test_progress import Terminal
from tests.tui.wire import Clock


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_what_is_over_soon_is_not_told() -> None:
    for out in (Terminal(), io.StringIO()):
        with Working("counting", out=out, patient_s=600.0):
            pass
        assert out.getvalue() == ""


@pytest.mark.parametrize("kind", [Terminal, io.StringIO])
def test_what_takes_longer_is(kind: type[io.StringIO]) -> None:
    out, clock = kind(), Clock()
    with Working("making a.png", out=out, clock=clock, patient_s=0.0):
        until(lambda: "making a.png, 0 s so far" in out.getvalue())
    if kind is Terminal:
        assert out.getvalue().endswith("\r\x1b[K"), "the line is taken away"
    else:
        assert out.getvalue() == "stream-ser: making a.png, 0 s so far\n"


def test_each_part_is_told_when_it_begins() -> None:
    out, clock = io.StringIO(), Clock()
    with Working("measuring part", 2, out=out, clock=clock, patient_s=600.0) as working:
        for part in ("machine", "engine onnx", "peer"):
            working.now(part)
            clock.now += 20.4
    assert out.getvalue().splitlines() == [
        "stream-ser: measuring part 1/2: machine, 0 s so far",
        "stream-ser: measuring part 2/2: engine onnx, 20 s so far",
        "stream-ser: measuring part 3/3: peer, 41 s so far",
    ]


def test_work_goes_on_where_nobody_looks() -> None:
    read, write = os.pipe()
    os.close(read)
    out = os.fdopen(write, "w")
    with Working("working", out=out, patient_s=600.0) as working:
        working.now("a part")
    with pytest.raises(BrokenPipeError):
        out.close()


def test_nothing_draws_after_it_even_where_the_work_failed() -> None:
    before = threading.active_count()
    with pytest.raises(RuntimeError), Working("failing", out=io.StringIO()):
        raise RuntimeError
    assert threading.active_count() == before


def test_a_file_that_takes_long_to_write_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = threading.Event()
    monkeypatch.setattr("stream_ser.cli.working.PATIENT_S", 0.0)

    class Slow:
        def close(self) -> None:
            assert waiting.wait(20.0)

    monkeypatch.setattr("stream_ser.pipeline.runtime.make_writer", lambda *_: Slow())
    out = tmp_path / "a.png"
    with running(Options(feed="off", out=out)):
        said = threading.Thread(target=_release, args=(waiting, capsys, f"writing {out}, 0 s so far"))
        said.start()
    said.join()


def _release(waiting: threading.Event, capsys: pytest.CaptureFixture[str], words: str) -> None:
    told = ""

    def is_told() -> bool:
        nonlocal told
        told += capsys.readouterr().err
        return words in told

    until(is_told)
    waiting.set()
