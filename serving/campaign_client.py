"""Campaigns over HTTP, for the Python client."""

import random
import time
import uuid
from typing import TYPE_CHECKING, Any

from ionscout.datasets.errors import IonscoutError
from ionscout.serving.campaign_schemas import (
    BatchAnswer,
    CampaignAnswer,
    CampaignPredictAnswer,
    ExportAnswer,
    ObservedAnswer,
    StatusAnswer,
    StatusAnswers,
)

STILL_COMPUTING, OVERLOADED, UNREACHABLE = "Still computing", "Overloaded", "Service unreachable"  # titles of problems
PAUSE = {STILL_COMPUTING: 2.0, OVERLOADED: 0.5, UNREACHABLE: 0.3}  # s, on average
DROPPED = 3  # connections in a row; a busy server closes some, a missing one all


class CampaignCalls:
    """The part of `Client` that runs a campaign.

    Every method raises ServiceError with the problem the service found, and ServiceUnreachable.
    """

    if TYPE_CHECKING:

        def _call(self, method: str, route: str, body: Any = None) -> Any: ...

    def new_campaign(self, name: str, hosts: list[str], **options: Any) -> CampaignAnswer:
        """Start a campaign; options as in `CampaignRequest` (objectives, constraints, temperature_K, seed, options)."""
        return CampaignAnswer.model_validate(
            self._call("POST", "/campaigns", {"name": name, "hosts": hosts, **options})
        )

    def suggest(self, campaign: str, n: int = 5, key: str | None = None, wait: float = 300.0) -> BatchAnswer:
        """The next batch; the same key again gives the batch stored first.

        Args:
            wait: seconds to go on asking while the service judges the candidates of a new host.
        """
        body = {"campaign": campaign, "n": n, "key": key or str(uuid.uuid4())}
        return BatchAnswer.model_validate(self._patiently("/campaigns/suggest", body, STILL_COMPUTING, wait))

    def observe(
        self, campaign: str, formula: str | None = None, *, key: str | None = None, wait: float = 60.0, **result: Any
    ) -> ObservedAnswer:
        """Store one result; fields as in `ObservationRequest` (value and unit, or failed and reason, …).

        Give a key of your own, and the call may be repeated after a lost answer without storing twice.

        Args:
            wait: seconds to go on asking while the service has too many requests at once.
        """
        body = {"campaign": campaign, "formula": formula, "key": key, **result}
        return ObservedAnswer.model_validate(self._patiently("/observations", body, OVERLOADED, wait))

    def campaign_predict(
        self, campaign: str, materials: list[str | dict[str, Any]], temperature_K: float = 298.15
    ) -> CampaignPredictAnswer:
        """Predict formulas (or texts of structure files) with what the campaign has observed, and without."""
        body = {"campaign": campaign, "materials": materials, "temperature_K": temperature_K}
        return CampaignPredictAnswer.model_validate(self._call("POST", "/campaigns/predict", body))

    def campaign_status(self, campaign: str) -> StatusAnswer:
        """How a campaign stands."""
        answer = self._call("POST", "/campaigns/status", {"campaign": campaign})
        return StatusAnswers.model_validate(answer).campaigns[0]

    def campaigns(self) -> list[StatusAnswer]:
        """How all campaigns stand, the oldest first."""
        return StatusAnswers.model_validate(self._call("POST", "/campaigns/status", {})).campaigns

    def export_campaign(self, campaign: str) -> ExportAnswer:
        """Everything that a campaign holds, and its table as CSV text."""
        return ExportAnswer.model_validate(self._call("POST", "/campaigns/export", {"campaign": campaign}))

    def _patiently(self, route: str, body: Any, title: str, wait: float) -> Any:
        """Ask again while the service answers with this problem or drops the connection: what may be sent twice."""
        deadline, dropped = time.monotonic() + wait, 0
        while True:
            try:
                return self._call("POST", route, body)
            except IonscoutError as error:
                dropped += error.title == UNREACHABLE
                if error.title not in (title, UNREACHABLE) or dropped > DROPPED or time.monotonic() > deadline:
                    raise
                time.sleep(random.uniform(0.5, 1.5) * PAUSE[error.title])  # so that not all come back at once
