"""A small archive, and what one process makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from tests.archive.runs import Run, run
from tests.conftest import BUNDLED

FORMATS = "jsonl,csv"


@pytest.fixture(scope="session")
def archive(talk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four recordings in two folders, one of them bad. Tests must not change it."""
    folder = tmp_path_factory.mktemp("archive")
    (folder / "b").mkdir()
    samples, rate = soundfile.read(talk, frames=4 * 16_000, dtype="int16")
    for name in ("a.wav", "b/ü é.wav"):
        soundfile.write(folder / name, samples, rate, subtype="PCM_16")
    (folder / "b" / "long.flac").write_bytes(BUNDLED.read_bytes())
    (folder / "b" / "cut.wav").write_bytes(talk.read_bytes()[:120_000])
    return folder


@pytest.fixture(scope="session")
def unbroken(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One process, from beginning to end."""
    out = tmp_path_factory.mktemp("results") / "out"
    return run(archive, out, "--to", FORMATS, "--jobs", 1)
