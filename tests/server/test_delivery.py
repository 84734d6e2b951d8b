"""What is told outside is tried again for hours and harms nothing: decided in virtual time, sent by a made-up sender."""

from __future__ import annotations

import itertools
import threading
from collections import Counter

import pytest

from stream_ser.server.delivery import LONGEST_S, Delivery, DeliveryError, Notice, RetryQueue

HOUR = 3600.0


def notice(number: int) -> Notice:
    return Notice(str(number), 0.0, b"{}")


def attempts(queue: RetryQueue, until: float, answer: object, now: float = 0.0) -> list[tuple[float, str]]:
    """Try what is due until a time; ``answer`` says of each attempt whether it is taken, or False, or "final"."""
    tried = []
    while now <= until:
        due, wait = queue.due(now)
        if due is None:
            if wait is None:
                break
            now += wait
            continue
        tried.append((now, due.id))
        said = answer(now, due) if callable(answer) else answer
        if said is True:
            queue.taken(due)
        else:
            queue.refused(due, now, final=said == "final")
    return tried


def test_an_hour_of_refusals_costs_few_attempts_and_loses_nothing() -> None:
    queue = RetryQueue(limit=10, keep_s=6 * HOUR)
    for number in range(3):
        queue.put(notice(number), 0.0)
    tried = attempts(queue, 2 * HOUR, lambda now, _: now >= HOUR)
    during = [at for at, _ in tried if at < HOUR]
    waits = [later - sooner for sooner, later in itertools.pairwise(during)]
    assert waits[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert max(waits) == LONGEST_S
    assert len(during) < 70
    assert sorted(one for at, one in tried if at >= HOUR) == ["0", "1", "2"]
    assert (queue.delivered, queue.dropped, len(queue)) == (3, 0, 0)


def test_what_is_too_much_or_too_old_is_dropped_and_counted() -> None:
    queue = RetryQueue(limit=3, keep_s=100)
    for number in range(5):
        queue.put(notice(number), 0.0)
    assert (len(queue), queue.dropped) == (3, 2)
    assert Counter(one for _, one in attempts(queue, 1000, False)).keys() == {"2", "3", "4"}, "the newest are kept"
    assert (len(queue), queue.dropped, queue.delivered) == (0, 5, 0)


def test_one_that_nobody_ever_takes_holds_up_none_of_the_others() -> None:
    queue = RetryQueue(limit=10, keep_s=HOUR)
    for number in range(3):
        queue.put(notice(number), 0.0)
    tried = attempts(queue, 2 * HOUR, lambda _, one: one.id != "0")
    assert [one for _, one in tried[:3]] == ["0", "1", "2"]
    assert tried[2][0] == 1.0
    assert (queue.delivered, queue.dropped) == (2, 1)


def test_a_final_refusal_is_not_tried_again() -> None:
    queue = RetryQueue(limit=10, keep_s=HOUR)
    queue.put(notice(1), 0.0)
    queue.put(notice(2), 0.0)
    assert attempts(queue, 10, "final") == [(0.0, "1"), (0.0, "2")]
    assert (queue.failed, queue.dropped) == (2, 2)


def test_one_that_was_dropped_while_it_was_tried_does_not_come_back() -> None:
    queue = RetryQueue(limit=1, keep_s=HOUR)
    first = notice(1)
    queue.put(first, 0.0)
    queue.put(notice(2), 0.0)
    queue.refused(first, 0.0, final=False)
    assert [one for _, one in attempts(queue, 10, True)] == ["2"]
    assert (queue.delivered, queue.dropped) == (1, 1)


class Hanging:
    """A sender that comes back when it is told to."""

    def __init__(self) -> None:
        self.asked, self.go = threading.Semaphore(0), threading.Event()
        self.sent: list[str] = []
        self.raises: Exception | None = None

    def send(self, one: Notice) -> None:
        self.asked.release()
        assert self.go.wait(20)
        if self.raises is not None:
            raise self.raises
        self.sent.append(one.id)

    def abort(self) -> None:
        self.raises = DeliveryError("aborted")
        self.go.set()


@pytest.fixture
def sender() -> Hanging:
    return Hanging()


def test_put_never_waits_for_one_that_hangs_and_close_ends_it(sender: Hanging) -> None:
    delivery = Delivery("webhook", sender, limit=5, keep_s=HOUR)
    delivery.start()
    delivery.put(notice(0))
    assert sender.asked.acquire(timeout=20)
    for number in range(1, 100):
        delivery.put(notice(number))
    figures = delivery.figures()
    assert (figures["webhook_waiting"], figures["webhook_dropped"]) == (5, 95)
    delivery.close(0.0)
    assert not [thread for thread in threading.enumerate() if thread.name == "delivery to webhook"]
    assert delivery.figures()["webhook_waiting"] == 0
    assert delivery.figures()["webhook_dropped"] == 100
    delivery.close(0.0)
    delivery.put(notice(100))
    assert delivery.figures()["webhook_waiting"] == 0


def test_close_lets_go_what_is_taken_in_time(sender: Hanging) -> None:
    delivery = Delivery("webhook", sender, limit=5, keep_s=HOUR)
    sender.go.set()
    for number in range(3):
        delivery.put(notice(number))
    delivery.start()
    delivery.close(20.0)
    assert sender.sent == ["0", "1", "2"]


def test_an_error_that_nobody_knows_ends_the_notice_and_not_the_thread(sender: Hanging) -> None:
    delivery = Delivery("webhook", sender, limit=5, keep_s=HOUR)
    sender.raises = RuntimeError("odd")
    delivery.start()
    delivery.put(notice(0))
    assert sender.asked.acquire(timeout=20)
    sender.go.set()
    delivery.put(notice(1))
    assert sender.asked.acquire(timeout=20)
    delivery.close(20.0)
    assert delivery.figures() == {
        "webhook_waiting": 0.0,
        "webhook_delivered": 0.0,
        "webhook_failed": 2.0,
        "webhook_dropped": 2.0,
    }
