"""What else has to be loaded is loaded while the model is, and nothing is left running where it cannot be."""

from __future__ import annotations

import threading

import pytest

from stream_ser.engine.worker import Worker
from stream_ser.errors import ConfigError, EngineError, SourceError
from stream_ser.pipeline.runtime import Options, Runtime, run_to_end
from tests.fakes import FakeBackend

OPTIONS = Options(feed="off")


def loading_until(told: threading.Event, made: list[Worker]) -> type[Worker]:
    """Workers whose engine is not there before ``told`` is set."""

    def load() -> FakeBackend:
        assert told.wait(10.0), "the model was waited for before what may be done meanwhile"
        return FakeBackend()

    class Slow(Worker):
        def __init__(self, _: object, **options: int) -> None:
            super().__init__(load, **options)
            made.append(self)

    return Slow


def test_meanwhile_is_while_the_model_is_being_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    told, made = threading.Event(), list[Worker]()
    monkeypatch.setattr("stream_ser.engine.worker_pool.Worker", loading_until(told, made))
    with Runtime(OPTIONS, meanwhile=told.set) as runtime:
        assert len(made) == 1
        assert runtime.worker.engine == FakeBackend.name
    assert not made[0]._thread.is_alive()


def test_what_fails_meanwhile_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    told, made = threading.Event(), list[Worker]()
    monkeypatch.setattr("stream_ser.engine.worker_pool.Worker", loading_until(told, made))

    def fail() -> None:
        told.set()
        raise ConfigError("there is no screen", fix="use --headless")

    with pytest.raises(ConfigError, match="there is no screen"), Runtime(OPTIONS, meanwhile=fail):
        pass
    made[0]._thread.join(10.0)
    assert not made[0]._thread.is_alive()


def test_a_model_that_cannot_be_loaded_is_told_of() -> None:
    with pytest.raises(EngineError, match=r"no CUDA device|not installed"), Runtime(Options(engine="cuda", feed="off")):
        pass


class Cut:
    """A session that is interrupted, as by Ctrl-C, and whose sound then complains that it was cut off."""

    error: BaseException | None = None

    def __init__(self, interrupt: bool) -> None:
        self._interrupt = interrupt

    def start(self) -> None:
        if self._interrupt:
            raise KeyboardInterrupt
        self.error = SourceError("only 3 s can be read", fix="get a complete copy")

    def stop(self) -> None:
        self.error = SourceError("only 3 s can be read", fix="get a complete copy")

    def wait(self, timeout_s: float | None = None) -> bool:  # noqa: ARG002
        return True


def test_who_interrupts_is_told_so_whatever_the_end_complains_of() -> None:
    assert run_to_end(Cut(interrupt=True))
    with pytest.raises(SourceError, match="only 3 s"):
        run_to_end(Cut(interrupt=False))
