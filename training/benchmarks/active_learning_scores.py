"""Hits, measurements to a hit and the acceleration factor, with random choice known exactly.

Random choice without replacement from N rows with K targets is negative hypergeometric: the r-th target is met after
r (N + 1) / (K + 1) measurements on average, and n measurements hold n K / N of them.

The acceleration factor is the number of measurements that random choice needs on average for its third hit over the
number that the strategy needs on average for its third hit (as Rohr et al., Chem. Sci. 11, 2696 (2020), define it).
Averages over seeds are taken before the ratio: the mean of ratios would reward a strategy for a few lucky starts.
Families count alike: the factor of several pools is the geometric mean of theirs. Measurements are counted one by one
in the order chosen, for random choice as for strategies. A run that ends before its third hit counts as if it went on
at random: n + (3 − h) (N − n + 1) / (K − h + 1) measurements.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

HIT = 3
RESAMPLES = 2000
LEVELS = (5.0, 95.0)  # percentiles: a 90 % interval


@dataclass(frozen=True)
class Run:
    """One campaign: the size of its pool, the number of targets, and for each measurement whether it was a hit."""

    pool: int
    targets: int
    hits: np.ndarray
    families: int

    def to_hit(self, number: int = HIT) -> float:
        """Measurements to the given hit; expected ones where the run ended before it.

        NaN when the pool holds fewer targets.
        """
        if number > self.targets:
            return float("nan")
        found = np.flatnonzero(self.hits) + 1
        if len(found) >= number:
            return float(found[number - 1])
        n = len(self.hits)
        return n + (number - len(found)) * (self.pool - n + 1) / (self.targets - len(found) + 1)

    def expected_to_hit(self, number: int = HIT) -> float:
        """Measurements that random choice needs on average for it in the same pool."""
        return random_to_hit(self.pool, self.targets, number)


def random_to_hit(pool: int, targets: int, number: int) -> float:
    """Mean of the negative hypergeometric distribution: r (N + 1) / (K + 1)."""
    return number * (pool + 1) / (targets + 1)


def random_hits(pool: int, targets: int, measurements: int) -> float:
    """Mean of the hypergeometric distribution: n K / N."""
    return min(measurements, pool) * targets / pool


def target_rows(labels: np.ndarray, share: float) -> np.ndarray:
    """Which rows are among the best share of a pool; ties with the last of them count, [n] bool."""
    number = max(1, int(np.ceil(share * len(labels) - 1e-9)))
    return labels >= np.sort(labels)[-number]


def acceleration(runs: Sequence[Sequence[Run]], number: int = HIT, seed: int = 0) -> tuple[float, float, float]:
    """(low, mid, high) of the acceleration factor.

    Args:
        runs: of each pool, of each seed.

    The interval is a bootstrap: pools are drawn with replacement (when there are several), and seeds within each.
    """
    needed = [np.array([run.to_hit(number) for run in pool]) for pool in runs]
    random = [np.array([run.expected_to_hit(number) for run in pool]) for pool in runs]
    return _interval(random, needed, seed)


def compared(
    runs: Sequence[Sequence[Run]], others: Sequence[Sequence[Run]], number: int = HIT, seed: int = 0
) -> tuple[float, float, float]:
    """(low, mid, high) of how many times fewer measurements `runs` need than `others`; seeds are paired."""
    needed = [np.array([run.to_hit(number) for run in pool]) for pool in runs]
    other = [np.array([run.to_hit(number) for run in pool]) for pool in others]
    return _interval(other, needed, seed)


def _interval(above: list[np.ndarray], below: list[np.ndarray], seed: int) -> tuple[float, float, float]:
    """Geometric mean over pools of the ratio of means over seeds; all pools have the same number of seeds."""
    rng = np.random.default_rng(seed)
    upper, lower = np.stack(above), np.stack(below)  # [pools, seeds]
    count, seeds = upper.shape
    logs = np.zeros(RESAMPLES)
    for _ in range(count):
        pools = rng.integers(count, size=(RESAMPLES, 1))
        drawn = rng.integers(seeds, size=(RESAMPLES, seeds))
        logs += np.log(upper[pools, drawn].mean(1) / lower[pools, drawn].mean(1))
    low, high = np.exp(np.percentile(logs / count, LEVELS))
    mid = np.exp(np.log(upper.mean(1) / lower.mean(1)).mean())
    return float(low), float(mid), float(high)
