"""Errors that a person reads: what happened, the value seen, and the next command."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what cards need takes time to import
    from stream_ser_models.card import CheckpointError


class StreamSerError(Exception):
    """An expected failure. The command line prints its one line and exits with code 2, without a traceback.

    ``what`` says what happened, with the value seen in it; ``fix`` names the next command or action.
    """

    def __init__(self, what: str, *, fix: str) -> None:
        super().__init__(f"{what}; {fix}")
        self.what = what
        self.fix = fix


class SourceError(StreamSerError):
    """Sound cannot be had: a missing file, a busy device, samples that are not sound."""


class EngineError(StreamSerError):
    """A model cannot be loaded or run: unknown name, corrupt checkpoint, no engine installed."""


class FeedError(StreamSerError):
    """The feed cannot be served or read: a port in use, a server that is not there."""


class ConfigError(StreamSerError):
    """Options that contradict each other or the model."""


def as_engine_error(error: CheckpointError) -> EngineError:
    """The same words as an error that the command line shows."""
    return EngineError(error.what, fix=error.fix)


def as_person_error(error: Exception) -> StreamSerError:
    """Any error of a session as one that the command line can show in a line."""
    if isinstance(error, StreamSerError):
        return error
    return SourceError(f"the stream broke: {type(error).__name__}: {error}", fix="run stream-ser doctor")
