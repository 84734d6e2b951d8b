"""What every network's config can do: become plain data for a card or a recipe, and come back from it."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Self


def _default(item: Any) -> Any:
    """A field's default value; None where it has none."""
    if item.default_factory is not MISSING:
        return item.default_factory()
    return None if item.default is MISSING else item.default


@dataclass(frozen=True)
class Config:
    """Base of the networks' and front ends' configs: frozen dataclasses whose every field has a default."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the card."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Rebuild from plain data; nested configs and tuples take the shape of the defaults.

        Raises TypeError on an unknown key or a value of another kind, ValueError on a value that cannot be used.
        """
        known = {item.name: _default(item) for item in fields(cls)}
        unknown = set(data) - set(known)
        if unknown:
            raise TypeError(f"unknown key {', '.join(sorted(unknown))}; known are {', '.join(known)}")
        values: dict[str, Any] = {}
        for name, value in data.items():
            default = known[name]
            if isinstance(default, Config) and isinstance(value, dict):
                values[name] = type(default).from_dict(value)
            elif isinstance(default, tuple) and isinstance(value, list | tuple):
                values[name] = tuple(value)
            elif isinstance(default, float) and type(value) is int:
                values[name] = float(value)
            elif type(value) is type(default):
                values[name] = value
            else:
                raise TypeError(f"{name} is {value!r}, not {type(default).__name__}")
        return cls(**values)
