"""What the service calls after every answer. It never makes an answer fail."""

import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from ionscout.datasets.structure import parse_material
from ionscout.serving.campaign_schemas import ObservedAnswer
from ionscout.serving.monitoring.coverage import pair_of
from ionscout.serving.monitoring.log import PredictionLog, monitoring_settings
from ionscout.serving.monitoring.metrics import Metrics
from ionscout.serving.schemas import CrystalRequest, Prediction

if TYPE_CHECKING:
    from ionscout.models.conductivity.predictor import ConductivityPredictor

logger = logging.getLogger("ionscout.serving")


@lru_cache
def _shared_metrics() -> Metrics:
    """Those of this process: a registry takes every name once."""
    return Metrics()


class Monitor:
    """Counts and, where the settings ask for it, logs predictions.

    Args:
        metrics: counters; log: None to log nothing.
    """

    def __init__(self, metrics: Metrics, log: PredictionLog | None = None) -> None:
        self.metrics = metrics
        self.log = log
        self._told = False

    @classmethod
    def from_settings(cls) -> "Monitor":
        """The monitor of a service worker.

        Raises:
            BadData: a setting that cannot be used.
        """
        return cls(_shared_metrics(), PredictionLog.from_settings(monitoring_settings()))

    def predicted(self, requests: Sequence[CrystalRequest], predictions: Sequence[Prediction], seconds: float) -> None:
        """Take note of a request's predictions."""
        try:
            self.metrics.predicted(predictions)
            if self.log is not None:
                self.log.write(requests, predictions, 1000 * seconds)
        except Exception as error:  # a full disk must not turn an answer into an error
            self._failed(error)

    def observed(self, answer: ObservedAnswer, predictor: "ConductivityPredictor") -> None:
        """Take note of a measurement that came in: what the served model says of it now, without having seen it."""
        found = answer.observation
        if not answer.new or found.failed or found.conductivity is None:
            return
        try:
            material = parse_material(found.cif or found.formula, "cif" if found.cif else "formula")
            (said,) = predictor.predict([material], found.temperature_K)
            self.metrics.observed([pair_of(said, found.conductivity, found.censored)])
        except Exception as error:  # it is stored already, and must be answered as such
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self.metrics.failed()
        if not self._told:  # once: a full disk would fill the service's own log as well
            logger.warning("predictions are not monitored: %s", error)
            self._told = True
