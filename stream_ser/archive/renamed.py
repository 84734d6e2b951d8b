"""A recording that was fetched, under the name that a person knows: the temporary file's stands in no result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stream_ser.audio.parties import SidedSource
from stream_ser.audio.recording import Recording
from stream_ser.audio.source import Item, Notice
from stream_ser.errors import SourceError


class RenamedRecording(SidedSource):
    """``recording``, in whose words ``place`` is called ``shown``. It is closed with this one."""

    def __init__(self, recording: Recording, place: str, shown: str) -> None:
        self._recording, self._place, self._shown = recording, place, shown
        self._parties = recording._parties
        self.info = recording.info

    def sides(self) -> Iterator[tuple[int, Item]]:
        """As of ``Recording``."""
        try:
            for side, item in self._recording.sides():
                yield side, replace(item, text=self._word(item.text)) if isinstance(item, Notice) else item
        except SourceError as error:
            raise renamed(error, self._place, self._shown) from error

    def pause(self) -> None:
        """As of ``Recording``."""
        self._recording.pause()

    def resume(self) -> None:
        """As of ``Recording``."""
        self._recording.resume()

    def close(self) -> None:
        """As of ``Recording``."""
        self._recording.close()

    def _word(self, text: str) -> str:
        return text.replace(self._place, self._shown)


def renamed(error: SourceError, place: str, shown: str) -> SourceError:
    """The same error with ``place`` called ``shown``."""
    return SourceError(error.what.replace(place, shown), fix=error.fix.replace(place, shown))
