"""Which of a recording's sound is heard, and what runs it: one stream, or the two streams of a call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:  # calls take time to import, and a plain recording needs nothing of them
    from stream_ser.audio.parties import SidedSource
    from stream_ser.audio.source import Source
    from stream_ser.calls.recorded import CallOptions, RecordedCall
    from stream_ser.pipeline.runtime import Runtime
    from stream_ser.pipeline.session import Session


class Heard(TypedDict):
    """What ``open_recording`` is told."""

    parties: str
    track: int | None


@dataclass(frozen=True, slots=True)
class Hearing:
    """What is heard of each of many recordings; ``call`` where each is split into its parties."""

    heard: Heard = field(default_factory=lambda: Heard(parties="mix", track=None))
    call: CallOptions | None = None

    def told(self) -> dict[str, Any]:
        """What differs from the default, for a digest."""
        told = {key: value for key, value in self.heard.items() if value not in ("mix", None)}
        return told if self.call is None else {**told, "call": repr(self.call)}


def prepare(
    runtime: Runtime, source: Source | SidedSource, name: str, call: CallOptions | None
) -> Session | RecordedCall:
    """What runs a source: a stream's session, or a recorded call where it is split. Not yet started."""
    if call is None:
        return runtime.session(source, name)
    from stream_ser.audio.parties import SidedSource
    from stream_ser.calls.recorded import RecordedCall

    assert isinstance(source, SidedSource)  # what reads recordings and pipes is
    return RecordedCall(runtime, source, name, call)
