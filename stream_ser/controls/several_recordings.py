"""Several recordings at the screen at once: one clock for all of them, so speed, pause and place are those of all.

Thread ownership: the screen's thread calls everything public but ``close`` and gets its answer at once. One thread of the
controller's own opens, plays and ends the streams, all of them (:mod:`stream_ser.pipeline.multi_stream`). It may hang in a
disk: it is a daemon, and nobody waits for it longer than ``PATIENCE_S``. ``close`` belongs to whoever made it.

Invariants as for one (:mod:`stream_ser.controls.recording`): **a seek is another stream** of each recording, under the same
name, that begins a whole number of hops from the recording's beginning. One that is over by then is not begun again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass

from stream_ser.audio.pacing import Pacer, SystemClock
from stream_ser.audio.recording import Recording
from stream_ser.controls.capabilities import own_notice
from stream_ser.controls.from_hub import FromHub
from stream_ser.controls.local_stream import PATIENCE_S
from stream_ser.errors import StreamSerError, as_person_error
from stream_ser.pipeline.multi_stream import Player, play
from stream_ser.pipeline.runtime import Runtime
from stream_ser.pipeline.stream import Stream
from stream_ser.types import SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Playing:
    """One recording's stream of now, and where in the recording it began, s."""

    stream: Stream
    begin_s: float

    @property
    def place_s(self) -> float:
        """The place in the recording up to which sound was taken, s."""
        return self.begin_s + self.stream.position / SAMPLE_RATE


class SeveralRecordings(FromHub):
    """Plays ``recordings``, by their streams' names, at ``speed`` from ``start`` until ``close``.

    Each is opened anew when it is played; those that are given are closed at once.
    """

    can_pause = True
    whole = True

    def __init__(self, runtime: Runtime, recordings: Mapping[str, Recording], speed: float | None) -> None:
        super().__init__(runtime)
        self._recordings, self._speed = dict(recordings), speed
        for recording in recordings.values():
            recording.close()
        self._lock = threading.Lock()  # of the five below
        self._pacer = self._paced()
        self._playing: dict[str, Playing] = {}
        self._paused = False
        self._target: float | None = 0.0  # the place that is to be gone to, s
        self._begun = 0  # how often they were begun
        self._wanted = threading.Event()  # a place is to be gone to, or nothing any more
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recordings", daemon=True)
        self.errors: dict[str, StreamSerError] = {}  # why a recording was not heard to its end, by its name

    def start(self) -> None:
        """Begin."""
        self._wanted.set()
        self._thread.start()

    def stop(self) -> None:
        """End all streams. Safe to call twice."""
        with self._lock:
            self._closing.set()
            self._wanted.set()
            self._pacer.close()
            playing = tuple(self._playing.values())
        for one in playing:
            one.stream.stop()

    def close(self) -> None:
        """End streams and thread, in under a second."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join(PATIENCE_S)
        self.stop()  # the thread may just have begun another
        self.leave()

    @property
    def paused(self) -> bool:
        """Whether all stand still."""
        return self._paused

    def pause(self) -> None:
        """Have all stand still; nothing of them is lost."""
        with self._lock:
            self._paused = True
            self._pacer.pause()
            for one in self._playing.values():
                one.stream.pause()

    def resume(self) -> None:
        """Go on after ``pause``."""
        with self._lock:
            self._paused = False
            self._pacer.resume()
            for one in self._playing.values():
                one.stream.resume()

    @property
    def speed(self) -> float | None:
        """Times real time; None for as fast as it goes."""
        return self._speed

    def set_speed(self, speed: float) -> None:
        """Go on at another speed."""
        with self._lock:
            self._speed = speed
            self._pacer.set_speed(speed)

    @property
    def place_s(self) -> float:
        """How far they are, s: the one that is furthest, for those that are over stay where they ended."""
        with self._lock:
            return max((one.place_s for one in self._playing.values()), default=0.0)

    @property
    def length_s(self) -> float | None:
        """How long the longest is, s; None where a length is not known."""
        lengths = [recording.info.duration_s for recording in self._recordings.values()]
        known = [length for length in lengths if length is not None]
        return max(known) if known and len(known) == len(lengths) else None

    def seek(self, to_s: float) -> None:
        """Have all go on at another place, as other streams."""
        with self._lock:
            self._aim(to_s)

    def skip(self, by_s: float) -> None:
        """Have all go on so much further or back; what is asked for while that is done adds up."""
        here = self.place_s
        with self._lock:
            self._aim((here if self._target is None else self._target) + by_s)

    def position(self, stream: str) -> int | None:
        """The sample that a stream has come to; None where it is over."""
        with self._lock:
            one = self._playing.get(stream)
        return None if one is None or one.stream.wait(0) else one.stream.position

    def mark(self, stream: str, at: int, text: str) -> None:
        """Publish a note on a moment of one of them."""
        with self._lock:
            one = self._playing.get(stream)
        if one is None or not one.stream.mark(at, text):
            self._own.append(own_notice("warning", f"the stream is over: the mark {text!r} is not kept"))

    def _aim(self, to_s: float) -> None:
        hop_s = self._runtime.hop / SAMPLE_RATE
        length = self.length_s
        last = to_s if length is None else max(0.0, length - hop_s)
        self._target = max(0.0, round(min(to_s, last) / hop_s) * hop_s)
        self._wanted.set()
        self._pacer.close()

    def _paced(self) -> Pacer:
        return Pacer(SystemClock(), SAMPLE_RATE, self._speed)

    def _run(self) -> None:
        while self._wanted.wait() and not self._closing.is_set():
            try:
                self._play_once()
            except Exception as error:  # a mistake of ours must be told, and the keys go on
                self._tell("", as_person_error(error))

    def _play_once(self) -> None:
        """Play from the place that is wanted until all are over, or another place is wanted."""
        with self._lock:
            self._wanted.clear()
            to_s, self._target = self._target or 0.0, None
            before, first = self._playing, not self._begun
            self._begun += 1
        for one in before.values():
            one.stream.say("info", f"going to {to_s:.1f} s of the recordings: other streams begin")
            one.stream.stop()
        with ExitStack() as sources:
            players, playing = self._open(to_s, first, sources)
            with self._lock:
                self._playing = {**before, **playing}
                pacer = self._pacer = self._paced()
                if self._wanted.is_set():  # meanwhile
                    pacer.close()
                if self._paused:
                    pacer.pause()
                    for one in playing.values():
                        one.stream.pause()
            for refused in play(players, self._runtime.hop, pacer):
                self._tell("", refused)
        for name, one in playing.items():
            if one.stream.error is not None:
                self.errors[name] = as_person_error(one.stream.error)

    def _open(self, to_s: float, first: bool, sources: ExitStack) -> tuple[list[Player], dict[str, Playing]]:
        """Open what there is to hear at that place, closed again with ``sources``."""
        players, playing = [], {}
        for name, recording in self._recordings.items():
            length = recording.info.duration_s
            if not first and length is not None and to_s >= length:
                continue
            try:
                source = sources.enter_context(closing(recording.again(to_s, None, self._runtime.hop)))
                stream = self._runtime.stream(source.info, name, stands_still=True, key=f"{name}#{self._begun}")
            except StreamSerError as error:
                self._tell(name, error)
                continue
            players.append(Player(stream, iter(source)))
            playing[name] = Playing(stream, source.info.offset_s)
        return players, playing

    def _tell(self, name: str, error: StreamSerError) -> None:
        self.errors[name] = error
        self._own.append(own_notice("error", str(error)))
