"""Train, export and measure: ``python -m training fit|export|evaluate``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from models.card import CheckpointError, find, read_card
from models.checkpoint import load_network
from models.export import ExportError
from training.corpora import CorpusError
from training.data import load_utterances
from training.evaluate import figures_by_corpus, score
from training.export import export
from training.fit import FitError, fit_recipe, make_split, predictor
from training.recipe import RecipeError, read_recipe
from training.splits import SplitError

DATA_VARIABLE = "STREAM_SER_DATA"


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    top = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--recipe", default="tfcnn_attention", help="bundled recipe's name or a .toml file")
    common.add_argument("--data", type=Path, help=f"folder that holds the corpora (default: ${DATA_VARIABLE})")
    common.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves it to torch")
    fit = commands.add_parser("fit", parents=[common], help="fit a recipe; goes on where an earlier run stopped")
    fit.add_argument("--out", type=Path, help="the run's folder (default: runs/RECIPE)")
    make = commands.add_parser("export", parents=[common], help="make a checkpoint with card and ONNX from a run")
    make.add_argument("--run", type=Path, help="the run's folder (default: runs/RECIPE)")
    make.add_argument("--out", type=Path, required=True, help="the checkpoint's folder; its name becomes the model's")
    look = commands.add_parser("evaluate", parents=[common], help="measure a checkpoint on the recipe's test speakers")
    look.add_argument("--model", required=True, help="shipped model's name or a checkpoint's folder")
    return top


def data_folder(given: Path | None) -> Path:
    """Choose the corpora's folder. Raises CorpusError when nobody said where it is."""
    folder = given or (Path(os.environ[DATA_VARIABLE]) if DATA_VARIABLE in os.environ else None)
    if folder is None or not folder.is_dir():
        raise CorpusError(f"no folder of corpora ({folder}); give --data DIR or set {DATA_VARIABLE}")
    return folder


def run(options: argparse.Namespace) -> int:
    """Carry out one command and return its exit code: 1 where ``evaluate`` does not find the card's figures."""
    recipe = read_recipe(options.recipe)
    data = data_folder(options.data)
    if options.threads:
        torch.set_num_threads(options.threads)
    default_run = Path("runs") / recipe.name
    if options.command == "fit":
        result = fit_recipe(recipe, data, options.out or default_run)
        print(f"best validation UA {result.best:.4f} after {result.epochs} epochs: {result.weights}")
    elif options.command == "export":
        weights = (options.run or default_run) / "best.safetensors"
        if not weights.is_file():
            raise CheckpointError(f"no {weights}", f"fit first: python -m training fit --recipe {options.recipe}")
        place = options.out.name if options.out.is_absolute() else options.out  # a card names no path of a machine
        command = f"python -m training fit --recipe {recipe.name} && "
        command += f"python -m training export --recipe {recipe.name} --out {place}"
        card = export(recipe, data, weights, options.out, command)
        show(card.figures["test"])
    else:
        folder = find(options.model)
        card = read_card(folder)
        if (card.split["validation"], card.split["test"]) != (recipe.validation, recipe.test):
            raise RecipeError(f"{card.name} was made on another split than {recipe.name}'s; give its own with --recipe")
        split = make_split(recipe, data)
        scored = score(load_utterances(split.test, card.labels), predictor(load_network(folder, card)))
        measured = figures_by_corpus(scored, card.labels, card.temperature)
        show(measured)
        same = json.dumps(measured, sort_keys=True) == json.dumps(card.figures["test"], sort_keys=True)
        print("the card's figures, reproduced" if same else "differs from the card's figures")
        return 0 if same else 1
    return 0


def show(figures: dict[str, dict[str, Any]]) -> None:
    """Print one line a corpus."""
    print(f"{'corpus':10} {'clips':>5} {'speakers':>8} {'WA':>6} {'UA':>6} {'UA 2 s':>6} {'ECE':>6}  recall")
    for name, row in figures.items():
        recall = " ".join(f"{label} {value:.2f}" for label, value in row["recall"].items())
        print(
            f"{name:10} {row['clips']:5} {row['speakers']:8} {row['WA']:6.3f} {row['UA']:6.3f} "
            f"{row['UA_windows']:6.3f} {row['ECE_windows']:6.3f}  {recall}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; expected failures are one line and exit code 2."""
    try:
        return run(parser().parse_args(arguments))
    except (CorpusError, RecipeError, SplitError, FitError, CheckpointError, ExportError) as error:
        print(f"training: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("training: interrupted; the same command goes on from the last finished epoch", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
