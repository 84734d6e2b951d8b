"""Which recogniser a stream gets, from what was asked for, what is installed, and whether anybody needs words.

Another recogniser is one more entry in ``RECOGNISERS``: a function that makes a fresh one for a stream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from stream_ser.errors import ConfigError, EngineError, as_engine_error
from stream_ser.text.listener import SECONDS, Listener, SpeechIndicator
from stream_ser.text.recogniser import KEPT, Recogniser
from stream_ser.text.transcript import Transcript, read_transcript
from stream_ser.types import SAMPLE_RATE
from stream_ser_models.card import Card, CheckpointError, verified
from stream_ser_models.words import WORDS, Vocabulary, WordsError

INSTALL = "pip install 'stream-ser[asr]'"


@dataclass(frozen=True, slots=True)
class TextOptions:
    """What a person asked for."""

    text: str = "auto"  # auto, none, transcript, or a recogniser's name
    transcript: Path | None = None
    show: bool = False  # whether words may be seen on screen, feed and files


def make_pocketsphinx() -> Recogniser:
    """A fresh PocketSphinx. Raises ConfigError where it is not installed or cannot start."""
    if find_spec("pocketsphinx") is None:
        raise ConfigError("the recogniser pocketsphinx is not installed", fix=f"{INSTALL}, or give --text none")
    try:
        from stream_ser.text.pocketsphinx_recogniser import PocketsphinxRecogniser

        return PocketsphinxRecogniser()
    except Exception as error:  # a broken install or model raises anything
        raise ConfigError(f"pocketsphinx cannot start: {error}", fix="install it again, or give --text none") from error


RECOGNISERS: dict[str, Callable[[], Recogniser]] = {"pocketsphinx": make_pocketsphinx}


class ListenerFactory:
    """Makes a listener for each stream of a model. Raises ConfigError and EngineError for what cannot be had.

    ``notice`` is what a person should know of the choice, if anything.
    """

    def __init__(self, options: TextOptions, folder: Path, card: Card) -> None:
        reads = "tokens" in card.inputs
        self.notice: str | None = None
        self._seconds = _seconds(card)
        self._make = self._choose(options, card, reads)
        self._vocabulary = _vocabulary(folder, card) if reads and self._make is not None else None

    def listener(self, vad: SpeechIndicator, count: int) -> Listener | None:
        """A fresh listener for one stream of a network that reads ``count`` words; None where nobody needs one."""
        if self._make is None:
            return None
        return Listener(self._make(), vad, self._vocabulary, count, self._seconds)

    def _choose(self, options: TextOptions, card: Card, reads: bool) -> Callable[[], Recogniser] | None:
        text = options.text
        if text not in ("auto", "none", "transcript", *RECOGNISERS):
            known = ", ".join(("auto", *RECOGNISERS, "transcript", "none"))
            raise ConfigError(f"--text {text!r} is unknown", fix=f"choose one of {known}")
        if text == "auto" and options.transcript is not None:
            text = "transcript"
        if (text == "transcript") != (options.transcript is not None):
            given = "without a file" if text == "transcript" else f"{options.transcript} with --text {text}"
            raise ConfigError(f"a transcript {given}", fix="give --text transcript --transcript FILE, or neither")
        if text == "none" or (text == "auto" and not reads and not options.show):
            return None
        if not reads and not options.show:
            raise ConfigError(
                f"the model {card.name} reads no words, so --text {text} is of no use",
                fix="add --show-text to see them, or choose a model whose inputs have tokens: stream-ser models",
            )
        if options.transcript is not None:
            words = read_transcript(options.transcript)
            return lambda: Transcript(words)
        if text == "auto":
            text = "pocketsphinx"
            if find_spec(text) is None:
                goes = f"{card.name} goes by sound alone" if reads else "none are shown"
                self.notice = f"no recogniser is installed, so there are no words and {goes}; {INSTALL}"
                return None
        return RECOGNISERS[text]


def describe() -> str:
    """The recogniser that a model gets which reads words. Raises ConfigError, naming the extra, where there is none."""
    from importlib.metadata import version

    make_pocketsphinx().close()
    return f"pocketsphinx {version('pocketsphinx')} (US English), for models that read words"


def _seconds(card: Card) -> float:
    seconds = card.config.get("text_seconds", SECONDS)
    if not isinstance(seconds, int | float) or not 0.0 < seconds <= KEPT / SAMPLE_RATE:
        raise EngineError(
            f"the card of {card.name} has text_seconds {seconds!r}",
            fix=f"a number above 0 and up to {KEPT / SAMPLE_RATE:g} is meant; get the checkpoint again",
        )
    return float(seconds)


def _vocabulary(folder: Path, card: Card) -> Vocabulary:
    try:
        return Vocabulary.read(verified(folder, card, WORDS))
    except CheckpointError as error:
        raise as_engine_error(error) from error
    except WordsError as error:
        raise EngineError(str(error), fix="get the checkpoint again") from error
