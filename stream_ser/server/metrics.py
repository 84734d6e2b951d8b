"""Figures for Prometheus: how much comes, how old results are, what is refused. No tenant, call or person is named.

Sinks and counters may be called by any thread. What others count already is read when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stream_ser.feed.message_types import Message
from stream_ser.types import SAMPLE_RATE

AGES_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
Read = Callable[[], Mapping[str, float]]


class Metrics:
    """One server's registry. ``gauges`` and ``totals`` give current figures by name.

    ``refused`` gives refusals by reason, ``passed_over`` by kind what could not be used of calls that went on, ``held`` what
    held the event loop for too long.
    """

    def __init__(self, gauges: Read, totals: Read, refused: Read, passed_over: Read, held: Read) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._points = Counter("stream_ser_points", "Points by state", ["state"], registry=self._registry)
        self._labels = Counter(
            "stream_ser_labels", "Points with a label, by label: drift shows", ["label"], registry=self._registry
        )
        self._alerts = Counter(
            "stream_ser_alerts", "Alerts that opened, by severity", ["severity"], registry=self._registry
        )
        self._missing = Counter("stream_ser_missing_seconds", "Sound that is missing", registry=self._registry)
        self._calls = Counter("stream_ser_calls_opened", "Calls that were opened", registry=self._registry)
        self._dropped = Counter(
            "stream_ser_windows_dropped", "Windows that a newer one replaced", registry=self._registry
        )
        self._age = Histogram(
            "stream_ser_age_seconds",
            "Window complete to published",
            buckets=AGES_S,
            registry=self._registry,
        )
        self._compute = Histogram(
            "stream_ser_compute_seconds", "Model, a batch", buckets=AGES_S, registry=self._registry
        )
        self._registry.register(_Others(gauges, totals, refused, passed_over, held))

    def bus_took(self) -> Callable[[float], None]:
        """Where to tell in how many seconds the bus acknowledged a message. To be asked for once."""
        told = "Message sent to the bus, to acknowledged"
        return Histogram("stream_ser_bus_acknowledged_seconds", told, buckets=AGES_S, registry=self._registry).observe

    def sink(self, message: Message) -> None:
        """Count a published message."""
        match message["type"]:
            case "point":
                self._points.labels(message["state"]).inc()
                if message["label"] is not None:
                    self._labels.labels(message["label"]).inc()
                ledger = message["ledger"]
                self._age.observe(ledger["age_ms"] / 1e3)
                if ledger["compute_ms"] is not None:
                    self._compute.observe(ledger["compute_ms"] / 1e3)
            case "gap":
                self._missing.inc((message["end"] - message["start"]) / SAMPLE_RATE)
            case "call" if message["kind"] == "opened":
                self._calls.inc()
            case "alert" if message["kind"] == "opened":
                self._alerts.labels(message["severity"]).inc()
            case "end":
                self._dropped.inc(message["dropped"])

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)


class _Others(Collector):
    def __init__(self, gauges: Read, totals: Read, refused: Read, passed_over: Read, held: Read) -> None:
        self._gauges, self._totals = gauges, totals
        self._by_name = (
            ("refused", "Refusals by reason", "reason", refused),
            ("passed_over", "Messages passed over, by kind", "kind", passed_over),
            ("loop_held", "Turns of the event loop beyond 20 ms, by what ran", "by", held),
        )

    def collect(self) -> Iterator[Metric]:
        for name, value in self._gauges().items():
            yield GaugeMetricFamily(f"stream_ser_{name}", name.replace("_", " "), value=value)
        for name, value in self._totals().items():
            yield CounterMetricFamily(f"stream_ser_{name}", name.replace("_", " "), value=value)
        for name, text, label, read in self._by_name:
            family = CounterMetricFamily(f"stream_ser_{name}", text, labels=[label])
            for which, count in read().items():
                family.add_metric([which], count)
            yield family
