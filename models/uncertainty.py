"""Conformal intervals from out-of-fold residuals, and the in-domain flag.

Conformal calibration (Vovk; Lei et al., JASA 113, 1094 (2018)): residuals of predictions made out of fold,
divided by the predicted scale, give the factor by which that scale has to be stretched so that a given share of new
measurements falls inside. Folds are grouped by publication, so "new" means from a paper never seen.
"""

import numpy as np

from ionscout.datasets.errors import BadData

COVERAGE = 0.9


def nonconformity(prediction: np.ndarray, scale: np.ndarray, label: np.ndarray, censored: np.ndarray) -> np.ndarray:
    """Scaled residuals [n]; an upper bound is violated only by predictions above it."""
    residual = np.where(censored, np.maximum(0.0, prediction - label), np.abs(prediction - label))
    return residual / scale


def conformal_factor(scores: np.ndarray, coverage: float = COVERAGE) -> float:
    """The finite-sample quantile ⌈(n + 1)·coverage⌉ / n of the scores.

    Raises:
        BadData: when there are too few scores for the coverage.
    """
    n = len(scores)
    rank = int(np.ceil((n + 1) * coverage))
    if rank > n:
        raise BadData(f"{n} residuals are too few to calibrate a coverage of {coverage}; bring more data.")
    return float(np.sort(scores)[rank - 1])


def nearest_distance(queries: np.ndarray, reference: np.ndarray, neighbours: int = 5) -> np.ndarray:
    """Mean Euclidean distance to the nearest reference points: [q, d] and [n, d] → [q]."""
    squared = (queries**2).sum(1)[:, None] + (reference**2).sum(1)[None] - 2 * queries @ reference.T
    k = min(neighbours, len(reference))
    return np.sqrt(np.clip(np.partition(squared, k - 1, axis=1)[:, :k], 0, None)).mean(1)
