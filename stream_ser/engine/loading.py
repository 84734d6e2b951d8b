"""From a model's name to the engines that could run it, in the order of preference, each made only when its turn comes."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from stream_ser.engine.backend import Backend, warm_up
from stream_ser.engine.fallback import Candidate, FallbackChain, UnavailableError
from stream_ser.engine.graphs import NO_GRAPH
from stream_ser.errors import EngineError, as_engine_error
from stream_ser_models.card import ONNX, STEP, Card, CheckpointError, find, read_card, verified
from stream_ser_models.encoders import ONNX as ENCODER_ONNX
from stream_ser_models.encoders import encoder_file, find_encoder, read_encoder, refuse_other

INSTALL = "install one with: pip install 'stream-ser[cpu]' (or [gpu])"
CUDA = ("cuda-graph", "cuda", "onnx-cuda")
FALLBACK_ORDER = (*CUDA, "onnx", "torch")
ENGINES = ("auto", *FALLBACK_ORDER)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an engine is to be made for."""

    folder: Path
    card: Card
    hop: int = 0  # samples; what a GPU prepares steps for
    streams: int = 1  # and how many streams it keeps room for


def load_card(name: str) -> tuple[Path, Card]:
    """A model's folder and card. Raises EngineError when there is no such model or its card is unreadable."""
    try:
        folder = find(name)
        return folder, read_card(folder)
    except CheckpointError as error:
        raise as_engine_error(error) from error


def fallback_chain(folder: Path, card: Card, engine: str = "auto", *, hop: int = 0, streams: int = 1) -> FallbackChain:
    """The engines that may be used: one that was asked for alone, or with ``auto`` all, the fastest first.

    ``hop`` (samples) and ``streams`` say what a GPU is prepared for. Raises EngineError for an unknown engine, where none is
    installed, and when any file that the card names is missing or corrupt: other engines' too, for a folder that is broken
    anywhere is not to be trusted.
    """
    if engine not in ENGINES:
        raise EngineError(f"engine {engine!r} is unknown", fix=f"choose one of {', '.join(ENGINES)}")
    if all(find_spec(package) is None for package in ("onnxruntime", "torch")):
        raise EngineError("no engine is installed", fix=INSTALL)
    try:
        for file in card.files:
            verified(folder, card, file)
        if card.encoder is not None:
            encoder_onnx(card)
    except CheckpointError as error:
        raise as_engine_error(error) from error
    names, wanted = FALLBACK_ORDER if engine == "auto" else (engine,), Wanted(folder, card, hop, streams)
    return FallbackChain([Candidate(name, partial(_ready, name, wanted)) for name in names])


def load_backend(folder: Path, card: Card, engine: str = "auto") -> Backend:
    """The first engine that can be had, ready and checked. Raises EngineError where none can, with all reasons."""
    return fallback_chain(folder, card, engine).next()


def _ready(name: str, wanted: Wanted) -> Backend:
    """Load and warm up one engine, and hold it against the card's stored outputs. Raises EngineError."""
    if (reason := _missing(name)) is not None:
        raise UnavailableError(reason, fix=INSTALL)
    try:
        backend = _MAKERS[name](wanted)
        warm_up(backend, wanted.card)
        return backend
    except EngineError:
        raise
    except Exception as error:  # engines raise types of their own, and a broken install raises anything
        first = str(error).partition("\n")[0]
        raise EngineError(
            f"{name} cannot load {wanted.card.name} ({type(error).__name__}: {first})",
            fix="see stream-ser doctor, install the engine again, or try another one with --engine",
        ) from error


def _missing(name: str) -> str | None:
    """Why an engine cannot be had on this machine, without importing it: torch alone would take seconds."""
    package = "onnxruntime" if name.startswith("onnx") else "torch"
    if find_spec(package) is None:
        return f"{package} is not installed"
    if name in CUDA and (reason := no_cuda()) is not None:
        return reason
    if name == "cuda-graph" and os.environ.get(NO_GRAPH):
        return f"{NO_GRAPH} is set"
    return None


def no_cuda() -> str | None:
    """Why there is no CUDA device, asked of the driver itself; None where there is one."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "no CUDA device (no NVIDIA driver)"
    count = ctypes.c_int(0)
    if (code := driver.cuInit(0)) or (code := driver.cuDeviceGetCount(ctypes.byref(count))):
        return f"no CUDA device (the driver says error {code})"
    return None if count.value else "no CUDA device (the driver sees none)"


def encoder_onnx(card: Card) -> Path:
    """The encoder that a head stands on, for the CPU. Raises CheckpointError where it is another, or is not whole."""
    assert card.encoder is not None
    folder = find_encoder(card.encoder["name"])
    facts = read_encoder(folder)
    refuse_other(facts, card.encoder["name"], card.encoder["sha256"])
    return encoder_file(folder, facts, ENCODER_ONNX)


# Engines are imported here, so that a live install needs only the one it has.


def _onnx(wanted: Wanted) -> Backend:
    from stream_ser.engine.onnx_cpu import OnnxCpuBackend

    folder, card = wanted.folder, wanted.card
    step = verified(folder, card, STEP) if STEP in card.files else None
    encoder = None if card.encoder is None else encoder_onnx(card)
    return OnnxCpuBackend(verified(folder, card, ONNX), step, encoder)


def _onnx_cuda(wanted: Wanted) -> Backend:
    from stream_ser.engine.onnx_cuda import OnnxCudaBackend

    if wanted.card.encoder is not None:
        raise UnavailableError("its encoder is made for the CPU and for torch", fix="use --engine cuda, or onnx")
    return OnnxCudaBackend(verified(wanted.folder, wanted.card, ONNX))


def _cuda(wanted: Wanted, graphs: bool) -> Backend:
    from stream_ser.engine.torch_device import load

    return load(wanted.folder, wanted.card, hop=wanted.hop, streams=wanted.streams, graphs=graphs)


def _torch(wanted: Wanted) -> Backend:
    from stream_ser.engine.torch_eager import TorchEagerBackend

    return TorchEagerBackend(wanted.folder, wanted.card)


_MAKERS: dict[str, Callable[[Wanted], Backend]] = {
    "cuda-graph": partial(_cuda, graphs=True),
    "cuda": partial(_cuda, graphs=False),
    "onnx-cuda": _onnx_cuda,
    "onnx": _onnx,
    "torch": _torch,
}
