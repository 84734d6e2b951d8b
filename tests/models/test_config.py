"""Configs become plain data and come back, and refuse what does not fit, by name."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from stream_ser_models.architectures import ARCHITECTURES, make_config, make_network
from stream_ser_models.config import Config


@dataclass(frozen=True)
class Inner(Config):
    size: int = 3


@dataclass(frozen=True)
class Outer(Config):
    name: str = "a"
    share: float = 0.5
    shape: tuple[int, ...] = (1, 2)
    groups: dict[str, list[str]] = field(default_factory=dict)
    inner: Inner = field(default_factory=Inner)


def test_plain_data_and_back() -> None:
    given = Outer("b", 0.25, (3,), {"x": ["y"]}, Inner(7))
    assert Outer.from_dict(json.loads(json.dumps(given.to_dict()))) == given
    assert Outer.from_dict({}) == Outer()
    assert Outer.from_dict({"share": 1}).share == 1.0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"mood": 1}, "unknown key mood; known are name, share"),
        ({"name": 1}, "name is 1, not str"),
        ({"share": "x"}, "share is 'x', not float"),
        ({"shape": 3}, "shape is 3, not tuple"),
        ({"inner": 3}, "inner is 3, not Inner"),
        ({"inner": {"size": True}}, "size is True, not int"),
    ],
)
def test_what_does_not_fit_is_named(values: dict[str, object], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        Outer.from_dict(values)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_network_comes_back_from_plain_data(name: str) -> None:
    config = make_config(name, {"classes": 5})
    again = make_config(name, json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert ARCHITECTURES[name][1].architecture == name
    assert make_network(name, {"classes": 5}).config == config


def test_an_unknown_network_is_named() -> None:
    with pytest.raises(ValueError, match=r"architecture 'x' is unknown, this version has tfcnn"):
        make_config("x", {})
