"""Errors under the three label protocols, rank correlation, and how well intervals keep their promise.

Protocols (they differ by 0.2 to 0.3 decades for one model and must not be compared with one another): P sets every
upper bound to 1e-15 S/cm, as the OBELiX package does; B takes the bound itself; C counts max(0, prediction − bound).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy.stats import spearmanr

from ionscout.datasets.sources.base import Measurement
from ionscout.models.conductivity.predictor import ConductivityPrediction, ConductivityPredictor

UNMEASURABLE = -15.0  # log10 S/cm: what protocol P puts for every upper bound


@dataclass(frozen=True)
class Scores:
    """Errors in decades over `n` rows; intervals are absent (None) for models that give none."""

    n: int
    mae_P: float
    mae_B: float
    mae_C: float
    rmse_P: float
    spearman: float
    coverage_90: float | None
    width_90: float | None

    def as_dict(self) -> dict:
        return asdict(self)


def evaluate_measurements(predictor: ConductivityPredictor, measurements: Sequence[Measurement]) -> dict:
    """Score a predictor on measurements, each at its own temperature: over all rows and by what was known.

    Returns `{"model", "version", "rows": [{"id", "formula", "measured", "predicted", "lower", "upper"}], "scores"}`,
    conductivities in S/cm.
    """
    answers = _answers(predictor, measurements)
    location = np.log10([a.conductivity for a in answers])
    half_width = np.log10([a.upper for a in answers]) - location
    label = np.array([m.log10_conductivity for m in measurements])
    censored = np.array([m.censored for m in measurements])
    path = np.array([a.path for a in answers])
    parts = {"all": np.ones(len(label), dtype=bool)} | {str(name): path == name for name in np.unique(path)}
    scores = {name: score(location, label, censored, half_width, rows) for name, rows in parts.items()}
    return {
        "model": answers[0].model,
        "version": predictor.version,
        "scores": {name: s.as_dict() for name, s in scores.items() if s is not None},
        "rows": [
            {
                "id": m.id,
                "formula": m.formula,
                "measured": 10**m.log10_conductivity,
                "censored": m.censored,
                "predicted": a.conductivity,
                "lower": a.lower,
                "upper": a.upper,
            }
            for m, a in zip(measurements, answers, strict=True)
        ],
    }


def _answers(predictor: ConductivityPredictor, measurements: Sequence[Measurement]) -> list[ConductivityPrediction]:
    """One answer a row, in order; rows of one temperature share a batch."""
    found: dict[int, ConductivityPrediction] = {}
    for temperature in sorted({m.temperature_K for m in measurements}):
        rows = [i for i, m in enumerate(measurements) if m.temperature_K == temperature]
        predicted = predictor.predict([measurements[i].material() for i in rows], temperature)
        found.update(zip(rows, predicted, strict=True))
    return [found[i] for i in range(len(measurements))]


def score(
    prediction: np.ndarray,
    label: np.ndarray,
    censored: np.ndarray,
    half_width: np.ndarray | None = None,
    rows: np.ndarray | None = None,
) -> Scores | None:
    """Score predictions of log10 σ [n] against labels [n] (the bound where censored); None when no row is left.

    An upper bound counts as covered when the interval reaches below it.
    """
    keep = np.ones(len(label), dtype=bool) if rows is None else rows
    if not keep.any():
        return None
    prediction, label, censored = prediction[keep], label[keep], censored[keep]
    label_p = np.where(censored, UNMEASURABLE, label)
    error = prediction - label
    coverage = width = None
    if half_width is not None:
        half = half_width[keep]
        coverage = float(np.where(censored, error <= half, np.abs(error) <= half).mean())
        width = float(2 * half.mean())
    return Scores(
        n=len(label),
        mae_P=float(np.abs(prediction - label_p).mean()),
        mae_B=float(np.abs(error).mean()),
        mae_C=float(np.where(censored, np.maximum(0.0, error), np.abs(error)).mean()),
        rmse_P=float(np.sqrt(((prediction - label_p) ** 2).mean())),
        spearman=_rank_correlation(prediction, label_p),
        coverage_90=coverage,
        width_90=width,
    )


def _rank_correlation(prediction: np.ndarray, label: np.ndarray) -> float:
    """Spearman's coefficient; 0 where one side is constant and so ranks nothing."""
    if np.ptp(prediction) == 0 or np.ptp(label) == 0:
        return 0.0
    return float(spearmanr(prediction, label).statistic)
