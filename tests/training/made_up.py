"""Records that nobody trained for, with answers that a hand can count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from stream_ser_training.records import Record, utterance_row

LABELS = ["angry", "happy", "neutral", "sad"]
Answer = tuple[str, str, int, str, int]  # speaker, sex, true index, group, answered index


def sure(place: int, classes: int, share: float = 0.7) -> list[float]:
    """Probabilities that give one class a share and the others what is left."""
    return [share if own == place else (1.0 - share) / (classes - 1) for own in range(classes)]


def record(answers: Sequence[Answer] = (), labels: Sequence[str] = LABELS, **changes: Any) -> Record:
    """A record with these answers."""
    rows = [utterance_row(who, sex, true, group, sure(said, len(labels))) for who, sex, true, group, said in answers]
    plain = Record(
        recipe="cnn_bilstm",
        architecture="cnn_bilstm",
        variant="depth 5",
        paper="a paper",
        protocol="pooled4",
        about="two made-up corpora",
        fold="holdout",
        seed=1,
        target="intended emotion",
        labels=list(labels),
        sides={side: {"clips": 4, "speakers": [f"one/{side}"]} for side in ("train", "validation", "test")},
        parameters=12_345,
        macs=6_700_000,
        temperature=1.0,
        utterances=rows,
        windows={},
        curve=[{"epoch": 1, "loss": 1.4}, {"epoch": 2, "loss": 1.1, "validation_UA": 0.5, "validation_NLL": 1.2}],
        best_epoch=2,
        seconds=90.0,
        deviations="a smaller network",
        command="python -m training fit --recipe cnn_bilstm --protocol pooled4 --folds holdout --seeds 1",
        hardware="a processor, 1 of 2 threads",
        versions={"numpy": "2", "torch": "2"},
    )
    return replace(plain, **changes)


def random_answers(seed: int, classes: int, count: int = 40, groups: Sequence[str] = ("one",)) -> list[Answer]:
    """Answers of four speakers, right more often than not, the same for the same seed."""
    rng = np.random.default_rng(seed)
    answers: list[Answer] = []
    for place in range(count):
        true = place % classes
        said = true if rng.random() < 0.6 else int(rng.integers(classes))
        answers.append((f"one/{place % 4}", "MF"[place % 2], true, groups[place % len(groups)], said))
    return answers


def embedding(seed: int, record_: Record) -> list[list[float]]:
    """Rows that lie near their class."""
    rng = np.random.default_rng(seed)
    truth = [row[2] for row in record_.utterances]
    return [[round(float(v), 3) for v in rng.standard_normal(6) + 3.0 * np.eye(8, 6)[place]] for place in truth]
