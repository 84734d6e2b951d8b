"""Reading what strangers send: JSON objects, every field of which is checked by name and within limits.

Pure functions and small values; no state. Whatever text comes in, RefusedError is the only error that comes out. Refusals
name the field and show what was seen, but never a secret, nor the value of a parameter: those are other people's data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeGuard, TypeVar

from stream_ser.calls.events import RefusedError
from stream_ser.types import Consent, Role

LONGEST_TEXT = 65_536  # characters of one text message
LONGEST_NAME = 128  # characters of an id, a name, a key
LONGEST_VALUE = 1024  # characters of a parameter's value
MOST_PARAMETERS = 32
LARGEST_NUMBER = 2**63 - 1
LONGEST_JUMP_S = 4 * 3600  # a position that moves on by more than this at once is a mistake, not a pause
SHOWN = 40  # characters of a value that a refusal shows

ROLES: tuple[Role, ...] = ("customer", "agent", "unknown")
CONSENTS: tuple[Consent, ...] = ("given", "refused", "unknown")

T = TypeVar("T", bound=str)


def show(value: object) -> str:
    """Show a value in a refusal: printable, short. What is nested is only named: to write it out may be too deep."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


class Fields:
    """The fields of one JSON object. ``where`` is what people call the object; null counts as absent.

    Every method raises RefusedError: ``missing-field`` or ``bad-field``, with the field's name in the text.
    """

    def __init__(self, values: Mapping[str, object], where: str) -> None:
        self._values = values
        self._where = where

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def only(self, *names: str) -> None:
        """Refuse fields that are not among ``names``: a misspelt one must not be passed over."""
        for name in self._values:
            if name not in names:
                raise RefusedError(
                    "unknown-field", f"{self._where} has a field {show(name)}, and may have only {', '.join(names)}"
                )

    def text(self, name: str, longest: int = LONGEST_NAME) -> str:
        """Take printable text of 1 to ``longest`` characters."""
        value = self._get(name)
        if not _is_text(value, longest):
            self._wrong(name, value, f"printable text of 1 to {longest} characters")
        return value

    def block(self, name: str, longest: int) -> str:
        """Take text as ``text`` does, without the white space and line ends in it."""
        value = self._get(name)
        return Fields({name: "".join(value.split()) if isinstance(value, str) else value}, self._where).text(
            name, longest
        )

    def text_or_none(self, name: str, longest: int = LONGEST_NAME) -> str | None:
        """Take text that may be absent."""
        return self.text(name, longest) if name in self else None

    def secret_or_none(self, name: str) -> str | None:
        """Take text that may be absent and that no refusal shows."""
        if name not in self:
            return None
        value = self._get(name)
        if not _is_text(value, LONGEST_VALUE):
            raise RefusedError(
                "bad-field",
                f"the field {name!r} of {self._where} is not printable text of 1 to {LONGEST_VALUE} characters",
            )
        return value

    def flag(self, name: str) -> bool:
        """Take true or false; false where the field is absent."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, bool):
            self._wrong(name, value, "true or false")
        return bool(value)

    def one_of(self, name: str, allowed: tuple[T, ...]) -> T:
        """Take one of the ``allowed`` words."""
        value = self._get(name)
        for word in allowed:
            if value == word:
                return word
        self._wrong(name, value, f"one of {', '.join(allowed)}")

    def whole(self, name: str, low: int = 0, high: int = LARGEST_NUMBER) -> int:
        """Take a JSON number without a fraction in ``[low, high]``."""
        value = self._get(name)
        if type(value) is not int or not low <= value <= high:
            self._wrong(name, value, f"a whole number from {low} to {high}")
        return value

    def count(self, name: str) -> int:
        """Take a whole number that may be written as text: telephony does both."""
        value = self._get(name)
        if isinstance(value, str) and 0 < len(value) <= 19 and value.isascii() and value.isdecimal():
            value = int(value)
        if type(value) is not int or not 0 <= value <= LARGEST_NUMBER:
            self._wrong(name, value, f"a whole number from 0 to {LARGEST_NUMBER}")
        return value

    def part(self, name: str) -> Fields:
        """Take the object inside."""
        value = self._get(name)
        if not isinstance(value, dict):
            self._wrong(name, value, "an object")
        return Fields(value, f"the field {name!r} of {self._where}")

    def parts(self, name: str, most: int) -> list[Fields]:
        """Take a list of at most ``most`` objects."""
        value = self._get(name)
        if not isinstance(value, list) or len(value) > most or not all(isinstance(one, dict) for one in value):
            self._wrong(name, value, f"a list of at most {most} objects")
        return [Fields(one, f"an entry of the field {name!r} of {self._where}") for one in value]

    def words(self, name: str, allowed: tuple[T, ...], most: int) -> tuple[T, ...]:
        """Take a list of 1 to ``most`` of the ``allowed`` words."""
        value = self._get(name)
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            self._wrong(name, value, f"a list of 1 to {most} of {', '.join(allowed)}")
        return tuple(Fields({name: one}, self._where).one_of(name, allowed) for one in value)

    def parameters(self, name: str) -> dict[str, str]:
        """Take names with their texts; nothing where the field is absent."""
        if name not in self:
            return {}
        value = self._get(name)
        if not isinstance(value, dict):
            raise RefusedError("bad-field", f"the field {name!r} of {self._where} is not an object of texts")
        return checked_parameters(value, f"the field {name!r} of {self._where}")

    def all_texts(self) -> dict[str, str]:
        """Take whatever is text in an object that may hold anything."""
        return checked_parameters({k: v for k, v in self._values.items() if isinstance(v, str)}, self._where)

    def texts_that_begin_with(self, prefix: str) -> dict[str, str]:
        """Take whatever is text under a name that begins so, of an object that may hold anything, and much of it."""
        ours = {k: v for k, v in self._values.items() if k.startswith(prefix) and isinstance(v, str)}
        return checked_parameters(ours, self._where)

    def _get(self, name: str) -> object:
        value = self._values.get(name)
        if value is None:
            raise RefusedError("missing-field", f"{self._where} has no field {name!r}")
        return value

    def _wrong(self, name: str, value: object, wanted: str) -> NoReturn:
        raise RefusedError("bad-field", f"the field {name!r} of {self._where} is {show(value)}, not {wanted}")


@dataclass(frozen=True, slots=True)
class Declared:
    """What a call's free parameters say that this system has a use for, and the rest of them."""

    consent: Consent
    agent_purpose: str | None
    token: str | None
    rest: dict[str, str]


def declared(parameters: Mapping[str, str], where: str) -> Declared:
    """Sort out ``consent``, ``agent_purpose`` and ``token`` from parameters that hold no others' data."""
    fields = Fields(parameters, where)
    return Declared(
        consent=fields.one_of("consent", CONSENTS) if "consent" in fields else "unknown",
        agent_purpose=fields.text_or_none("agent_purpose", LONGEST_VALUE),
        token=fields.secret_or_none("token"),
        rest={k: v for k, v in parameters.items() if k not in ("consent", "agent_purpose", "token")},
    )


def checked_parameters(values: Mapping[str, object], where: str) -> dict[str, str]:
    """Check names and texts against the limits; values may be empty. Refusals do not show values."""
    if len(values) > MOST_PARAMETERS:
        raise RefusedError("too-many-parameters", f"{where} has {len(values)} entries, more than {MOST_PARAMETERS}")
    checked: dict[str, str] = {}
    for name, value in values.items():
        if not _is_text(name, LONGEST_NAME):
            raise RefusedError(
                "bad-field", f"{where} has a name {show(name)}, longer than {LONGEST_NAME} or unprintable"
            )
        if value != "" and not _is_text(value, LONGEST_VALUE):
            raise RefusedError(
                "bad-field", f"{where} has, as {show(name)}, no printable text of at most {LONGEST_VALUE} characters"
            )
        checked[name] = str(value)
    return checked


def parse(text: str, where: str) -> Fields:
    """Read a text message as one JSON object. Raises RefusedError: ``message-too-large``, ``bad-json``."""
    if len(text) > LONGEST_TEXT:
        raise RefusedError("message-too-large", f"{where} has {len(text)} characters, more than {LONGEST_TEXT}")
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise RefusedError("bad-json", f"{where} is not JSON ({type(error).__name__})") from None
    if not isinstance(value, dict):
        raise RefusedError("bad-json", f"{where} is a JSON {type(value).__name__}, not an object")
    return Fields(value, where)


def first_value(text: str) -> tuple[object, int]:
    """Read the JSON value that ``text`` begins with, and where it ends: ``parse`` without refusals, for a quick look.

    Raises ValueError or RecursionError where there is none.
    """
    return _DECODER.raw_decode(text)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _is_text(value: object, longest: int) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()
