"""A pool of Ray actors, on as many machines as a cluster has: each has a model of its own, and writes its own results.

Recordings, results and models have the same paths or URLs on every machine. Ray starts an actor anew by itself only for tasks
that it may repeat; here the pool decides that, so actors are never restarted and a lost one is replaced.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any

from stream_ser.archive.analysis import Job, Task
from stream_ser.archive.pool import Died, Done, Event, Failed, Ready, answer, failure
from stream_ser.archive.ray_cluster import join
from stream_ser.errors import ConfigError, EngineError

LOOK_S = 1.0  # between two looks, so that Ctrl-C is never waited for longer


class Member:
    """What an actor is: a model that is loaded, and recordings one after another."""

    def __init__(self, member: int, job: Job) -> None:
        self._member = member
        self._closing = ExitStack()
        self._failed: Failed | None = None
        try:
            self._analysis = self._closing.enter_context(job.analysis(lambda *_: None))
        except Exception as error:
            self._failed = failure(member, error)

    def ready(self) -> Ready | Failed:
        """Whether the model is there."""
        return self._failed or Ready(self._member)

    def take(self, task: Task) -> Done | Failed:
        """Analyse one recording."""
        return answer(self._analysis, self._member, task)


class RayPool:
    """Actors that do ``job``, ``count`` of them, or as many as the cluster has cores.

    ``address`` is the cluster's; None is for RAY_ADDRESS, a cluster on this machine, or a new one of this machine alone.
    Raises ConfigError where Ray is not installed; entering, EngineError where there is no such cluster.
    """

    def __init__(self, job: Job, count: int | None, address: str | None, most: int) -> None:
        try:
            import ray
        except ImportError as error:
            raise ConfigError("Ray is not installed", fix="pip install 'stream-ser[ray]', or leave --on out") from error
        self._ray: Any = ray
        self._job, self._count, self._address, self._most = job, count, address, most
        self._actors: dict[int, Any] = {}
        self._futures: dict[Any, int] = {}
        self._began = False

    def __enter__(self) -> RayPool:
        try:
            self._began = join(self._ray, self._address)
            cores = int(self._ray.cluster_resources().get("CPU", 1))
            self._count = max(1, min(self._count or cores, cores, self._most))
            self._actor = self._ray.remote(num_cpus=1, max_restarts=0)(Member)
            for member in range(self._count):
                self.replace(member)
        except Exception as error:
            self._end()
            where = self._address or "this machine"
            raise EngineError(
                f"Ray on {where} cannot be used: {str(error).strip().partition(os.linesep)[0]}",
                fix="see ray status, or start a cluster: ray start --head",
            ) from error
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def members(self) -> Iterable[int]:
        """As of ``Pool``."""
        return range(self._count or 0)

    def give(self, member: int, task: Task) -> None:
        """As of ``Pool``."""
        self._futures[self._actors[member].take.remote(task)] = member

    def events(self) -> list[Event]:
        """As of ``Pool``."""
        done, _ = self._ray.wait(list(self._futures), num_returns=1, timeout=LOOK_S)
        found: list[Event] = []
        for future in done:
            member = self._futures.pop(future)
            try:
                found.append(self._ray.get(future))
            except self._ray.exceptions.RayActorError as error:
                how = str(error).strip().splitlines()
                found.append(Died(member, next((line.strip() for line in how if "ctor" in line), type(error).__name__)))
            except self._ray.exceptions.RayError as error:
                found.append(failure(member, error))
        return found

    def replace(self, member: int) -> None:
        """As of ``Pool``."""
        actor = self._actors[member] = self._actor.remote(member, self._job)
        self._futures[actor.ready.remote()] = member

    def _end(self) -> None:
        for actor in self._actors.values():
            with suppress(Exception):
                self._ray.kill(actor)
        self._actors.clear()
        self._futures.clear()
        if self._began:
            self._ray.shutdown()
