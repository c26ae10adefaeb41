"""Prometheus metrics of predictions, beside BentoML's own under `/metrics`. Nothing in them tells a crystal.

Counters and histograms alone, so that the numbers of several worker processes add up; shares, quantiles and rates are
taken by the query. `deploy/README.md` has rules for alerts.
"""

import math
from collections.abc import Sequence
from typing import Any

from ionscout.datasets.composition import parse_formula
from ionscout.serving.monitoring.coverage import Pair
from ionscout.serving.schemas import Prediction

DECADES = tuple(range(-16, 1, 2))
WIDTHS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)  # decades
# Of the novelty that ends the domain. Finer around 1: a drift shows there before the share outside the domain moves.
NOVELTIES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0)
ERRORS = (-4.0, -3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0)


class Metrics:
    """The counters of one process.

    Args:
        registry: where they are registered; None: the one that `/metrics` shows. Make it after BentoML has set up the
            worker: the client library decides on import whether it shares its numbers with other processes.
    """

    def __init__(self, registry: Any = None) -> None:
        from prometheus_client import REGISTRY, Counter, Histogram

        where = REGISTRY if registry is None else registry
        self._predictions = Counter(
            "ionscout_predictions", "Materials answered.", ["path", "in_domain"], registry=where
        )
        self._elements = Counter(
            "ionscout_prediction_elements", "Materials answered that contain an element.", ["element"], registry=where
        )
        self._conductivity = Histogram(
            "ionscout_predicted_conductivity_decades", "log10 of predicted S/cm.", buckets=DECADES, registry=where
        )
        self._width = Histogram(
            "ionscout_interval_width_decades", "Full width of conductivity intervals.", buckets=WIDTHS, registry=where
        )
        self._novelty = Histogram(
            "ionscout_prediction_novelty",
            "Distance from the training data as the model sees it; 1 is the end of its domain.",
            buckets=NOVELTIES,
            registry=where,
        )
        self._observations = Counter(
            "ionscout_observations", "Measurements, by whether their interval held them.", ["inside"], registry=where
        )
        for inside in ("true", "false"):  # at 0 from the start: a share of a series that is not there is no number
            self._observations.labels(inside)
        self._error = Histogram(
            "ionscout_observed_error_decades", "Measured − predicted log10 S/cm.", buckets=ERRORS, registry=where
        )
        self._failures = Counter(
            "ionscout_monitoring_failures", "Predictions that could not be logged or counted.", registry=where
        )

    def predicted(self, predictions: Sequence[Prediction]) -> None:
        """Count answers."""
        for prediction in predictions:
            found = prediction.conductivity
            self._predictions.labels(found.path, str(found.in_domain).lower()).inc()
            self._conductivity.observe(math.log10(found.value))
            self._width.observe(math.log10(found.upper / found.lower))
            if found.novelty is not None:
                self._novelty.observe(found.novelty)
            for element in parse_formula(prediction.formula).elements:
                self._elements.labels(element.symbol).inc()

    def observed(self, pairs: Sequence[Pair]) -> None:
        """Count measurements of materials that had been predicted."""
        for pair in pairs:
            self._observations.labels(str(pair.inside).lower()).inc()
            if not pair.censored:
                self._error.observe(pair.observed - pair.value)

    def failed(self) -> None:
        """Count something that monitoring could not do."""
        self._failures.inc()
