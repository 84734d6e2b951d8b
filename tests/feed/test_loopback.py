from __future__ import annotations

import pytest

from stream_ser.feed.loopback import host_name, is_foreign, is_loopback

OURS = (
    "localhost",
    "LocalHost",
    "localhost.",
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.254",
    "::1",
    "0:0:0:0:0:0:0:1",
    "0000::0001",
    "::1%lo",
    "[::1]",
    "::ffff:127.0.0.1",
)
OTHERS = (
    "",
    "0.0.0.0",
    "::",
    "128.0.0.1",
    "::2",
    "::ffff:8.8.8.8",
    "localhost.example.org",
    "127.0.0.1.example.org",
    "a",
)


@pytest.mark.parametrize("host", OURS)
def test_this_machine_is_known_by_any_spelling(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", OTHERS)
def test_nothing_else_is(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("bound_to", [host for host in OURS if "[" not in host])
def test_a_foreign_name_is_noticed_wherever_on_the_loopback_it_arrives(bound_to: str) -> None:
    for host in OURS:
        asked = f"[{host}]" if ":" in host and "[" not in host else host
        assert not is_foreign(asked, bound_to)
        assert not is_foreign(f"{asked}:8765", bound_to)
    for host in ("rebound.example", "rebound.example:8765", "127.0.0.1@rebound.example", "10.0.0.7", "[::2]", "", "["):
        assert is_foreign(host, bound_to)
    assert not is_foreign(None, bound_to)


def test_elsewhere_any_name_may_be_ours() -> None:
    assert not is_foreign("desk.example.org", "0.0.0.0")
    assert not is_foreign("desk.example.org", "192.168.1.5")


@pytest.mark.parametrize(
    ("url", "name"),
    [("https://A.example:1", "a.example"), ("//[::1]:1", "::1"), ("null", None), ("http://[broken", None)],
)
def test_a_url_names_a_host_or_none(url: str, name: str | None) -> None:
    assert host_name(url) == name
