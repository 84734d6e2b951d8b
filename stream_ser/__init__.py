"""stream-ser: hear, live, how speech sounds emotionally.

>>> import stream_ser
>>> trajectory = stream_ser.analyze("call.wav")
>>> print(trajectory.to_dataframe().head())

Importing this touches no library for audio or models: each name is imported when it is first used. ``docs/python.md`` has
examples.
"""

import os
from importlib import import_module

from stream_ser._version import __version__

TYPE_CHECKING = False  # checkers know this name; importing typing for it would take longer than all the rest
if TYPE_CHECKING:
    from stream_ser.api import (
        Feed,
        Listening,
        Monitor,
        PushStream,
        Trajectory,
        analyze,
        analyze_call,
        listen,
        subscribe,
    )
    from stream_ser.calls.recorded import CallOptions
    from stream_ser.errors import ConfigError, EngineError, FeedError, SourceError, StreamSerError
    from stream_ser.export.call_result import CallResult
    from stream_ser.export.segments import Segment
    from stream_ser.types import Point, Timing, Word

__all__ = [
    "CallOptions",
    "CallResult",
    "ConfigError",
    "EngineError",
    "Feed",
    "FeedError",
    "Listening",
    "Monitor",
    "Point",
    "PushStream",
    "Segment",
    "SourceError",
    "StreamSerError",
    "Timing",
    "Trajectory",
    "Word",
    "__version__",
    "analyze",
    "analyze_call",
    "listen",
    "subscribe",
]

# ONNX Runtime's builds for Linux tell Microsoft about models and machines from version 1.29 on, unless this is set before
# they are imported. This program tells nobody anything that it was not asked to.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {
    "stream_ser.api": (
        "Feed",
        "Listening",
        "Monitor",
        "PushStream",
        "Trajectory",
        "analyze",
        "analyze_call",
        "listen",
        "subscribe",
    ),
    "stream_ser.calls.recorded": ("CallOptions",),
    "stream_ser.errors": ("ConfigError", "EngineError", "FeedError", "SourceError", "StreamSerError"),
    "stream_ser.export.call_result": ("CallResult",),
    "stream_ser.export.segments": ("Segment",),
    "stream_ser.types": ("Point", "Timing", "Word"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # a checker is to know the names above, and no other

    def __getattr__(name: str) -> object:
        """Import a name when it is first used (PEP 562)."""
        home = _HOME_OF.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(home), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
