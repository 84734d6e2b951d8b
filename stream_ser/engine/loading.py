"""From a model's name to an engine that is ready to be asked."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from models.card import ONNX, Card, CheckpointError, find, read_card, verified
from stream_ser.engine.backend import Backend
from stream_ser.errors import EngineError

ENGINES = ("auto", "onnx", "torch")
INSTALL = "install one with: pip install 'stream-ser[cpu]' (or [gpu])"


def load_card(name: str) -> tuple[Path, Card]:
    """A model's folder and card. Raises EngineError when there is no such model or its card is unreadable."""
    try:
        folder = find(name)
        return folder, read_card(folder)
    except CheckpointError as error:
        raise as_engine_error(error) from error


def load_backend(folder: Path, card: Card, engine: str = "auto") -> Backend:
    """The engine asked for, with the card's weights; ``auto`` takes ONNX Runtime where it is installed, else torch.

    Raises EngineError when none is installed, naming the extra, or when any file that the card names is missing or corrupt.
    """
    if engine not in ENGINES:
        raise EngineError(f"engine {engine!r} is unknown", fix=f"choose one of {', '.join(ENGINES)}")
    have = {"onnx": find_spec("onnxruntime") is not None, "torch": find_spec("torch") is not None}
    chosen = engine if engine != "auto" else next((name for name, there in have.items() if there), "none")
    if not have.get(chosen, False):
        missing = "no engine is installed" if engine == "auto" else f"engine {engine} is not installed"
        raise EngineError(missing, fix=INSTALL)
    try:
        for name in card.files:  # the other engine's too: a folder that is broken anywhere is not to be trusted
            verified(folder, card, name)
        # Engines are imported here, so that a live install needs only the one it has.
        if chosen == "onnx":
            from stream_ser.engine.onnx_cpu import OnnxCpuBackend

            return OnnxCpuBackend(verified(folder, card, ONNX))
        from stream_ser.engine.torch_eager import TorchEagerBackend

        return TorchEagerBackend(folder, card)
    except CheckpointError as error:
        raise as_engine_error(error) from error
    except Exception as error:  # engines raise types of their own, and a broken install raises anything
        first = str(error).partition("\n")[0]
        raise EngineError(
            f"{chosen} cannot load {card.name} ({type(error).__name__}: {first})",
            fix="see stream-ser doctor, install the engine again, or try the other one with --engine",
        ) from error


def as_engine_error(error: CheckpointError) -> EngineError:
    """The same words as an error that the command line shows."""
    return EngineError(error.what, fix=error.fix)
