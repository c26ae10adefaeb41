"""Coverage of intervals: how many measurements that came in lie inside what had been predicted for them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core import Composition
from scipy.stats import binomtest

from ionscout.datasets.composition import atomic_fractions, parse_formula
from ionscout.datasets.errors import IonscoutError
from ionscout.serving.monitoring.log import LoggedPrediction

if TYPE_CHECKING:  # imports torch
    from ionscout.models.conductivity.predictor import ConductivityPrediction

LEAST = 20  # pairs below which nothing is concluded: 90 % intervals then miss two by design
RECENT = 50  # pairs looked at on their own, so that a late change does not drown in a long past
WATCH, DRIFT = 0.05, 0.01  # one-sided p-values of seeing so few inside if the intervals were right
SAME_TEMPERATURE = 5.0  # K; conductivities change by 0.05 decades over 5 K at 0.35 eV and 300 K
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Pair:
    """One prediction and what was measured, as log10(σ / S cm⁻¹).

    Attributes:
        value, lower, upper: predicted; the interval should hold `coverage` of measurements.
        observed: measured, or the bound when `censored` (only known to lie below it).
    """

    value: float
    lower: float
    upper: float
    coverage: float
    observed: float
    censored: bool = False

    @property
    def inside(self) -> bool:
        """Whether the interval holds the measurement; a bound is held unless the whole interval lies above it."""
        return self.lower <= self.observed and (self.censored or self.observed <= self.upper)


def pair_of(predicted: "ConductivityPrediction", conductivity: float, censored: bool = False) -> Pair:
    """The pair of a prediction and a measured conductivity (S/cm, the bound when censored) at its temperature."""
    value, lower, upper = (math.log10(x) for x in (predicted.conductivity, predicted.lower, predicted.upper))
    return Pair(value, lower, upper, predicted.coverage, math.log10(conductivity), censored)


@dataclass(frozen=True)
class Observation:
    """One measurement: composition, log10(σ / S cm⁻¹) at a temperature; a bound when `censored`.

    `received` is when it came in (with a time zone), None where nobody noted it: from then on a model may have been
    trained on it.
    """

    composition: Composition
    log10_conductivity: float
    temperature_K: float = 298.15
    censored: bool = False
    received: datetime | None = None


@dataclass(frozen=True)
class CoverageDrift:
    """Measured against promised coverage.

    Attributes:
        verdict: "ok", "watch", "drift", or "too few" to tell; the worse of all pairs and the recent ones.
        pairs, inside: counted.
        nominal: promised share; observed: found share, with its exact (Clopper–Pearson) 95 % interval.
        p_value: of so few inside if the promise held; recent_p_value: for the last `RECENT` pairs.
        bias: mean of observed − predicted over uncensored pairs, decades; positive: the model is too low.
        mean_error: mean absolute of it.
    """

    verdict: str
    pairs: int
    inside: int
    nominal: float
    observed: float
    observed_lower: float
    observed_upper: float
    p_value: float
    recent: int
    recent_observed: float
    recent_p_value: float
    bias: float | None
    mean_error: float | None
    reason: str


def coverage_drift(pairs: Sequence[Pair]) -> CoverageDrift:
    """Test whether intervals still hold the share of measurements that they promise.

    Args:
        pairs: in the order in which the measurements came.
    """
    if not pairs:
        return CoverageDrift("too few", 0, 0, 0.9, 0.0, 0.0, 1.0, 1.0, 0, 0.0, 1.0, None, None, "No pairs yet.")
    inside = [pair.inside for pair in pairs]
    nominal = float(np.mean([pair.coverage for pair in pairs]))
    test = binomtest(sum(inside), len(inside), nominal, alternative="less")
    interval = binomtest(sum(inside), len(inside), nominal).proportion_ci(CONFIDENCE, method="exact")
    late = inside[-RECENT:]
    late_test = binomtest(sum(late), len(late), nominal, alternative="less")
    errors = np.array([pair.observed - pair.value for pair in pairs if not pair.censored])
    verdict, reason = _verdict(
        len(pairs), sum(inside) / len(inside), nominal, float(test.pvalue), float(late_test.pvalue)
    )
    return CoverageDrift(
        verdict=verdict,
        pairs=len(pairs),
        inside=sum(inside),
        nominal=round(nominal, 4),
        observed=round(sum(inside) / len(inside), 4),
        observed_lower=round(float(interval.low), 4),
        observed_upper=round(float(interval.high), 4),
        p_value=round(float(test.pvalue), 6),
        recent=len(late),
        recent_observed=round(sum(late) / len(late), 4),
        recent_p_value=round(float(late_test.pvalue), 6),
        bias=round(float(errors.mean()), 3) if len(errors) else None,
        mean_error=round(float(np.abs(errors).mean()), 3) if len(errors) else None,
        reason=reason,
    )


def matched(predictions: Iterable[LoggedPrediction], observations: Sequence[Observation]) -> list[Pair]:
    """Pairs of every observation with the last prediction of its composition and temperature before it, in their order.

    Before it: a model that was retrained on an observation has not predicted it. An observation without a time of
    receipt meets the last prediction of all, whose model may have seen it; the report counts these. Polymorphs of one
    composition cannot be told apart by a formula: pairs made elsewhere, by crystal, are better. Predicted bulk
    conductivities are passed over: observations are mostly total ones.
    """
    logged: dict[bytes, list[tuple[datetime, LoggedPrediction]]] = {}
    for prediction in predictions:
        if prediction.kind != "total":
            continue
        try:
            key = _key(parse_formula(prediction.formula))
            when = datetime.fromisoformat(prediction.time)
        except (IonscoutError, ValueError):
            continue
        logged.setdefault(key, []).append((when, prediction))
    pairs = []
    for seen in observations:
        near = [
            (when, said)
            for when, said in logged.get(_key(seen.composition), [])
            if abs(said.temperature_K - seen.temperature_K) <= SAME_TEMPERATURE
            and (seen.received is None or when < seen.received)
        ]
        if near:
            # By time: several processes write files of their own. Of one millisecond the later line is the last.
            said = sorted(near, key=itemgetter(0))[-1][1]
            pairs.append(
                Pair(
                    said.log10_conductivity,
                    said.log10_lower,
                    said.log10_upper,
                    said.coverage,
                    seen.log10_conductivity,
                    seen.censored,
                )
            )
    return pairs


def _key(composition: Composition) -> bytes:
    """Equal for equal atomic fractions, to the four decimals that formulas are written with."""
    return np.round(atomic_fractions(composition), 4).tobytes()


def _verdict(n: int, observed: float, nominal: float, p_value: float, late: float) -> tuple[str, str]:
    if n < LEAST:
        return "too few", f"{n} pairs of prediction and measurement; at least {LEAST} are needed to tell."
    worst = min(p_value, late)
    said = f"{observed:.0%} of the measurements lie inside intervals that promise {nominal:.0%}"
    if worst < DRIFT:
        return "drift", f"{said}{'' if p_value < DRIFT else ', but fewer of the recent ones'}: calibrate anew."
    return ("watch" if worst < WATCH else "ok"), f"{said}."
