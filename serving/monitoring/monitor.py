"""What the service calls after every answer. It never makes an answer fail."""

import logging
from collections.abc import Sequence
from functools import lru_cache

from ionscout.serving.monitoring.coverage import Pair
from ionscout.serving.monitoring.log import PredictionLog, monitoring_settings
from ionscout.serving.monitoring.metrics import Metrics
from ionscout.serving.schemas import CrystalRequest, Prediction

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

    def observed(self, pairs: Sequence[Pair]) -> None:
        """Take note of measurements of materials that had been predicted."""
        try:
            self.metrics.observed(pairs)
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self.metrics.failed()
        if not self._told:  # once: a full disk would fill the service's own log as well
            logger.warning("predictions are not monitored: %s", error)
            self._told = True
