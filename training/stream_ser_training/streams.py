"""Measure heads on an encoder as callers meet them: voices as streams, balanced or skewed, and over a telephone line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from stream_ser_models.frames import FrameHead, Voice
from stream_ser_models.network import Network
from stream_ser_training.clips import Clip
from stream_ser_training.corpora import load
from stream_ser_training.data import label_index
from stream_ser_training.devices import Placement
from stream_ser_training.encoded import frontend_of
from stream_ser_training.evaluate import Scored, figures
from stream_ser_training.feature_cache import Staged
from stream_ser_training.lines import HEARD
from stream_ser_training.metrics import CROSS
from stream_ser_training.segments import evaluation_windows, new_speech_seconds
from stream_ser_training.voices import STREAMS, as_voice, spoken_vectors, stream_histories

ROWS = 256  # windows that are asked at once
ORDER = 1  # seed of the order of a voice's clips
TOGETHER = "pooled"  # the group of all corpora of a side, where there are several
WIDEBAND = {"telephone": "plain", "telephone caller": "caller"}  # the condition that differs in the line alone
KEPT = ("clips", "UA", "UA_windows", "WA", "ECE_windows", "recall")


def _groups(clips: Sequence[Clip], staged: Staged) -> Iterator[list[Clip]]:
    """Clips in groups of about ``ROWS`` windows."""
    group: list[Clip] = []
    count = 0
    for clip in clips:
        group.append(clip)
        count += len(staged.rows_of(clip))
        if count >= ROWS:
            yield group
            group, count = [], 0
    if group:
        yield group


@torch.inference_mode()
def score_streams(
    head: FrameHead,
    clips: Sequence[Clip],
    staged: Staged,
    labels: Sequence[str],
    kind: str | None,
    *,
    where: Placement | None = None,
) -> list[Scored]:
    """What the head says of every window, in streams of one of ``voices.STREAMS``; without baseline where that is None."""
    device = where.device if where else torch.device("cpu")
    known = stream_histories(clips, staged, spoken_vectors(head.cpu(), staged), kind, ORDER) if kind else None
    head.to(device)
    found = []
    for group in _groups(clips, staged):
        counts = [len(staged.rows_of(clip)) for clip in group]
        places = np.concatenate([staged.rows_of(clip) for clip in group])
        voice = None
        if known is not None:
            totals, seconds = zip(*(known[clip.fingerprint] for clip in group), strict=True)
            voice = Voice(*(part.to(device) for part in as_voice(np.concatenate(totals), np.concatenate(seconds))))
        features = torch.from_numpy(staged.rows[places].astype(np.float32)).to(device)
        scores = head.classify(features, voice=voice)
        logits = np.split(scores.logits.double().cpu().numpy(), np.cumsum(counts)[:-1])
        rated: list[Any] = [None] * len(group)
        if scores.dimensions is not None:
            rated = np.split(scores.dimensions.double().cpu().numpy(), np.cumsum(counts)[:-1])
        found += [
            Scored(clip, label_index(clip, labels), own, ratings)
            for clip, own, ratings in zip(group, logits, rated, strict=True)
        ]
    return found


@torch.inference_mode()
def stage_here(head: FrameHead, clips: Sequence[Clip], heard: str = "") -> Staged:
    """The plain evaluation rows of clips, in memory; ``heard`` names one of ``lines.HEARD`` that they go through first.

    Raises CorpusError for a clip that cannot be read.
    """
    unique = list({clip.fingerprint: clip for clip in clips}.values())
    parts, seconds, places, end = [], list[float](), {}, 0
    frontend = frontend_of(head)
    for clip in unique:
        samples = load(clip)
        windows = evaluation_windows(HEARD[heard](samples) if heard else samples)
        parts.append(frontend(torch.from_numpy(windows)).half().numpy())
        seconds += [round(value, 3) for value in new_speech_seconds(samples)]
        places[clip.fingerprint] = np.arange(end, end + len(windows))
        end += len(windows)
    return Staged(np.concatenate(parts), places, np.array(seconds, dtype=np.float32))


def by_group(scored: Sequence[Scored], labels: Sequence[str], temperature: float, cross: bool) -> dict[str, Any]:
    """Figures of each corpus, under ``cross:`` and its name where no fold trained on it, and of several together."""
    corpora = sorted({item.clip.corpus for item in scored})
    groups = {corpus: [item for item in scored if item.clip.corpus == corpus] for corpus in corpora}
    if len(groups) > 1:
        groups[TOGETHER] = list(scored)
    found = {}
    for group, own in groups.items():
        told = figures(own, list(labels), temperature)
        found[(CROSS if cross else "") + group] = {name: told[name] for name in KEPT}
    return found


def conditions(head: bool, telephone: bool) -> list[tuple[str, str | None, bool]]:
    """Name, kind of stream and whether by telephone of every condition that is measured."""
    found: list[tuple[str, str | None, bool]] = []
    if head:
        found += [("plain", None, False)]
        found += [(kind, kind, False) for kind in STREAMS]
    if telephone:
        found.append(("telephone", None, True))
        found += [("telephone caller", "caller", True)] if head else []
    return found


def _answers(scored: Sequence[Scored]) -> dict[tuple[str, str], npt.NDArray[np.int64]]:
    """By corpus and voice, the likeliest label of every window."""
    found: dict[tuple[str, str], list[npt.NDArray[np.int64]]] = {}
    for item in scored:
        found.setdefault((item.clip.corpus, item.clip.speaker), []).append(item.logits.argmax(axis=1))
    return {voice: np.concatenate(own) for voice, own in found.items()}


def moved(one: Sequence[Scored], other: Sequence[Scored], labels: int) -> dict[str, float]:
    """By corpus, how far the label shares of a voice move from one to the other: the largest move, mean over voices."""
    before, after = _answers(one), _answers(other)
    by_corpus: dict[str, list[float]] = {}
    for voice, own in before.items():
        shares = [np.bincount(answers, minlength=labels) / len(answers) for answers in (own, after[voice])]
        by_corpus.setdefault(voice[0], []).append(float(np.abs(shares[0] - shares[1]).max()))
    return {corpus: round(float(np.mean(moves)), 4) for corpus, moves in by_corpus.items()}


def measure_streams(
    network: Network,
    sides: Sequence[tuple[Sequence[Clip], bool]],
    held: Staged,
    telephone: Staged | None,
    labels: Sequence[str],
    temperature: float,
    score_plain: Any,
) -> dict[str, dict[str, Any]]:
    """By condition and corpus, the figures of ``sides``: pairs of clips and whether no fold trained on their corpus.

    ``score_plain(clips, staged)`` scores clips of networks that know no voices. A line's figures say in ``moved`` how far
    it moves a voice's label shares, in [0, 1].
    """
    found: dict[str, dict[str, Any]] = {}
    scores: dict[tuple[str, bool], list[Scored]] = {}
    is_head = isinstance(network, FrameHead)
    for name, kind, phone in conditions(is_head, telephone is not None):
        staged = telephone if phone and telephone is not None else held
        found[name] = {}
        for clips, cross in sides:
            if not clips:
                continue
            if isinstance(network, FrameHead):
                scored = score_streams(network, clips, staged, labels, kind)
            else:
                scored = score_plain(clips, staged)
            scores[name, cross] = scored
            found[name] |= by_group(scored, labels, temperature, cross)
            if WIDEBAND.get(name) in found:
                for corpus, move in moved(scores[WIDEBAND[name], cross], scored, len(labels)).items():
                    found[name][(CROSS if cross else "") + corpus]["moved"] = move
    return found
