"""What is counted, for Prometheus. Of several workers, each scrape of any of them tells the whole.

Workers count in files that they share (prometheus_client's multiprocess mode), in the folder that
PROMETHEUS_MULTIPROC_DIR names, and each says by ISOTHERM_WORKER which one it is; an app that is alone counts
in memory, under the same names.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from anyio.to_thread import current_default_thread_limiter
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from isotherm.serving.app.errors import REASON
from isotherm.serving.database import EventCounts
from isotherm.serving.live.requests import Answer
from isotherm.serving.shared.shared import SharedModel

FOLDER, WORKER = "PROMETHEUS_MULTIPROC_DIR", "ISOTHERM_WORKER"  #: variables of the environment
#: seconds, finest where answers of 1 to 50 ms lie
BUCKETS = (
    0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0,
    2.5, 10.0,
)  # fmt: skip
_REASONS = {
    400: "invalid", 401: "token", 404: "unknown", 405: "method", 409: "unsupported", 413: "body",
    422: "invalid", 429: "rate", 500: "failure", 503: "unready",
}  # fmt: skip
_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"})


class Metrics:
    """The metrics of one app."""

    def __init__(self, shared: SharedModel) -> None:
        self._shared, self._worker = shared, os.environ.get(WORKER, "0")
        self._registry = CollectorRegistry()
        self.n_begun = 0  #: requests that this process works on
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._count()
        self._measure()
        self.refresh()

    def _count(self) -> None:
        """Begin to count what happens."""

        def counter(name: str, words: str, *labels: str) -> Counter:
            return Counter(f"isotherm_{name}", words, labels, registry=self._registry)

        route = ("route", "method", "status")
        self._requests = counter("requests", "Requests that were answered.", *route)
        self._seconds = Histogram(
            "isotherm_request_seconds", "Seconds to answer.", route, registry=self._registry, buckets=BUCKETS
        )
        self._refused = counter("refused_requests", "Requests that were refused, by reason.", "reason")
        self._shown = counter("shown_items", "Items of lists: new ones (cold) and others.", "cold")
        self._popular = counter("popularity_answers", "Lists of the most clicked items: no history.")
        self._events = counter("events", "Events that were sent; late and future ones are new.", "outcome")
        self._swaps = counter("model_swaps", "Models put on the air, back, or refused.", "outcome")
        for name in ("new", "repeated", "late", "future", "refused"):
            self._events.labels(name)
        for name in ("done", "failed", "rolled_back"):
            self._swaps.labels(name)
        self._shown_by = {cold: self._shown.labels(str(cold).lower()) for cold in (True, False)}

    def _measure(self) -> None:
        """Begin to tell how it stands: of all processes the sum, or each of them."""

        def gauge(name: str, words: str, *labels: str) -> Gauge:
            mode: Literal["livemax", "livesum"] = "livemax" if labels else "livesum"
            return Gauge(f"isotherm_{name}", words, labels, registry=self._registry, multiprocess_mode=mode)

        self._in_flight = gauge("requests_in_flight", "Requests that are worked on.")
        self._in_threads = gauge("thread_queue", "Requests that wait for a thread.")
        self._workers = gauge("workers", "Processes that answer.")
        self._exposures = gauge("exposure_queue", "Lists that were shown and are not yet in the database.")
        self._dropped = gauge("exposures_dropped", "Lists of the running workers that were not kept.")
        self._loading = gauge("workers_loading", "Processes that load the model that is put on the air.")
        self._behind = gauge("workers_behind", "Processes that could not load the model on the air.")
        self._age = gauge("model_age_seconds", "Since the model on the air was loaded.", "worker")
        self._version = gauge("version", "Number of the last change that a worker has taken in.", "worker")
        words = "Since a worker learned last from the database what was changed."
        self._behind_database = gauge("database_age_seconds", words, "worker")
        self._left_out = gauge("items_left_out", "Items that the model on the air cannot read.", "worker")
        words = "Resident memory: rss; and pss, a fair share of what is shared."
        self._memory = gauge("memory_bytes", words, "worker", "kind")

    def begin(self) -> None:
        """A request has come."""
        self.n_begun += 1

    def end(self, scope: Mapping[str, Any], status: int, seconds: float) -> None:
        """It was answered."""
        self.n_begun -= 1
        method = str(scope["method"])
        key = getattr(scope.get("route"), "path", "other"), method if method in _METHODS else "other", status
        if key not in self._children:
            self._children[key] = self._requests.labels(*key), self._seconds.labels(*key)
        requests, latency = self._children[key]
        requests.inc()
        latency.observe(seconds)
        if status >= 400:
            self.count_refusal(scope.get(REASON) or _REASONS.get(status, "other"))

    def count_refusal(self, reason: str) -> None:
        """Count one; of what does not even become a request, too."""
        self._refused.labels(reason).inc()

    def count(self, answers: Iterable[Answer]) -> None:
        """Count the items of lists."""
        for answer in answers:
            n_cold = sum(item.cold for item in answer.items)
            for cold, n in ((True, n_cold), (False, len(answer.items) - n_cold)):
                if n:
                    self._shown_by[cold].inc(n)
            if answer.answered_by == "popularity":
                self._popular.inc()

    def count_events(self, counts: EventCounts) -> None:
        """Count what became of a batch; late and future ones are among the new."""
        for outcome in ("new", "repeated", "late", "future"):
            self._events.labels(outcome).inc(getattr(counts, outcome))
        self._events.labels("refused").inc(len(counts.refused))

    @contextmanager
    def counting_swap(self, outcome: str) -> Iterator[None]:
        """Count a change of the model: done or rolled_back, failed where an error comes out of it."""
        try:
            yield
        except BaseException:
            self._swaps.labels("failed").inc()
            raise
        self._swaps.labels(outcome).inc()

    def refresh(self) -> None:
        """Say how it stands in this process: once a second, as the others' scrapes tell it, too."""
        self._workers.set(1)
        self._in_flight.set(self.n_begun)
        self._version.labels(self._worker).set(self._shared.version)
        self._behind_database.labels(self._worker).set(self._shared.seconds_behind)
        self._age.labels(self._worker).set(time.time() - self._shared.loaded)
        self._exposures.set(len(self._shared.exposures))
        self._dropped.set(self._shared.exposures.n_dropped)
        self._loading.set(self._shared.is_loading)
        self._behind.set(self._shared.failed is not None)

    def refresh_threads(self) -> None:
        """How many requests wait for a thread. Only where the event loop runs."""
        self._in_threads.set(current_default_thread_limiter().statistics().tasks_waiting)

    def refresh_slowly(self) -> None:
        """What takes some milliseconds to say, where a large model is mapped or many items were put."""
        self._left_out.labels(self._worker).set(self._shared.n_left_out)
        for kind, n_bytes in memory_of_process().items():
            self._memory.labels(self._worker, kind).set(n_bytes)

    def exposition(self) -> bytes:
        """All of it, as Prometheus reads it."""
        self.refresh()
        self.refresh_slowly()
        registry = CollectorRegistry()
        registry.register(_Whole(self._registry))
        return generate_latest(registry)


class _Whole:
    """The metrics of all workers, and what follows from them."""

    def __init__(self, alone: CollectorRegistry) -> None:
        folder = os.environ.get(FOLDER)
        self._all: Any = alone if folder is None else MultiProcessCollector(None, folder)  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Metric]:
        """Each metric."""
        shown: dict[str, float] = {}
        for metric in self._all.collect():
            if metric.name == "isotherm_shown_items":
                shown = {
                    each.labels["cold"]: each.value for each in metric.samples if each.name.endswith("_total")
                }
            yield metric
        share = shown.get("true", 0.0) / max(1.0, sum(shown.values()))
        yield GaugeMetricFamily("isotherm_cold_share_shown", "Share of new items among those shown.", share)


def memory_of_process() -> dict[str, int]:
    """Bytes: rss, and pss where the system tells it. Pages that n processes share count 1/n each in pss."""
    told: dict[str, int] = {}
    with suppress(OSError):
        for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in ("Rss", "Pss"):
                told[name.lower()] = int(rest.split()[0]) * 1024
    return told
