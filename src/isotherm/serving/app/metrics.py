"""What is counted, for Prometheus: requests, their times, the model's age, new items that were shown."""

import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from isotherm.serving.live.requests import Answer
from isotherm.serving.live.shared import SharedModel

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class Metrics:
    """The metrics of one app, in a registry of its own."""

    def __init__(self, shared: SharedModel) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "isotherm_requests", "Requests.", ["route", "method", "status"], registry=registry
        )
        self.seconds = Histogram(
            "isotherm_request_seconds", "Time to answer.", ["route"], buckets=_SECONDS, registry=registry
        )
        self.shown = Counter("isotherm_shown_items", "Items of answers.", ["cold"], registry=registry)
        self.popular = Counter(
            "isotherm_popularity_answers", "Lists for an empty history.", registry=registry
        )
        age = Gauge("isotherm_model_age_seconds", "Since the model was loaded.", registry=registry)
        age.set_function(lambda: time.time() - shared.loaded)
        version = Gauge("isotherm_version", "Changes of items and models so far.", registry=registry)
        version.set_function(lambda: shared.version)
        share = Gauge("isotherm_cold_share_shown", "Share of new items among those shown.", registry=registry)
        self._n = {True: 0, False: 0}
        share.set_function(lambda: self._n[True] / max(1, sum(self._n.values())))

    def count(self, answers: Iterable[Answer]) -> None:
        """Count the items of lists."""
        for answer in answers:
            n_cold = sum(item.cold for item in answer.items)
            for cold, n in ((True, n_cold), (False, len(answer.items) - n_cold)):
                self.shown.labels(str(cold).lower()).inc(n)
                self._n[cold] += n
            if answer.answered_by == "popularity":
                self.popular.inc()
