"""What a recorded call comes to in a program: a trajectory for each party that was analysed, and the call in figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stream_ser.errors import StreamSerError
from stream_ser.export.result import Trajectory


class CallResult(Mapping[str, Trajectory]):
    """What ``stream_ser.analyze_call`` gives: its parties by name, as ``customer`` and ``agent``.

    ``summary`` has who talked how long, turns, overlap, alerts (docs/alerts.md names each figure); a party that is heard for
    turns alone is there and has no trajectory. ``error`` is why the sound ended early, where that was asked for as a result.
    Immutable.

    >>> call = stream_ser.analyze_call("call.wav")
    >>> call["customer"].segments, call.summary["legs"]["customer"]["talk_s"], call.alerts
    """

    def __init__(
        self,
        name: str,
        parties: Mapping[str, Trajectory],
        summary: dict[str, Any],
        error: StreamSerError | None = None,
    ) -> None:
        self.name, self.summary, self.error = name, summary, error
        self._parties = dict(parties)

    def __getitem__(self, party: str) -> Trajectory:
        return self._parties[party]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parties)

    def __len__(self) -> int:
        return len(self._parties)

    def __repr__(self) -> str:
        return f"<CallResult {self.name!r}: {self.summary['duration_s']:.1f} s, {', '.join(self) or 'nobody analysed'}>"

    @property
    def alerts(self) -> tuple[dict[str, Any], ...]:
        """The alerts as they opened, each with ``stream`` (the party), ``rule``, ``severity``, ``start`` and ``end``."""
        return tuple(self.summary["alerts"])
