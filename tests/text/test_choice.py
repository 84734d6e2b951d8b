from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from stream_ser.errors import ConfigError, EngineError
from stream_ser.text import choice
from stream_ser.text.choice import RECOGNISERS, ListenerFactory, TextOptions
from stream_ser.types import Word
from stream_ser_models.card import Card, find, read_card
from tests.fakes import FakeDetector
from tests.text.multimodal import COUNT, VOCABULARY
from tests.text.test_listener import Notebook


@pytest.fixture
def reads(tmp_path: Path) -> tuple[Path, Card]:
    """A model that reads words, as far as its card and vocabulary go."""
    VOCABULARY.write(tmp_path / "words.txt")
    from stream_ser_models.card import file_hash

    hashes = {"words.txt": file_hash(tmp_path / "words.txt")}
    card = read_card(find("tfcnn-attention"))
    return tmp_path, dataclasses.replace(card, inputs=["waveform", "tokens"], files=hashes)


@pytest.fixture
def hears() -> tuple[Path, Card]:
    folder = find("tfcnn-attention")
    return folder, read_card(folder)


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    path = tmp_path / "said.csv"
    path.write_text("0,1,forget the airplane\n")
    return path


@pytest.fixture(autouse=True)
def notebook_for_pocketsphinx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECOGNISERS, "pocketsphinx", Notebook)


def test_a_model_that_reads_gets_the_embedded_recogniser(reads: tuple[Path, Card]) -> None:
    words = ListenerFactory(TextOptions(), *reads)
    listener = words.listener(FakeDetector(), COUNT)
    assert listener is not None
    assert (listener.name, words.notice) == ("notebook", None)
    tokens = listener.tokens((Word("Airplane", 0, 1),))
    assert tokens is not None
    assert tokens.tolist() == [6, 0, 0, 0, 0, 0]


def test_streams_share_no_recogniser(reads: tuple[Path, Card]) -> None:
    words = ListenerFactory(TextOptions(), *reads)
    first, second = words.listener(FakeDetector(), COUNT), words.listener(FakeDetector(), COUNT)
    assert first is not None
    assert second is not None
    assert first._recogniser is not second._recogniser


def test_without_a_recogniser_the_notice_names_the_extra(
    reads: tuple[Path, Card], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "find_spec", lambda _: None)
    words = ListenerFactory(TextOptions(), *reads)
    assert words.listener(FakeDetector(), COUNT) is None
    assert words.notice is not None
    assert "stream-ser[asr]" in words.notice
    assert "sound alone" in words.notice
    with pytest.raises(ConfigError, match="asr"):
        choice.make_pocketsphinx()
    with pytest.raises(ConfigError, match="asr"):
        choice.describe()


def test_a_model_that_only_hears_gets_none_unless_words_are_to_be_seen(hears: tuple[Path, Card]) -> None:
    assert ListenerFactory(TextOptions(), *hears).listener(FakeDetector(), 0) is None
    shown = ListenerFactory(TextOptions(show=True), *hears).listener(FakeDetector(), 0)
    assert shown is not None
    assert shown.tokens((Word("do", 0, 1),)) is None


def test_none_is_none(reads: tuple[Path, Card]) -> None:
    words = ListenerFactory(TextOptions("none"), *reads)
    assert (words.listener(FakeDetector(), COUNT), words.notice) == (None, None)


@pytest.mark.parametrize("text", ["auto", "transcript"])
def test_a_transcript_is_read(text: str, reads: tuple[Path, Card], transcript: Path) -> None:
    listener = ListenerFactory(TextOptions(text, transcript), *reads).listener(FakeDetector(), COUNT)
    assert listener is not None
    assert listener.name == "transcript"
    assert [word.text for word in listener.words(16_000)] == ["forget", "the", "airplane"]


def test_the_card_says_for_how_long_words_count(reads: tuple[Path, Card], transcript: Path) -> None:
    folder, card = reads
    short = dataclasses.replace(card, config={**card.config, "text_seconds": 0.5})
    listener = ListenerFactory(TextOptions("transcript", transcript), folder, short).listener(FakeDetector(), COUNT)
    assert listener is not None
    assert [word.text for word in listener.words(16_000)] == ["the", "airplane"]
    for bad in (0, "ten", 61.0):
        with pytest.raises(EngineError, match="text_seconds"):
            ListenerFactory(TextOptions(), folder, dataclasses.replace(card, config={"text_seconds": bad}))


def test_what_cannot_be(reads: tuple[Path, Card], hears: tuple[Path, Card], transcript: Path) -> None:
    for options, model, word in (
        (TextOptions("telepathy"), reads, "pocketsphinx, transcript, none"),
        (TextOptions("transcript"), reads, "--transcript FILE"),
        (TextOptions("pocketsphinx", transcript), reads, "said.csv with --text pocketsphinx"),
        (TextOptions("none", transcript), reads, "said.csv with --text none"),
        (TextOptions("pocketsphinx"), hears, "reads no words"),
        (TextOptions("auto", transcript), hears, "--show-text"),
    ):
        with pytest.raises(ConfigError, match=word):
            ListenerFactory(options, *model)


def test_a_checkpoint_without_its_vocabulary_is_refused(reads: tuple[Path, Card]) -> None:
    folder, card = reads
    with pytest.raises(EngineError, match=r"words\.txt"):
        ListenerFactory(TextOptions(), folder, dataclasses.replace(card, files={}))
    (folder / "words.txt").write_text("two words\n")
    with pytest.raises(EngineError, match="corrupt"):
        ListenerFactory(TextOptions(), folder, card)
    from stream_ser_models.card import file_hash

    broken = dataclasses.replace(card, files={"words.txt": file_hash(folder / "words.txt")})
    with pytest.raises(EngineError, match="get the checkpoint again"):
        ListenerFactory(TextOptions(), folder, broken)
    ListenerFactory(TextOptions("none"), folder, broken)  # nobody needs it
