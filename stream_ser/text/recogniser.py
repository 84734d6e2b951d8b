"""What every recogniser of words can do, so that the listener need not know which one it has.

Invariant that every recogniser keeps: the words at sample ``n`` depend on nothing but the samples before ``n`` and on where
they were cut into utterances, never on time, so that a replay at any speed reads what was read live.
"""

from __future__ import annotations

from typing import Protocol

from stream_ser.types import SAMPLE_RATE, Samples, Word


class Recogniser(Protocol):
    """Turns one stream's speech into words. All calls come from one thread, in the order of the sound."""

    name: str  # as told in the feed's hello

    def hear(self, samples: Samples, end: int) -> None:
        """Take the next samples of an utterance; they end at sample ``end``. The first after ``rest`` begins another."""

    def rest(self) -> None:
        """Nobody speaks any more: the utterance is over. May be called again."""

    def words(self, until: int, span: int) -> list[Word]:
        """The words that ended within the ``span`` samples before ``until``, oldest first, as they are understood now.

        ``until`` is where the sound has got to and never goes back; ``span`` is at most ``KEPT``.
        """

    def reset(self, at: int) -> None:
        """Sound is missing before sample ``at``: forget the utterance and all words."""

    def close(self) -> None:
        """Let go of what is held. May be called again."""


KEPT = 60 * SAMPLE_RATE  # samples: words that ended longer ago may be forgotten
