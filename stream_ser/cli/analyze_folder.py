"""``stream-ser analyze FOLDER --out DIR``: every recording in a folder and those below it.

The results of ``sub/a.wav`` are ``DIR/sub/a.wav.jsonl`` and its like; each appears whole or not at all, and then the
recording is entered in ``DIR/index.jsonl``. So a run that was interrupted, by Ctrl-C, a kill or a power cut, goes on where
it was when it is started again. A bad recording stops no other; a disk that is full, or an engine that breaks, stops all.
Both folders may be in object storage. This process draws and writes the index; others do the work, where there are cores.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import FrameType

from stream_ser.archive.analysis import Job
from stream_ser.archive.listing import MEDIA, Listing
from stream_ser.archive.opening import open_recordings, open_results
from stream_ser.archive.run import Execution, Run
from stream_ser.audio.media.choice import BRING
from stream_ser.cli.complaint import complain
from stream_ser.cli.progress import Progress
from stream_ser.errors import ConfigError
from stream_ser.export.index import IndexEntry
from stream_ser.printable import printable

INTERRUPTED = 130  # as of a program that Ctrl-C ended


def analyze_folder(job: Job, execution: Execution) -> int:
    """Work through a folder; the exit code: 0, 2 where a recording was bad, 130 after Ctrl-C, 143 after SIGTERM.

    Raises ConfigError, EngineError and FeedError for what concerns all recordings.
    """
    listing = open_recordings(job.recordings).listing()
    if not listing.recordings:
        raise ConfigError(
            f"there is no recording in {job.recordings}", fix="name a folder with wav, flac, ogg, mp3 or m4a files"
        )
    results = open_results(job.results)
    total, bad = len(listing.recordings), dict[str, str]()
    with results.index() as index:
        run = Run(job, listing, results, index)
        progress = Progress(total, total - len(run.todo))
        taken = 0
        stopped = _Terminated()
        try:
            with stopped.heeded(), closing(run.outcomes(execution, progress.at)) as outcomes:
                for task, entry in outcomes:
                    if task.known is not None:
                        progress.skip()
                        continue
                    taken += 1
                    progress.done(str(entry["file"]), entry["duration_s"] or 0.0, _told(entry))
                    if entry["error"] is not None:
                        bad[task.name] = entry["error"]
        except KeyboardInterrupt:
            progress.clear()
            print(_summary(total, run.skipped, progress, run.skipped + taken))
            complain("interrupted; start it again to go on")
            return stopped.code or INTERRUPTED
        finally:
            progress.clear()
    print(_summary(total, run.skipped, progress))
    _complain(listing, [*listing.complaints, *(bad[name] for name in listing.recordings if name in bad)])
    return 2 if bad or listing.complaints else 0


class _Terminated:
    """SIGTERM, taken for Ctrl-C: what is half done is taken away, and the processes are ended."""

    def __init__(self) -> None:
        self.code = 0  # what a shell says of a program that the signal ended

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Raise KeyboardInterrupt in the main thread where SIGTERM comes. In another thread nothing is changed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGTERM, self._take)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def _take(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.code = 128 + number
        raise KeyboardInterrupt


def _complain(listing: Listing, bad: list[str]) -> None:
    for suffix, count in sorted(listing.others.items()):
        fix = BRING if MEDIA.fullmatch(suffix) else f"convert them first, as ffmpeg -i a{suffix} a.wav"
        complain(f"{count} {suffix} left out: {fix}")
    for line in bad:
        complain(line)
    if bad:
        complain(f"{len(bad)} of {len(listing.recordings)} recordings could not be analysed to their end")


def _told(entry: IndexEntry) -> str:
    if entry["share"] is None:
        return f"bad: {printable(entry['error'])}"
    share = ", ".join(f"{label} {100 * part:.0f} %" for label, part in entry["share"].items() if part > 0) or "no label"
    broken = "" if entry["error"] is None else f"; bad: {printable(entry['error'])}"
    return f"{entry['duration_s']:.1f} s, {entry['points']} points, {share}{broken}"


def _summary(total: int, skipped: int, progress: Progress, taken: int | None = None) -> str:
    """``taken`` is how many of ``total`` there were time for, where that is not all."""
    before = f", {skipped} of them done before" if skipped else ""
    number = f"{total}" if taken is None else f"{taken} of {total}"
    if progress.sound_s == 0.0:
        return f"{number} recordings{before}; no new sound"
    speed = progress.sound_s / max(progress.took_s, 1e-9)
    took = f"{progress.sound_s:.1f} s of sound in {progress.took_s:.1f} s ({speed:.0f} × real time)"
    return f"{number} recordings{before}; {took}"
