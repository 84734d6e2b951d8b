"""Pre-trained speech encoders that come with the package, each in a folder of its own. Readable without torch.

``encoder.json`` says what the files beside it are, where they come from and under which licence, and names each with its
SHA-256; a head's card names its encoder by name and ``digest``, so that no head is ever asked on another's frames.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from stream_ser_models.card import AGAIN, CheckpointError, file_hash

ENCODERS = Path(__file__).parent / "encoders"
ENCODER = "encoder.json"
WEIGHTS = "encoder.safetensors"  # for torch: stem and layers' matrices as 8-bit integers with a scale for each row
ONNX = "encoder.onnx"  # for the CPU: one window (1, samples) to its ``frames`` (1, T / pool, values), in 8 bits
SPEECH = "speech.npz"  # weights and bias that tell frames of speech from silence, for heads that are trained anew
FORMAT = 4


@dataclass(frozen=True, slots=True)
class EncoderFacts:
    """The contents of ``encoder.json``."""

    format: int
    name: str
    source: str  # what it was read out of, and by whom it was trained on what
    credit: str
    licence: str
    width: int  # of a frame within the encoder
    values: int  # of a frame as it is given out: one more than ``width`` where the window's loudness is the last
    heads: int
    layers: int  # transformer layers in the weights, after the convolutional stem
    pool: int  # frames that the ONNX file averages into one
    sample_rate: int  # Hz
    mels: int
    frame_samples: int  # of the log-mel picture
    hop_samples: int
    probe: dict[str, list[float]]  # by layer, 0 for the stem: first values of the middle frame for ``card.probe``
    files: dict[str, str]  # file name to SHA-256

    @property
    def digest(self) -> str:
        """SHA-256 over the hashes of weights and ONNX file, hexadecimal: what a card means by its encoder.

        Over both, because a head that was trained on what one of them computes is wrong on another's frames.
        """
        told = self.files[WEIGHTS] + self.files.get(ONNX, "")
        return hashlib.sha256(told.encode()).hexdigest()


def encoders(root: Path = ENCODERS) -> list[str]:
    """Names of the encoders that come with the package."""
    return sorted(path.parent.name for path in root.glob(f"*/{ENCODER}"))


def find_encoder(name: str, root: Path = ENCODERS) -> Path:
    """Give the folder of a shipped encoder by name, or of any other by path.

    Raises CheckpointError when there is none, naming what there is.
    """
    for folder in (root / name, Path(name)):
        if (folder / ENCODER).is_file():
            return folder
    there = ", ".join(encoders(root)) or "none"
    raise CheckpointError(f"no encoder {name!r}; there is {there}", "update stream-ser or give an encoder's folder")


def read_encoder(folder: Path) -> EncoderFacts:
    """Read and check ``encoder.json``.

    Raises CheckpointError when it is missing, is not JSON, lacks or adds a field, or has a format not read here.
    """
    path = folder / ENCODER
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        seen = data.get("format") if isinstance(data, dict) else type(data).__name__
        raise CheckpointError(f"{path} has encoder format {seen!r}, this version reads {FORMAT}", "update stream-ser")
    wrong = {item.name for item in fields(EncoderFacts)} ^ set(data)
    if wrong:
        raise CheckpointError(f"{path} lacks or adds {', '.join(sorted(wrong))}")
    facts = EncoderFacts(**data)
    if not isinstance(facts.pool, int) or facts.pool < 1:
        raise CheckpointError(f"{path} has pool {facts.pool!r}, which is no number of frames")
    if not isinstance(facts.files, dict) or WEIGHTS not in facts.files:
        raise CheckpointError(f"{path} has files {facts.files!r}, which do not name {WEIGHTS}")
    return facts


def encoder_file(folder: Path, facts: EncoderFacts, name: str) -> Path:
    """Path of one of an encoder's files, after checking its hash.

    Raises CheckpointError when ``encoder.json`` does not name it, it is missing, or its hash differs.
    """
    path = folder / name
    if name not in facts.files:
        raise CheckpointError(f"the encoder {facts.name} has no {name}; it has {', '.join(sorted(facts.files))}")
    try:
        seen = file_hash(path)
    except OSError as error:
        raise CheckpointError(f"cannot read {path} ({error.strerror})", AGAIN) from error
    if seen != facts.files[name]:
        what = f"{path} is corrupt: SHA-256 {seen[:12]}…, {ENCODER} says {facts.files[name][:12]}…"
        raise CheckpointError(what)
    return path


def refuse_other(facts: EncoderFacts, name: str, sha256: str) -> None:
    """Refuse an encoder that a head was not trained on. Raises CheckpointError, naming both."""
    if (facts.name, facts.digest) != (name, sha256):
        wanted, there = f"{name} ({sha256[:12]}…)", f"{facts.name} ({facts.digest[:12]}…)"
        raise CheckpointError(f"the model's head was trained on encoder {wanted}, here is {there}", "update stream-ser")
