"""Paired bootstrap over publications: how sure a difference of two models is when rows of one paper go together."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Difference:
    """Mean of a paired difference, and its one-sided limits at the stated confidence."""

    mean: float
    lower: float
    upper: float


def paired_difference(
    difference: np.ndarray, cluster: np.ndarray, confidence: float, draws: int, seed: int
) -> Difference:
    """Resample whole clusters with replacement (Field & Welsh, J. R. Stat. Soc. B 69, 369 (2007)).

    Args:
        difference [n]: of each row. cluster [n]: number or name of its publication.
    """
    _, number = np.unique(cluster, return_inverse=True)
    totals, sizes = np.bincount(number, difference), np.bincount(number)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=draws)
    means = (weights @ totals) / (weights @ sizes)
    lower, upper = np.quantile(means, [1 - confidence, confidence])
    return Difference(float(difference.mean()), float(lower), float(upper))
