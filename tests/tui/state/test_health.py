"""What went wrong is counted, bounded, and shown on one page."""

from __future__ import annotations

from stream_ser.tui.app import make_app
from stream_ser.tui.state.health import OTHER, REASONS, Health
from tests.tui.wire import HOP, RATE, Clock, Source, Switch, gap, hello, notice, point, text_of


def test_losses_are_counted_by_reason_and_the_reasons_are_bounded() -> None:
    health = Health()
    for number in range(20):
        health.gap(gap(0, HOP, f"reason {number}"), RATE)
        health.gap(gap(0, HOP, "reason 0"), RATE)
    health.gap(gap(0, 100 * HOP, "paused"), RATE)
    assert len(health.gaps) == REASONS + 1
    assert (health.gaps["reason 0"], health.gaps[OTHER]) == (21, 20 - REASONS)
    assert health.missing_s == 40 * HOP / RATE


def test_points_without_a_result_and_the_largest_lag_are_kept() -> None:
    health = Health()
    for state, lag in (("speech", 0.0), ("stale", 250.0), ("silence", 20.0)):
        message = point(1, state)
        health.point({**message, "ledger": {**message["ledger"], "lag_ms": lag}})
    assert (health.points, health.stale, health.most_lag_ms) == (3, 1, 250.0)


def test_only_word_of_the_engine_is_kept() -> None:
    health = Health()
    for text, level in (
        ("the sound clips", "warning"),
        ("the engine cuda broke (lost); going on with onnx", "warning"),
        ("engine cuda is not used: no device", "warning"),
        ("the engine is fine", "info"),
    ):
        health.notice(notice(text, level))
    assert list(health.changes) == [
        "the engine cuda broke (lost); going on with onnx", "engine cuda is not used: no device"
    ]  # fmt: skip


class Serving(Switch):
    subscribers = 2


async def test_the_page_has_times_losses_engine_device_and_feed_at_80_by_24() -> None:
    messages = [
        hello(passed_over=[{"engine": "cuda-graph", "reason": "no CUDA device"}]),
        *(point(slot) for slot in range(1, 9)),
        gap(8 * HOP, 13 * HOP, "the device lost sound"),
        point(14, "stale"),
        notice("the engine onnx-cuda broke (out of memory); going on with onnx", "warning"),
    ]
    app = make_app(Source(messages), Serving(), title="t", clock=Clock(), feed="ws://127.0.0.1:8765/v1/feed")
    async with app.run_test(size=(80, 24)) as pilot:
        app.frame()
        await pilot.press("l")
        await pilot.pause()
        text = "\n".join(text_of(app))
        await pilot.press("end")
        await pilot.pause()
        text += "\n".join(text_of(app))
        for part in (
            "p99", "compute", "until the engine takes it", "from the window to the feed",
            "source   recording clip.flac, 44100 Hz, 2 channels",
            "lag      0 ms, at most 0 ms",
            "missing  1.25 s of sound: the device lost sound ×1",
            "stale    1 of 9 points",
            "engine   onnxruntime-cpu, model tfcnn-area 9f2c1ab0",
            "not cuda-graph: no CUDA device",
            "the engine onnx-cuda broke",
            "feed     ws://127.0.0.1:8765/v1/feed, 2 subscribers",
            "screen   0 messages lost",
        ):  # fmt: skip
            assert part in text, f"{part}\n{text}"
