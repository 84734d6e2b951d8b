"""Train, export, measure and report: ``python -m training --help`` lists the commands."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from stream_ser.errors import StreamSerError
from stream_ser_models.card import Card, CheckpointError, find, read_card, write_card
from stream_ser_models.checkpoint import load_network
from stream_ser_models.encoders import find_encoder, read_encoder
from stream_ser_models.export import ExportError
from stream_ser_models.export_encoder import pack_encoder
from stream_ser_models.frames import FrameHead
from stream_ser_models.frames_tfcnn import FramesTFCNN, FramesTFCNNConfig
from stream_ser_models.whisper import WhisperConfig
from stream_ser_models.words import WordsError
from stream_ser_training import line_report
from stream_ser_training.baseline_runs import run_baseline
from stream_ser_training.clips import CorpusError
from stream_ser_training.corpora import verify
from stream_ser_training.cost import add_costs
from stream_ser_training.data import load_utterances
from stream_ser_training.devices import DeviceError, leave, place
from stream_ser_training.evaluate import figures_by_corpus, score
from stream_ser_training.experiment import Experiment, choose, folds_of
from stream_ser_training.export import export, held_out, predictor, trained
from stream_ser_training.export_head import export_on_encoder, strangers, unseen_figures
from stream_ser_training.fit_runs import end_with_driver
from stream_ser_training.fuse import fuse
from stream_ser_training.jobs import add_options, fit_side_by_side
from stream_ser_training.level import bring_to_one_loudness
from stream_ser_training.pretrain import FOLDER, PretrainConfig, Pretrainer, speech
from stream_ser_training.protocols import Fold
from stream_ser_training.provenance import learnt_before
from stream_ser_training.recipe import RecipeError, Task, read_recipe, read_task
from stream_ser_training.records import RecordError, read_records
from stream_ser_training.reexport import write_again
from stream_ser_training.report import report
from stream_ser_training.resume import FitError, Interrupted
from stream_ser_training.speech_probe import make_probe
from stream_ser_training.splits import SplitError
from stream_ser_training.streaming import command as stream_eval
from stream_ser_training.text import run_text

DATA_VARIABLE = "STREAM_SER_DATA"
RECORDS = Path("docs/results/records")
FAILURES = (
    CheckpointError,
    CorpusError,
    DeviceError,
    ExportError,
    FitError,
    RecipeError,
    RecordError,
    SplitError,
    StreamSerError,
    WordsError,
)  # each says what happened and what to do


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    top = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", type=Path, help=f"folder that holds the corpora (default: ${DATA_VARIABLE})")
    data.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves it to torch")
    task = argparse.ArgumentParser(add_help=False)
    task.add_argument("--protocol", default="pooled4", help="bundled protocol's name or a .toml file")
    common = argparse.ArgumentParser(add_help=False, parents=[data, task])
    common.add_argument(
        "--recipe", required=True, help="bundled recipe's name or a .toml file; fit takes several, with commas"
    )
    common.add_argument("--runs", type=Path, default=Path("runs"), help="folder of runs and staged features")
    folds = argparse.ArgumentParser(add_help=False)
    folds.add_argument("--folds", default="", help="names of folds, separated by commas; all by default")
    folds.add_argument("--records", type=Path, default=RECORDS, help=f"where records go (default: {RECORDS})")

    fit = commands.add_parser("fit", parents=[common, folds], help="fit and test folds; goes on where a run stopped")
    fit.add_argument("--seeds", default="1", help="seeds, separated by commas")
    fit.add_argument("--device", default="auto", help="auto, cpu or cuda; several processes: start with torchrun")
    add_options(fit)
    make = commands.add_parser("export", parents=[common], help="make a checkpoint with card and ONNX from a run")
    make.add_argument("--fold", default="", help="the fold whose run is exported (default: the protocol's first)")
    make.add_argument("--seed", type=int, default=1, help="the run's seed")
    make.add_argument("--records", type=Path, default=RECORDS, help=f"records of strangers (default: {RECORDS})")
    make.add_argument("--out", type=Path, required=True, help="the checkpoint's folder; its name becomes the model's")
    look = commands.add_parser(
        "evaluate", parents=[data, task], help="measure a checkpoint on a protocol's test speakers"
    )
    look.add_argument("--model", required=True, help="shipped model's name or a checkpoint's folder")
    look.add_argument(
        "--write", action="store_true", help="write the figures into its card, after its encoder was packed anew"
    )
    line_report.add_parser(commands, [data, task])
    anew = commands.add_parser("again", help="write a checkpoint's ONNX file anew from its weights; card follows")
    anew.add_argument("--model", required=True, help="shipped model's name or a checkpoint's folder")
    anew.add_argument(
        "--new-encoder", action="store_true", help="take its encoder as it is packed now, then measure it again"
    )
    even = commands.add_parser(
        "level", parents=[data, task], help="bring a finished checkpoint's windows to one loudness; its weights stay"
    )
    even.add_argument("--model", required=True, help="shipped model's name or a checkpoint's folder")
    early = commands.add_parser("pretrain", parents=[data], help="contrastive pre-training on speech without labels")
    early.add_argument("--runs", type=Path, default=Path("runs"), help="folder of runs")
    early.add_argument("--steps", type=int, default=PretrainConfig().steps, help="training steps")
    early.add_argument("--device", default="auto", help="auto, cpu or cuda")
    commands.add_parser("baseline", parents=[data, task, folds], help="log-mel statistics and a support vector machine")
    text = commands.add_parser("text", parents=[data], help="train the text branch on written comments")
    text.add_argument("--runs", type=Path, default=Path("runs"), help="folder of runs")
    text.add_argument("--records", type=Path, default=RECORDS, help=f"where the record goes (default: {RECORDS})")
    join = commands.add_parser(
        "fuse", parents=[data], help="make the checkpoint for sound and words from both branches"
    )
    join.add_argument("--runs", type=Path, default=Path("runs"), help="folder of runs")
    join.add_argument("--records", type=Path, default=RECORDS, help=f"where the record goes (default: {RECORDS})")
    join.add_argument("--out", type=Path, required=True, help="the checkpoint's folder; its name becomes the model's")
    told = commands.add_parser(
        "speech-probe", parents=[data], help="fit what tells an encoder's frames of speech from silence"
    )
    told.add_argument("--encoder", default=WhisperConfig().encoder, help="shipped encoder's name or its folder")
    pack = commands.add_parser("encoder", help="pack a pre-trained encoder's first layers, for torch and in 8 bits")
    pack.add_argument("--source", type=Path, required=True, help="safetensors file of Whisper's encoder")
    pack.add_argument("--licence", type=Path, required=True, help="its licence's text")
    pack.add_argument("--layers", type=int, required=True, help="transformer layers after the stem")
    pack.add_argument("--pool", type=int, default=1, help="frames that the ONNX file averages into one (default: 1)")
    pack.add_argument("--out", type=Path, required=True, help="the encoder's folder; its name becomes the encoder's")
    stream_eval.add_parser(commands, [data])
    price = commands.add_parser("cost", help="measure what a window costs every recorded system, into its records")
    price.add_argument("--records", type=Path, default=RECORDS, help=f"stored records (default: {RECORDS})")
    check = commands.add_parser("verify", parents=[data], help="hold corpora against the checksums in their manifests")
    check.add_argument("corpora", nargs="+", help="names of corpora")
    write = commands.add_parser("report", help="rebuild tables and plots from the stored records")
    write.add_argument("--records", type=Path, default=RECORDS, help=f"stored records (default: {RECORDS})")
    write.add_argument("--out", type=Path, default=RECORDS.parent, help=f"where to write (default: {RECORDS.parent})")
    return top


def data_folder(given: Path | None) -> Path:
    """Choose the corpora's folder. Raises CorpusError when nobody said where it is."""
    folder = given or (Path(os.environ[DATA_VARIABLE]) if DATA_VARIABLE in os.environ else None)
    if folder is None or not folder.is_dir():
        raise CorpusError(f"no folder of corpora ({folder}); give --data DIR or set {DATA_VARIABLE}")
    return folder


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _fit(options: argparse.Namespace) -> int:
    recipes = [read_recipe(name, options.protocol) for name in _names(options.recipe)]
    data, seeds = data_folder(options.data), [int(seed) for seed in _names(options.seeds)]
    where = place(options.device, recipes[0].fit.precision)
    try:
        experiments = [Experiment(recipe, data, options.runs, where) for recipe in recipes]
        if options.jobs != 1 or options.on != "here":
            return fit_side_by_side(options, data, list(zip(_names(options.recipe), experiments, strict=True)), seeds)
        end_with_driver()
        for seed in seeds:  # the outer loop, so that a grid that is stopped has a seed of everything
            for experiment in experiments:
                folds = choose(experiment.folds, _names(options.folds))
                for record in experiment.run(folds, [seed], options.records, missing=options.missing):
                    best = max((line.get("validation_UA", 0.0) for line in record.curve), default=0.0)
                    told = f"{record.recipe} {record.protocol} fold {record.fold} seed {record.seed}"
                    print(f"{told}: validation UA {best:.4f}, {record.seconds:.0f} s", flush=True)
    finally:
        leave()
    return 0


def _export(options: argparse.Namespace) -> int:
    recipe = read_recipe(options.recipe, options.protocol)
    experiment = Experiment(recipe, data_folder(options.data), options.runs, place("cpu", "float32"))
    fold = choose(experiment.folds, _names(options.fold))[0]
    weights = experiment.folder(fold, options.seed) / "best.safetensors"
    again = f"python -m training fit --recipe {options.recipe} --protocol {options.protocol} --folds {fold.name}"
    if not weights.is_file():
        raise CheckpointError(f"no {weights}", f"fit first: {again}")
    place_of_it = options.out.name if options.out.is_absolute() else options.out  # a card names no path of a machine
    command = f"python -m training fit --recipe {recipe.name} --protocol {recipe.task.name} --folds {fold.name} "
    command += f"--seeds {options.seed} && python -m training export --recipe {recipe.name} "
    command += f"--protocol {recipe.task.name} --fold {fold.name} --seed {options.seed} --out {place_of_it}"
    network, before = trained(recipe, weights), learnt_before(recipe, experiment.data)
    unseen = strangers(read_records(options.records), recipe.name) if any(options.records.glob("*.json")) else {}
    more = {"strangers": unseen} if unseen else None
    whole = f"{before.command}{command}"
    make = (
        partial(export_on_encoder, recipe, fold, network)
        if isinstance(network, FrameHead)
        else partial(export, recipe, fold, network)
    )
    card = make(options.out, whole, more_data=before.data, more_figures=more)
    show(card.figures["test"])
    if "test_caller" in card.figures:
        show(card.figures["test_caller"])
    return 0


def _fold_of(card: Card, task: Task, data: Path) -> Fold:
    """The protocol's fold that a checkpoint was made on. Raises RecipeError where there is none."""
    wanted = {
        side: {corpus: sorted(names) for corpus, names in card.split.get(side, {}).items()}
        for side in ("validation", "test")
    }
    fold = next((fold for fold in folds_of(task, data) if held_out(fold) == wanted), None)
    if fold is None or list(task.labels) != card.labels:
        raise RecipeError(f"{card.name} was made on another split than {task.name}'s; give its own with --protocol")
    return fold


def _level(options: argparse.Namespace) -> int:
    data, folder = data_folder(options.data), find(options.model)
    fold = _fold_of(read_card(folder), read_task(options.protocol), data)
    command = f"python -m training level --model {options.model} --protocol {options.protocol}"
    card = bring_to_one_loudness(folder, fold, data, command)
    print(f"log-likelihood by loudness: {card.figures['validation_likelihood_at_loudness']}")
    show(card.figures["test"])
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    task, data, folder = read_task(options.protocol), data_folder(options.data), find(options.model)
    card = read_card(folder)
    fold = _fold_of(card, task, data)
    network = load_network(folder, card)
    if isinstance(network, FrameHead):
        measured = unseen_figures(network, fold, card.labels, card.temperature)
        print("each voice as one that nobody knows:")
        show(measured["test"])
        print("a voice's clips as one stream, with the caller's baseline:")
        show(measured["test_caller"])
    else:
        utterances = load_utterances(fold.split.test, card.labels)
        measured = {"test": figures_by_corpus(score(utterances, predictor(network)), card.labels, card.temperature)}
        show(measured["test"])
    told = {name: card.figures.get(name) for name in measured}
    if options.write:
        write_card(folder, replace(card, figures=card.figures | measured))
        print("written into the card")
        return 0
    same = json.dumps(measured, sort_keys=True) == json.dumps(told, sort_keys=True)
    print("the card's figures, reproduced" if same else "differs from the card's figures")
    return 0 if same else 1


def run(options: argparse.Namespace) -> int:
    """Carry out one command and return its exit code: 1 where a check does not find what it should."""
    if getattr(options, "threads", 0):
        torch.set_num_threads(options.threads)
    if options.command == "fit":
        return _fit(options)
    if options.command == "export":
        return _export(options)
    if options.command == "evaluate":
        return _evaluate(options)
    if options.command == "line":
        fold = _fold_of(read_card(find(options.model)), read_task(options.protocol), data_folder(options.data))
        line_report.report(options.model, fold, options.line)
        return 0
    if options.command == "level":
        return _level(options)
    if options.command == "again":
        card = write_again(find(options.model), new_encoder=options.new_encoder)
        print(f"{card.name}: {card.digest}")
        return 0
    if options.command == "report":
        for path in report(options.records, options.out):
            print(path)
        return 0
    if options.command == "cost":
        for name, milliseconds in add_costs(options.records):
            print(f"{name:24} {milliseconds:7.2f} ms a window, one thread")
        return 0
    if options.command == "encoder":
        facts = pack_encoder(options.source, options.licence, options.out, layers=options.layers, pool=options.pool)
        print(f"{facts.name}: {facts.layers} layers, SHA-256 {facts.digest}")
        return 0
    data = data_folder(options.data)
    if options.command == "verify":
        problems = [problem for name in options.corpora for problem in verify(data / name)]
        print("\n".join(problems) or f"{', '.join(options.corpora)}: nothing missing, no known checksum differs")
        return 1 if problems else 0
    if options.command == "stream-eval":
        for path in stream_eval.run(options, data):
            print(path)
    elif options.command == "pretrain":
        train, held = speech(data)
        config = PretrainConfig(steps=options.steps)
        print(Pretrainer(train, held, config, options.runs / FOLDER, place(options.device)).run())
    elif options.command == "speech-probe":
        path, right = make_probe(FramesTFCNN(FramesTFCNNConfig(frontend=_frontend(options.encoder))), data)
        print(f"{path.name}: right on {100.0 * right:.1f} % of the frames of kept clips")
    elif options.command == "fuse":
        show(fuse(data, options.runs, options.records, options.out)[0].figures["test"])
    elif options.command == "text":
        run_text(data, options.runs, options.records)
    else:
        task = read_task(options.protocol)
        for record in run_baseline(task, choose(folds_of(task, data), _names(options.folds)), options.records):
            print(f"{record.recipe} {record.protocol} fold {record.fold}")
    return 0


def _frontend(encoder: str) -> WhisperConfig:
    """All of an encoder's layers."""
    return WhisperConfig(encoder=encoder, layers=read_encoder(find_encoder(encoder)).layers)


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
    except FAILURES as error:
        print(f"training: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, Interrupted):
        print("training: interrupted; the same command goes on from the last finished step", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
