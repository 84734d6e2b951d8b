"""A run over a folder of recordings: what is still to do, who does it, and the index of what became of each.

The thread that iterates ``Run.outcomes`` alone writes the index. However a run ends, the next one goes on.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from stream_ser.archive.analysis import Job, Task, has, readable
from stream_ser.archive.cores import usable_cores
from stream_ser.archive.figures import Tell
from stream_ser.archive.folders import Results
from stream_ser.archive.listing import Listing
from stream_ser.archive.pool import Pool, distribute
from stream_ser.engine.loading import CUDA, load_card, no_cuda
from stream_ser.engine.schedule import hop_samples
from stream_ser.export.formats import FORMATS, Format
from stream_ser.export.index import Entries, IndexEntry, settings_digest
from stream_ser.feed.messages import SCHEMA_VERSION

ON_GPU = 4  # processes that have a GPU's memory between them, unless somebody wants more
Where = Literal["here", "ray"]


@dataclass(frozen=True, slots=True)
class Execution:
    """Who does the work: ``jobs`` processes here or actors ``on`` a Ray cluster at ``address``; None leaves it open."""

    jobs: int | None = None
    on: Where = "here"
    address: str | None = None


class Run:
    """One run; ``todo`` is what it has to do, ``skipped`` how many it need not hear."""

    def __init__(self, job: Job, listing: Listing, results: Results, index: Entries) -> None:
        self.job = job
        self._results, self._index = results, index
        about = described(job)
        formats = [FORMATS[name] for name in job.formats]
        self.todo: list[Task] = []
        for name, stamp in listing.recordings.items():
            entry = {"file": readable(name), **about, **stamp}
            task = self._task(name, entry, formats)
            if task is not None:
                self.todo.append(task)
        self.skipped = len(listing.recordings) - sum(task.known is None for task in self.todo)

    def outcomes(self, execution: Execution, tell: Tell) -> Generator[tuple[Task, IndexEntry], None, None]:
        """Each task with its entry when it is done, in the order in which they are; then the index is written.

        Raises EngineError, ConfigError and FeedError for what concerns all recordings, and KeyboardInterrupt.
        """
        if self.todo:
            with self._pool(execution, tell) as found:
                for task, entry, noted in found:
                    if not noted:
                        self._results.note(entry)
                    self._index.add(entry)
                    yield task, entry
        self._index.finish()

    def _task(self, name: str, entry: IndexEntry, formats: Sequence[Format]) -> Task | None:
        """What is to be done with a recording; None where all of it was done before."""
        known = self._index.done(entry)
        if known is None:
            return Task(name, entry)
        if all(has(self._results, name, form, known) for form in formats):
            return None
        again = "files" in known or not has(self._results, name, FORMATS["jsonl"], known)
        return Task(name, entry, None if again else known)

    @contextmanager
    def _pool(self, execution: Execution, tell: Tell) -> Iterator[Iterator[tuple[Task, IndexEntry, bool]]]:
        many: AbstractContextManager[Pool]
        if execution.on == "ray":
            from stream_ser.archive.on_ray import RayPool

            many = RayPool(self.job, execution.jobs, execution.address, len(self.todo))
        else:
            count = min(jobs_here(self.job, execution.jobs), len(self.todo))
            if count == 1:
                with self.job.analysis(tell) as analysis:
                    yield ((task, analysis.take(task), True) for task in self.todo)
                return
            from stream_ser.archive.processes import Processes

            many = Processes(self.job, count)
        with many as pool:
            yield distribute(pool, self.todo, tell)


def jobs_here(job: Job, asked: int | None) -> int:
    """How many processes do a job: as many as there are cores, fewer on a GPU, one where others read along at its feed."""
    if asked is not None:
        return asked
    if job.options.feed != "off":
        return 1
    on_gpu = job.options.engine in ("auto", *CUDA) and no_cuda() is None
    return min(usable_cores(), ON_GPU) if on_gpu else usable_cores()


def described(job: Job) -> dict[str, Any]:
    """What an index says of every recording of a job. Raises EngineError and ConfigError for a model that cannot be used."""
    options = job.options
    _, card = load_card(options.model)
    hop = hop_samples(options.hop_s, card.window_samples, "--hop")
    text = [options.text.text, options.text.show]
    told = {"schema": SCHEMA_VERSION, "model": card.digest, "hop": hop, "text": text, **job.hearing.told()}
    if not options.baseline:
        told["baseline"] = False
    return {
        "model": {"name": card.name, "digest": card.digest},
        "hop_s": options.hop_s,
        "settings": settings_digest(told),
    }
