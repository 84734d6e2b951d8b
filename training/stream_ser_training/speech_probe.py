"""Which frames hold speech, read linearly from an encoder's frames: what a voice's mean is taken over.

Frames of silence say nothing of a voice, and how much silence a window has differs between corpora and calls. A frame is
active where its power lies within 30 dB of the window's loudest; ridge regression on frames of voices that no protocol
tests finds the direction that tells, wideband and by telephone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from stream_ser_models.encoders import SPEECH, find_encoder, read_encoder
from stream_ser_models.frames import FrameHead
from stream_ser_training.clips import read_manifest
from stream_ser_training.corpora import Samples, load
from stream_ser_training.encoded import frontend_of
from stream_ser_training.lines import telephone_band
from stream_ser_training.segments import segments

CORPORA = ("kathleen", "baved")  # which no protocol tests or trains emotion on
CLIPS = 200  # of each
ACTIVE_DB = 30.0
RIDGE = 1.0
SHARPNESS = 8.0  # of the sigmoid, by which a regression on 0 and 1 becomes a weight


def active(window: Samples, steps: int) -> npt.NDArray[np.bool_]:
    """Which of ``steps`` equal parts of a window have power within 30 dB of the loudest."""
    power = np.square(window.reshape(steps, -1)).mean(axis=1)
    found: npt.NDArray[np.bool_] = (power >= power.max() * 10.0 ** (-ACTIVE_DB / 10.0)) & (power > 1e-9)
    return found


def fit_probe(frames: npt.NDArray[np.float32], there: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.float32], float]:
    """Weights (D,) and bias with which ``sigmoid(frames @ weights + bias)`` tells active frames (N, D)."""
    mean = frames.mean(axis=0)
    centred = (frames - mean).astype(np.float64)
    target = there.astype(np.float64) - 0.5
    gram = centred.T @ centred + RIDGE * len(frames) * np.eye(frames.shape[1]) * 1e-3
    weights = np.linalg.solve(gram, centred.T @ (target - target.mean()))
    bias = target.mean() - mean @ weights
    return (SHARPNESS * weights).astype(np.float32), float(SHARPNESS * bias)


def make_probe(head: FrameHead, data: Path) -> tuple[Path, float]:
    """Fit the probe of a head's encoder, store it beside the encoder, and return its path and how often it is right.

    Every fifth clip is kept for that. Raises CorpusError where the corpora are missing.
    """
    frontend, steps = frontend_of(head), head.config.steps
    width = read_encoder(find_encoder(head.config.frontend.encoder)).width
    parts: dict[bool, list[tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]]] = {False: [], True: []}
    for corpus in CORPORA:
        clips = read_manifest(data / corpus, "")
        for number, clip in enumerate(clips[:: max(1, len(clips) // CLIPS)]):
            samples = load(clip)
            for heard in (samples, telephone_band(samples)):
                windows = segments(heard)[:2]
                frames = (
                    frontend(torch.from_numpy(windows)).numpy().reshape(-1, head.width)[:, :width]
                )  # of loudness alone nobody speaks
                truth = np.concatenate([active(window, steps) for window in windows])
                parts[number % 5 == 0].append((frames, truth))
    learnt, kept = ([np.concatenate(column) for column in zip(*parts[side], strict=True)] for side in (False, True))
    weights, bias = fit_probe(learnt[0], learnt[1])
    right = float(((kept[0] @ weights + bias > 0.0) == kept[1]).mean())
    path = find_encoder(head.config.frontend.encoder) / SPEECH
    np.savez(path, weights=weights, bias=np.float32(bias), layers=np.int64(head.config.frontend.layers))
    return path, right
