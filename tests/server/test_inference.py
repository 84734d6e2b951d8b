from __future__ import annotations

import pytest

from stream_ser.server.config import ServeConfig
from stream_ser.server.inference import MOST_THREADS, InferenceService, threads_for


def config(processes: int = 1, threads: int = 0) -> ServeConfig:
    bus = "nats://127.0.0.1:4222" if processes > 1 else ""
    return ServeConfig(processes=processes, bus=bus, inference_threads=threads)


@pytest.mark.parametrize(("cores", "processes", "threads"), [(1, 1, 1), (2, 1, 2), (2, 2, 1), (2, 3, 1), (16, 2, 4)])
def test_a_process_has_a_thread_of_the_model_for_each_of_its_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, processes: int, threads: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert threads_for(config(processes)) == threads <= MOST_THREADS
    assert threads_for(config(processes, threads=7)) == 7


def test_the_service_runs_as_many_and_ends_them() -> None:
    service = InferenceService("mscnn-stream", "onnx", 0.5, 10, threads=3)
    service.open()
    workers = service.worker._workers
    assert len(workers) == 3
    service.close()
    for worker in workers:
        worker._thread.join(60.0)
        assert not worker._thread.is_alive()
