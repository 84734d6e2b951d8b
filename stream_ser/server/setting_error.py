"""What is wrong with a setting, for people. Pure."""

from __future__ import annotations

from stream_ser.errors import ConfigError


class SettingError(ConfigError):
    """A value that cannot be used. ``key`` names the setting, ``wrong`` says what is wrong with it."""

    def __init__(self, key: str, wrong: str, *, fix: str) -> None:
        super().__init__(f"{key} {wrong}", fix=fix)
        self.key, self.wrong = key, wrong


def show(value: object) -> str:
    """A value for an error: short, whatever it is."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        return "a number without end"
    return text if len(text) <= 80 else f"{text[:80]}…"
