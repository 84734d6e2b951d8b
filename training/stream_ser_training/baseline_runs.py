"""Measure statistics with a support vector machine on the folds of a protocol, and store a record of each."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from stream_ser_training.baseline import evaluate_fold
from stream_ser_training.experiment import described
from stream_ser_training.protocols import Fold
from stream_ser_training.recipe import Task
from stream_ser_training.records import Record, file_name, utterance_row, write_record


def run_baseline(task: Task, folds: Sequence[Fold], records: Path) -> Iterable[Record]:
    """Measure statistics with a support vector machine on each fold; what has its record already is passed over."""
    for fold in folds:
        if (records / file_name("svm", task.name, fold.name, 1)).is_file():
            continue
        began = time.monotonic()
        split = fold.split
        tested = [*split.test, *fold.cross]
        outcome = evaluate_fold(split.train, split.validation, tested, list(task.labels))
        groups = [*(clip.corpus for clip in split.test), *(f"cross:{clip.corpus}" for clip in fold.cross)]
        record = Record(
            recipe="svm",
            architecture="svm",
            variant="log-mel statistics and a support vector machine",
            paper="baseline computed here; no openSMILE",
            fold=fold.name,
            seed=1,
            **described(task, fold),
            parameters=0,
            macs=0,
            temperature=1.0,
            utterances=[
                utterance_row(clip.speaker, clip.sex, int(truth), group, shares)
                for clip, group, truth, shares in zip(tested, groups, outcome.truth, outcome.probabilities, strict=True)
            ],
            windows={},
            curve=[],
            best_epoch=0,
            seconds=round(time.monotonic() - began, 1),
            deviations="",
            command=f"python -m training baseline --protocol {task.name} --folds {fold.name}",
        )
        write_record(records, record)
        yield record
