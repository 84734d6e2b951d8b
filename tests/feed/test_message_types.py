"""``message_types.py`` and ``schema.json`` say the same: which types there are, which fields, and what is in them."""

from __future__ import annotations

from types import NoneType
from typing import Any, Literal, NotRequired, TypedDict, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from stream_ser.feed import message_types
from stream_ser.feed.message_types import Message, MessageType
from stream_ser.feed.messages import schema

SCHEMA = schema()
MESSAGES = {get_args(get_type_hints(each)["type"])[0]: each for each in get_args(Message)}
JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}
LEFT_OPEN = ["object", "null"]  # a call's summary, which the schema says nothing of


def differences(kind: Any, told: dict[str, Any], where: str) -> list[str]:
    """What a Python type and a part of the schema say differently."""
    told = resolved(told)
    if "oneOf" in told or "anyOf" in told or isinstance(told.get("type"), list):
        return alternatives(kind, told, where)
    if "const" in told or "enum" in told:
        values = set(told.get("enum", [told.get("const")]))
        return [] if values_of(kind) == values else [f"{where}: {values_of(kind)} and {values}"]
    if is_typeddict(kind):
        return fields(kind, told, where)
    if get_origin(kind) is list:
        wrong = [] if told["type"] == "array" else [f"{where}: a list, and {told['type']}"]
        return wrong or differences(get_args(kind)[0], told["items"], f"{where}[]")
    if get_origin(kind) is dict:
        inside = told.get("additionalProperties")
        if told["type"] != "object" or not isinstance(inside, dict):
            return [f"{where}: a mapping, and {told['type']} with {inside}"]
        return differences(get_args(kind)[1], inside, f"{where}{{}}")
    return [] if JSON_TYPES.get(kind) == told.get("type") else [f"{where}: {kind}, and {told.get('type')}"]


def fields(kind: Any, told: dict[str, Any], where: str) -> list[str]:
    if told.get("type") != "object" or told.get("additionalProperties") is not False:
        return [f"{where}: the schema lets other fields in"]
    properties, hints = told["properties"], get_type_hints(kind)
    found = [f"{where}.{name}: only on one side" for name in sorted(properties.keys() ^ hints.keys())]
    optional = {
        name for name, hint in get_type_hints(kind, include_extras=True).items() if get_origin(hint) is NotRequired
    }
    required = set(told["required"]) ^ (hints.keys() - optional)
    found += [f"{where}.{name}: required on one side" for name in sorted(required & properties.keys() & hints.keys())]
    for name in properties.keys() & hints.keys():
        found += differences(hints[name], properties[name], f"{where}.{name}")
    return found


def alternatives(kind: Any, told: dict[str, Any], where: str) -> list[str]:
    """Either side's alternatives: each needs one on the other side that says the same."""
    if told.get("type") == LEFT_OPEN:
        return [] if kind == dict[str, Any] | None else [f"{where}: {kind}, and left open"]
    theirs = told.get("oneOf") or told.get("anyOf") or [{**told, "type": each} for each in told["type"]]
    ours = list(get_args(kind)) if get_origin(kind) is Union or type(kind).__name__ == "UnionType" else [kind]
    matches = [[not differences(one, other, where) for other in theirs] for one in ours]
    if len(ours) == len(theirs) and all(map(any, matches)) and all(map(any, zip(*matches, strict=True))):
        return []
    return [f"{where}: {ours}, and {theirs}"]


def resolved(told: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in told:
        told = SCHEMA["$defs"][told["$ref"].removeprefix("#/$defs/")]
    return told


def values_of(kind: Any) -> set[Any]:
    """The values of a Literal, with None where it may be null."""
    if get_origin(kind) is Literal:
        return set(get_args(kind))
    if kind is NoneType:
        return {None}
    return set().union(*map(values_of, get_args(kind))) if get_args(kind) else {kind}


def test_the_union_and_the_schema_have_the_same_messages() -> None:
    named = [each["$ref"].removeprefix("#/$defs/") for each in SCHEMA["oneOf"]]
    assert sorted(MESSAGES) == sorted(named) == sorted(get_args(MessageType))


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_a_message_has_the_fields_that_the_schema_says(name: str) -> None:
    assert differences(MESSAGES[name], SCHEMA["$defs"][name], name) == []


def test_every_type_of_the_module_is_part_of_a_message() -> None:
    written = {each for each in vars(message_types).values() if is_typeddict(each)}
    seen: set[Any] = set()

    def look(kind: Any) -> None:
        if is_typeddict(kind) and kind not in seen:
            seen.add(kind)
            for hint in get_type_hints(kind).values():
                look(hint)
        for part in get_args(kind):
            look(part)

    look(Message)
    assert seen <= written
    hints = [get_type_hints(each).items() for each in seen]
    for heading in written - seen:  # what several messages inherit
        assert sum(get_type_hints(heading).items() <= each for each in hints) > 1, heading


class _More(TypedDict):
    first: int
    more: int


class _Optional(TypedDict):
    first: NotRequired[int]


class _Text(TypedDict):
    first: str


class _Nullable(TypedDict):
    first: int | None


class _Right(TypedDict):
    first: int


TOLD = {
    "type": "object",
    "properties": {"first": {"type": "integer"}},
    "required": ["first"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("wrong", [_More, _Optional, _Text, _Nullable])
def test_the_comparison_sees_a_difference(wrong: Any) -> None:
    assert differences(wrong, TOLD, "") != []
    assert differences(_Right, TOLD, "") == []


def test_the_comparison_sees_another_value_and_another_alternative() -> None:
    assert differences(Literal["a", "b"], {"enum": ["a", "c"]}, "") != []
    assert differences(Literal["a"] | None, {"enum": ["a", None]}, "") == []
    assert differences(str | None, {"type": ["string", "null"]}, "") == []
    assert differences(str, {"type": ["string", "null"]}, "") != []
    assert differences(float | None, {"anyOf": [{"type": "string"}, {"type": "null"}]}, "") != []
