"""The recording that comes with the program, for ``demo``, ``bench``, ``load`` and ``soak``.

In a clone it lies in ``demos/recording``; a wheel has the same folder beside this module, where pyproject.toml maps it.
"""

from __future__ import annotations

from pathlib import Path

from stream_ser.errors import SourceError

NAME = "conversation.flac"
HERE = Path(__file__).parent
FOLDERS = (HERE / "bundled_recording", HERE.parents[1] / "demos" / "recording")  # of a wheel, of a clone


def bundled_recording(folders: tuple[Path, ...] = FOLDERS) -> Path:
    """The bundled recording (FLAC, 16 kHz, one channel, 38.3 s), with its labels and credits beside it.

    Raises SourceError where no folder has it.
    """
    for folder in folders:
        if (path := folder / NAME).is_file():
            return path
    looked = " and in ".join(str(folder) for folder in folders)
    raise SourceError(f"{NAME} is not in {looked}", fix="install stream-ser again, or name a recording of your own")
