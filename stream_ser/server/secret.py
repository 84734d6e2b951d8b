"""A secret that a setting names but does not hold: a file's or an environment variable's.

Config files are copied, shown and committed, and command lines are seen by everybody on the machine; so no setting takes a
secret itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from stream_ser.errors import ConfigError

LARGEST = 65_536  # bytes


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is: ``file:PATH`` or ``env:NAME``."""

    kind: Literal["file", "env"]
    name: str

    @classmethod
    def parse(cls, text: str, folder: Path | None = None) -> Self:
        """Read the setting's text; a relative path begins at ``folder``.

        Raises ValueError without the text, which may be the secret itself.
        """
        kind, _, name = text.partition(":")
        if not name or "\0" in name:
            raise ValueError("does not say file:PATH or env:NAME")
        if kind == "file":
            path = Path(name)
            return cls("file", str(path if folder is None else folder / path))
        if kind == "env":
            return cls("env", name)
        raise ValueError("does not say file:PATH or env:NAME")

    def read(self, environ: Mapping[str, str]) -> str:
        """Fetch the secret, without white space around it.

        Raises ConfigError where it is not there, or is empty.
        """
        if self.kind == "env":
            value = environ.get(self.name, "").strip()
            if not value:
                raise ConfigError(f"the environment variable {self.name} has no secret", fix="set it")
            return value
        try:
            with Path(self.name).open("rb") as file:
                value = file.read(LARGEST).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"cannot read the secret in {self.name}: {type(error).__name__}", fix="check it"
            ) from None
        if not value:
            raise ConfigError(f"the file {self.name} has no secret", fix="write it there")
        return value
