"""One campaign played on rows whose results are known: a pool, labels of other materials, and a strategy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from ionscout.datasets.sources.base import Measurement
from ionscout.models.energy.predictor import load_predictor
from ionscout.training.active.surrogate import CENTRE, Surrogate, surrogate
from ionscout.training.baselines import published_features

BUDGET = 50  # measurements
BATCH = 5


class Table:
    """All materials of a benchmark, without their labels: what may be known of a material before it is made."""

    def __init__(self, measurements: Sequence[Measurement]) -> None:
        self.compositions = [m.composition for m in measurements]
        self.families = [m.family for m in measurements]
        self.features = published_features(measurements)
        self.with_prior = surrogate(self.compositions, [m.cell for m in measurements])
        self.without_prior = replace(self.with_prior, mean=np.full(len(measurements), CENTRE))

    @cached_property
    def embedding_kernel(self) -> np.ndarray:
        """exp(−d / 0.7) over the 20 principal components of the energy network's embedding, [n, n]."""
        embedded = StandardScaler().fit_transform(load_predictor().embed(self.compositions))
        reduced = StandardScaler().fit_transform(PCA(20, random_state=0).fit_transform(embedded))
        apart = np.stack([np.sqrt(((reduced - row) ** 2).sum(1)) for row in reduced])
        return np.exp(-apart / np.median(apart) / 0.7)


@dataclass(frozen=True)
class Task:
    """What a strategy is told: the table, which rows it may choose, and labels that are known beforehand.

    The labels of the pool are not in it.
    """

    table: Table
    pool: np.ndarray
    known: np.ndarray
    labels: np.ndarray
    censored: np.ndarray

    @property
    def cold(self) -> bool:
        return not len(self.known)

    @cached_property
    def model(self) -> Surrogate:
        """Cold: kernels as they are and the composition prior. Else tuned to the known labels, with a constant mean."""
        if self.cold:
            return self.table.with_prior
        return self.table.without_prior.tuned(self.known, self.labels, self.censored)


@dataclass(frozen=True)
class Results:
    """Rows measured so far, in the order in which they were chosen, and what came out."""

    rows: np.ndarray
    labels: np.ndarray
    censored: np.ndarray


class Strategy(Protocol):
    """Chooses `count` rows of the pool that are not in the results yet."""

    def start(self, task: Task, seed: int) -> None: ...

    def choose(self, results: Results, count: int) -> list[int]: ...


def play(
    task: Task,
    strategy: Strategy,
    reveal: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    seed: int,
    budget: int = BUDGET,
    batch: int = BATCH,
) -> np.ndarray:
    """The rows in the order in which the strategy measures them.

    Args:
        reveal: labels and censoring marks of rows; called with what was just chosen and nothing else.
    """
    strategy.start(task, seed)
    results = Results(np.empty(0, dtype=int), np.empty(0), np.empty(0, dtype=bool))
    while len(results.rows) < min(budget, len(task.pool)):
        count = min(batch, min(budget, len(task.pool)) - len(results.rows))
        picked = np.array(strategy.choose(results, count), dtype=int)
        labels, censored = reveal(picked)
        results = Results(
            np.concatenate([results.rows, picked]),
            np.concatenate([results.labels, labels]),
            np.concatenate([results.censored, censored]),
        )
    return results.rows


def informed_order(task: Task, labels: np.ndarray, censored: np.ndarray) -> np.ndarray:
    """The pool ranked by a model that knows every label but a row's own: what no campaign can be expected to beat.

    A campaign starts without any label of the pool. What it lacks to this order is the price of learning; what this
    order lacks to perfection is noise of the labels and what the kernels do not see.

    Args:
        labels, censored: of all materials of the table, [n].
    """
    everything = np.concatenate([task.known, task.pool])
    expected = []
    for row in task.pool:
        others = everything[everything != row]
        belief = task.model.posterior(np.array([row]), others, labels[others], censored[others])
        expected.append(belief.mean[0])
    return task.pool[np.argsort(-np.array(expected), kind="stable")]
