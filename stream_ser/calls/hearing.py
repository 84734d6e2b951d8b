"""Which of a recording's sound is heard, and what runs it: one stream, or the two streams of a call."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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
        """What differs from the default, for a digest. Raises ConfigError for rules that cannot be read.

        Rules are told by what they say: the same file elsewhere changes nothing, and another text in the same file does.
        """
        told = {key: value for key, value in self.heard.items() if value not in ("mix", None)}
        if self.call is None:
            return told
        rules = {} if self.call.rules is None else {"rules": repr(self.call.policy().rules)}
        return {**told, "call": repr(replace(self.call, rules=None)), **rules}


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
