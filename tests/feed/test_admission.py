from __future__ import annotations

import pytest

from stream_ser.feed.admission import refusal, same_host, same_origin, wrong_host


def status(host: str, origin: str | None, bound_to: str = "127.0.0.1") -> int:
    headers = {"Host": host} | ({} if origin is None else {"Origin": origin})
    answer = wrong_host(headers, bound_to) or refusal("/v1/feed", headers, bound_to=bound_to, full=None)
    return 101 if answer is None else answer[0]


@pytest.mark.parametrize(
    ("host", "origin", "bound_to", "expected"),
    [
        ("127.0.0.1:8765", None, "127.0.0.1", 101),  # a program
        ("127.0.0.1:8765", "http://127.0.0.1:8765", "127.0.0.1", 101),
        ("localhost:8765", "http://127.0.0.1:8000", "127.0.0.1", 101),
        ("[::1]:8765", "http://localhost", "::1", 101),
        ("127.0.0.1:8765", "https://example.com", "127.0.0.1", 403),
        ("127.0.0.1:8765", "null", "127.0.0.1", 403),  # a file, or a frame that hides where it is from
        ("127.0.0.1:8765", "http://[broken", "127.0.0.1", 403),
        ("127.0.0.1:8765", "http://127.0.0.1.example.com", "127.0.0.1", 403),
        ("example.com:8765", "http://example.com:8765", "127.0.0.1", 403),  # a foreign name that points here
        ("example.com:8765", "http://example.com", "0.0.0.0", 101),  # bound to the network: its own name is the host
        ("example.com:8765", "http://elsewhere.org", "0.0.0.0", 403),
        ("", "http://localhost", "127.0.0.1", 403),
        ("example.com:8765", None, "127.0.0.1", 403),  # a page's plain request to its own name, made to point here
        ("example.com:8765", "http://example.com:8765", "127.0.0.2", 403),
        ("example.com:8765", "http://example.com:8765", "0:0:0:0:0:0:0:1", 403),
        ("127.0.0.2:8765", "http://localhost:8765", "127.0.0.2", 101),
        ("example.com", None, "0.0.0.0", 101),
    ],
)
def test_a_page_must_be_from_the_host_it_asks(host: str, origin: str | None, bound_to: str, expected: int) -> None:
    assert status(host, origin, bound_to) == expected


def test_a_page_that_looks_like_the_loopback_is_not_ours() -> None:
    assert same_host("http://[0:0:0:0:0:0:0:1]", "127.9.9.9:8765", "127.0.0.1")
    assert not same_host("http://127.0.0.1.example.com", "127.0.0.1:8765", "127.0.0.1")
    assert not same_origin("http://example.com:8765", "example.com:8765", "127.0.0.1")
    assert same_origin("http://127.0.0.1:8765", "localhost:8765", "::1")


def test_a_full_feed_says_so_but_is_still_healthy() -> None:
    full = refusal("/v1/feed", {"Host": "localhost"}, bound_to="127.0.0.1", full=256)
    assert full is not None
    assert full[0] == 503
    assert "256 subscribers" in full[1]
    assert refusal("/healthz", {}, bound_to="127.0.0.1", full=256) == (200, "ok\n")
