"""A checkpoint is a folder: ``card.json`` beside the weights it describes. Readable without torch.

The card holds everything that must not drift between training and the live system (labels, rate, window, front end,
calibration) and everything a person must know before using the weights (data, licence, split, figures, the command that
made them). It names each weight file with its SHA-256, and loading refuses a file whose hash differs.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FORMAT = 2
CARD = "card.json"
WEIGHTS = "weights.safetensors"
ONNX = "model.onnx"
STEP = "step.onnx"  # the same network hop by hop, where it can be computed so
SAMPLE_RATE = 16_000
INPUTS = ("waveform", "tokens")
HEAD_INPUTS = ("frames", "voice_sum", "voice_s")  # of a model that stands on an encoder
VOICE_CAP_S = 300.0  # seconds of a voice that its baseline rests on at most; what is older fades
LONGEST_WINDOW = 60 * SAMPLE_RATE
AGAIN = "get the checkpoint again"
SHIPPED = Path(__file__).parent / "shipped"
DEFAULT = "whisper-voice"  # where nobody names a model; docs/results/discussion.md says how it was chosen


class CheckpointError(Exception):
    """A checkpoint that cannot be used: ``what`` is wrong, with the value seen, and what to do (``fix``)."""

    def __init__(self, what: str, fix: str = AGAIN) -> None:
        super().__init__(f"{what}; {fix}")
        self.what = what
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Card:
    """The contents of ``card.json``."""

    format: int
    name: str
    architecture: str  # which network in ``models`` reads the weights
    paper: str
    labels: list[str]
    dimensions: list[str]  # what the network rates besides, each in [-1, 1]; empty for most
    inputs: list[str]  # what a window is asked with: waveform, tokens
    sample_rate: int  # Hz
    window_samples: int
    config: dict[str, Any]  # the network's config, front end included
    parameters: int
    macs: int  # multiply-accumulates of trunk and head a window, as papers count them: front end excluded
    temperature: float  # logits are divided by it before the softmax
    abstain_below: float  # smoothed confidence under which no label is given
    target: str  # which label was learnt: intended or perceived, and by whom
    licence: str
    intended_use: str
    data: list[dict[str, Any]]  # corpora with licence, credit, clips and speakers on each side
    split: dict[str, Any]
    figures: dict[str, Any]  # per corpus, on speakers that training never met
    command: str
    probe_logits: list[float]  # for ``probe``; the start-up check compares against them
    files: dict[str, str]  # file name to SHA-256
    encoder: dict[str, Any] | None = None  # name, sha256 and layers of the encoder whose frames the model takes

    @property
    def prior_s(self) -> float:
        """Seconds of speech that the training mean is worth in a caller's baseline; 0 without an encoder."""
        return float(self.config.get("prior_s", 0.0)) if self.encoder else 0.0

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 over the whole card, and so over the weights' hashes too."""
        data = asdict(self)
        if self.encoder is None:  # cards from before there were encoders keep their digests
            del data["encoder"]
        canonical = json.dumps(data, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def probe(window_samples: int, sample_rate: int) -> npt.NDArray[np.float32]:
    """Make a fixed signal (window_samples,) to compare engines on: a voice-like chirp with a quiet beginning.

    Made of plain sines, so that every machine makes the same one to the last few bits.
    """
    import numpy as np  # here, for every command line reads this file for the name of the default model

    t = np.arange(window_samples, dtype=np.float64) / sample_rate
    phase = 2.0 * np.pi * (140.0 * t + 30.0 * np.sin(2.0 * np.pi * 0.8 * t))
    voice = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 20))
    envelope = np.clip(2.0 * t, 0.0, 1.0) * (0.6 + 0.4 * np.sin(2.0 * np.pi * 3.0 * t))
    signal: npt.NDArray[np.float32] = (0.05 * envelope * voice).astype(np.float32)
    return signal


def probe_tokens(count: int) -> npt.NDArray[np.int64]:
    """Fixed word numbers (count,) to compare engines on, for networks that read words: eight words, then padding."""
    import numpy as np

    tokens = np.zeros(count, dtype=np.int64)
    tokens[:8] = np.arange(2, 10)[:count]
    return tokens


def write_card(folder: Path, card: Card) -> None:
    """Write ``card.json`` into the checkpoint's folder."""
    data = asdict(card)
    if card.encoder is None:
        del data["encoder"]
    text = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
    (folder / CARD).write_text(text, encoding="utf-8")


def read_card(folder: Path) -> Card:
    """Read and check a card.

    Raises CheckpointError when it is missing, is not JSON, lacks a field, or has a format this version does not read.
    """
    path = folder / CARD
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"no {CARD} in {folder}", "list the models with: stream-ser models") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        seen = data.get("format") if isinstance(data, dict) else type(data).__name__
        raise CheckpointError(f"{path} has card format {seen!r}, this version reads {FORMAT}", "update stream-ser")
    wrong = {item.name for item in fields(Card)} ^ {"encoder": None, **data}.keys()
    if wrong:
        raise CheckpointError(f"{path} lacks or adds {', '.join(sorted(wrong))}")
    card = Card(**data)
    problem = _problem(card)
    if problem:
        raise CheckpointError(f"{path} {problem}")
    return card


def _problem(card: Card) -> str | None:
    """What makes a card's values unusable; the live system relies on what passes."""
    kinds: dict[str, type | tuple[type, ...]] = {
        "list": list,
        "dict": dict,
        "str": str,
        "int": int,
        "float": (int, float),
    }
    for item in fields(Card):
        value, kind = getattr(card, item.name), str(item.type).partition("[")[0]
        if item.name == "encoder" and value is None:
            continue
        if not isinstance(value, kinds[kind]) or isinstance(value, bool):
            return f"has {item.name} {value!r}, which is not a {kind}"
    if len(card.labels) < 2 or len(set(map(str, card.labels))) != len(card.labels):
        return f"has labels {card.labels}, which are not two or more different ones"
    if len(card.probe_logits) != len(card.labels) or not all(isinstance(v, int | float) for v in card.probe_logits):
        return f"has probe_logits {card.probe_logits}, not one number for each label"
    if card.encoder is not None:
        given = {name: card.encoder.get(name) for name in ("name", "sha256", "layers")}
        if not (
            isinstance(given["name"], str) and isinstance(given["sha256"], str) and isinstance(given["layers"], int)
        ):
            return f"has encoder {card.encoder}; it needs name, sha256 and layers"
        if tuple(card.inputs) != HEAD_INPUTS:
            return f"has inputs {card.inputs}; on an encoder they are {', '.join(HEAD_INPUTS)}"
    elif "waveform" not in card.inputs or set(card.inputs) - set(INPUTS):
        return f"has inputs {card.inputs}, known are {', '.join(INPUTS)}"
    if card.sample_rate != SAMPLE_RATE or not 0 < card.window_samples <= LONGEST_WINDOW:
        return f"has a window of {card.window_samples} samples at {card.sample_rate} Hz, which nobody can hear"
    if not 0.0 < card.temperature < math.inf or not 0.0 <= card.abstain_below <= 1.0:
        return f"has temperature {card.temperature} and abstain_below {card.abstain_below}"
    if not isinstance(card.figures.get("test"), dict):
        return "has no figures on test speakers"
    return None


def verified(folder: Path, card: Card, name: str) -> Path:
    """Path of one of the card's files, after checking its hash.

    Raises CheckpointError when the card does not name it, it is missing, or its hash differs.
    """
    path = folder / name
    if name not in card.files:
        raise CheckpointError(f"the card of {card.name} names no {name}; it has {', '.join(card.files)}")
    if not path.is_file():
        raise CheckpointError(f"{path} is missing")
    try:
        seen = file_hash(path)
    except OSError as error:
        raise CheckpointError(f"cannot read {path} ({error.strerror})", "check the file's permissions") from error
    if seen != card.files[name]:
        raise CheckpointError(f"{path} is corrupt: SHA-256 {seen[:12]}…, the card says {card.files[name][:12]}…")
    return path


def shipped() -> list[str]:
    """Names of the checkpoints that come with the package."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{CARD}"))


def find(name: str) -> Path:
    """Give the folder of a shipped checkpoint by name, or of any other by path.

    Raises CheckpointError when there is none, naming what there is.
    """
    for folder in (SHIPPED / name, Path(name)):
        try:
            if (folder / CARD).is_file():
                return folder
        except OSError as error:
            raise CheckpointError(f"cannot look into {folder} ({error.strerror})", "check the path") from error
    near = difflib.get_close_matches(name.lower(), shipped(), n=1)
    if near:
        raise CheckpointError(f"no model {name!r}", f"did you mean {near[0]}? see them with: stream-ser models")
    there = ", ".join(shipped()) or "none"
    fix = "choose one of those or give a checkpoint's folder; see them with: stream-ser models"
    raise CheckpointError(f"no model {name!r}; there is {there}", fix)
