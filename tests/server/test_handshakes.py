from __future__ import annotations

from stream_ser.server.handshakes import Handshakes


def test_the_oldest_makes_way_and_who_has_finished_is_none() -> None:
    handshakes = Handshakes[str](2)
    assert handshakes.begin("one", "a") is None
    assert handshakes.begin("two", "a") is None
    handshakes.end("one")
    handshakes.end("one")
    assert handshakes.begin("three", "a") is None
    assert handshakes.begin("four", "a") == "two"
    assert handshakes.count == 2


def test_who_opens_many_pushes_out_its_own_and_nobody_elses() -> None:
    handshakes = Handshakes[str](4)
    assert handshakes.begin("slow", "far away") is None
    gone = [handshakes.begin(f"flood {number}", "greedy") for number in range(100)]
    assert gone[:3] == [None] * 3
    assert gone[3:] == [f"flood {number}" for number in range(97)], "the oldest of the greedy one, each time"
    assert handshakes.begin("another", "near") == "flood 97"
    assert handshakes.count == 4
    handshakes.end("slow")
    assert handshakes.begin("more", "near") is None


def test_of_many_addresses_with_one_each_the_oldest_goes() -> None:
    handshakes = Handshakes[int](3)
    gone = [handshakes.begin(number, f"10.0.0.{number}") for number in range(6)]
    assert gone == [None, None, None, 0, 1, 2]
    assert [handshakes.greediest() for _ in range(3)] == [3, 4, 5]
    assert handshakes.count == 0
    assert not handshakes._waiting, "no address is kept that has none"
