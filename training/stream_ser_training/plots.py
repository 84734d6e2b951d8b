"""The report's pictures. The same records give the same bytes: no date, no version, fixed seeds, one order."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from stream_ser_training.metrics import Spread, confusion
from stream_ser_training.records import Record, RecordError
from stream_ser_training.results import heard

LARGEST = 150_000  # bytes of a picture
SHARPEST = (120, 96, 80, 64, 48, 36)  # dots per inch, tried in turn until a picture is small enough
STYLE: dict[Any, Any] = {"font.size": 8.0, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 8.0}
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c6d31")
BINS = 10
MOST_POINTS = 1500  # in a t-SNE picture

Rows = Sequence[tuple[str, list[Record]]]
Draw = Callable[[Rows, Path], Path]


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG of at most LARGEST bytes, as sharp as that allows."""
    data = b""
    for dots in SHARPEST:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=dots, metadata={"Software": None})
        data = buffer.getvalue()
        if len(data) <= LARGEST:
            break
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def panels(count: int, width: float = 2.8, height: float = 2.8) -> tuple[Figure, list[Any]]:
    """A figure with ``count`` axes, four a row at most, drawn without a screen."""
    across = min(4, count)
    down = math.ceil(count / across)
    figure = Figure(figsize=(width * across, height * down), layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(down, across, squeeze=False).flat)
    for spare in axes[count:]:
        spare.set_visible(False)
    return figure, axes[:count]


def title(name: str) -> str:
    """A system's name on two lines where it is long."""
    first, _, rest = name.partition(", ")
    return f"{first}\n{rest}" if rest else name


@mpl.rc_context(STYLE)
def confusions(rows: Rows, path: Path) -> Path:
    """What each class was taken for, in per cent of its clips, over the test clips of all folds."""
    figure, axes = panels(len(rows))
    for axis, (name, own) in zip(axes, rows, strict=True):
        labels = own[0].labels
        counts = confusion(heard(own, cross=False)).astype(np.float64)
        shares = 100.0 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
        axis.imshow(shares, vmin=0.0, vmax=100.0, cmap="Blues")
        for (row, column), value in np.ndenumerate(shares):
            colour = "white" if value > 55.0 else "black"
            axis.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=6.0, color=colour)
        axis.set_xticks(range(len(labels)), labels, rotation=90)
        axis.set_yticks(range(len(labels)), labels)
        axis.set_title(title(name))
        axis.set_xlabel("taken for")
        axis.set_ylabel("true")
    return save(figure, path)


@mpl.rc_context(STYLE)
def reliability(rows: Rows, path: Path) -> Path:
    """Share of right clips against confidence; a circle's area grows with its clips."""
    figure, axes = panels(len(rows), 2.4, 2.4)
    for axis, (name, own) in zip(axes, rows, strict=True):
        axis.plot([0.0, 1.0], [0.0, 1.0], color="0.7", linewidth=0.8)
        for colour, cross in ((COLOURS[0], False), (COLOURS[1], True)):
            given = heard(own, cross=cross)
            if not len(given):
                continue
            confidence, right = given.probabilities.max(axis=1), given.predicted == given.truth
            places = np.minimum((confidence * BINS).astype(int), BINS - 1)
            chosen = [places == place for place in range(BINS) if bool((places == place).any())]
            x, y = [confidence[mask].mean() for mask in chosen], [right[mask].mean() for mask in chosen]
            area = [4.0 + 200.0 * float(mask.mean()) for mask in chosen]
            axis.plot(x, y, color=colour, linewidth=0.8)
            axis.scatter(x, y, s=area, color=colour, label="other corpus" if cross else "own corpora", alpha=0.8)
        axis.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0), xlabel="confidence", ylabel="share right")
        axis.set_title(title(name))
        if len(axis.get_legend_handles_labels()[1]) > 1:
            for mark in axis.legend(fontsize=6.0, frameon=False).legend_handles:
                mark.set_sizes([12.0])
    return save(figure, path)


@mpl.rc_context(STYLE)
def learning_curves(rows: Rows, path: Path) -> Path:
    """Validation UA of each run (lines), beside training loss (dashed) and validation NLL (dotted), mean over runs."""
    figure, axes = panels(len(rows), 2.8, 2.3)
    for axis, (name, own) in zip(axes, rows, strict=True):
        for record in own:
            line = [(item["epoch"], 100.0 * item["validation_UA"]) for item in record.curve if "validation_UA" in item]
            axis.plot(*zip(*line, strict=True) if line else ((), ()), color=COLOURS[0], linewidth=0.7, alpha=0.6)
        axis.axhline(100.0 / len(own[0].labels), color="0.7", linewidth=0.8)
        axis.set(ylim=(0.0, 100.0), xlabel="epoch", ylabel="validation UA, %")
        axis.set_title(title(name))
        losses = axis.twinx()
        losses.spines["right"].set_visible(True)
        losses.set_ylabel("loss, nats")
        for key, dash in (("loss", "--"), ("validation_NLL", ":")):
            found: dict[int, list[float]] = {}
            for item in (item for record in own for item in record.curve if key in item):
                found.setdefault(int(item["epoch"]), []).append(float(item[key]))
            epochs = sorted(found)
            losses.plot(epochs, [np.mean(found[epoch]) for epoch in epochs], dash, color=COLOURS[1], linewidth=0.9)
        losses.set_ylim(bottom=0.0)
    return save(figure, path)


@mpl.rc_context(STYLE)
def embeddings(rows: Sequence[tuple[str, Record]], path: Path) -> Path:
    """t-SNE of what the last layer sees of the test clips of one fold. Raises RecordError where rows do not match."""
    figure, axes = panels(len(rows), 3.2, 3.0)
    for axis, (name, record) in zip(axes, rows, strict=True):
        if len(record.embedding) != len(record.utterances):
            counts = f"{len(record.embedding)} rows of embedding for {len(record.utterances)} utterances"
            raise RecordError(f"{record.file_name} has {counts}; run its command again: {record.command}")
        points = np.asarray(record.embedding, dtype=np.float64)[:MOST_POINTS]
        truth = np.array([row[2] for row in record.utterances])[:MOST_POINTS]
        around = min(30.0, max(1.0, (len(points) - 1) / 3.0))
        scale = np.maximum(points.std(axis=0), 1e-9)
        flat = TSNE(random_state=0, init="pca", perplexity=around).fit_transform((points - points.mean(axis=0)) / scale)
        for place, label in enumerate(record.labels):
            chosen = truth == place
            colour = COLOURS[place % len(COLOURS)]
            axis.scatter(flat[chosen, 0], flat[chosen, 1], s=6.0, color=colour, label=label)
        axis.set(xticks=[], yticks=[])
        axis.set_title(title(name))
        axis.legend(fontsize=5.5, frameon=False, markerscale=1.5)
    return save(figure, path)


@mpl.rc_context(STYLE)
def sweep(lines: Sequence[tuple[str, str, list[tuple[int, Spread]]]], path: Path) -> Path:
    """UA against a setting: for each panel's axis title, named lines of (setting, mean and sd over folds)."""
    names = list(dict.fromkeys(axis for axis, _, _ in lines))
    figure, axes = panels(len(names), 3.4, 2.6)
    for axis, name in zip(axes, names, strict=True):
        for place, (_, label, points) in enumerate(line for line in lines if line[0] == name):
            x, y = [setting for setting, _ in points], [100.0 * value.mean for _, value in points]
            bars = [100.0 * (value.sd or 0.0) for _, value in points]
            axis.errorbar(x, y, yerr=bars, marker="o", markersize=3.0, capsize=2.0, color=COLOURS[place], label=label)
        axis.set_xticks(sorted({x for own, _, points in lines if own == name for x, _ in points}))
        axis.set_xlabel(name)
        axis.set_ylabel("UA, %")
        axis.legend(fontsize=6.5, frameon=False)
    return save(figure, path)
