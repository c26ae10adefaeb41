"""One campaign played on rows whose results are known: a pool, labels of other materials, and a strategy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.preprocessing import StandardScaler

from ionscout.datasets.sources.base import Measurement
from ionscout.models.energy.predictor import load_predictor
from ionscout.training.active.acquisition import Method
from ionscout.training.active.suggest import suggest
from ionscout.training.active.surrogate import CENTRE, Surrogate, surrogate
from ionscout.training.baselines import published_features
from ionscout.training.evaluate import UNMEASURABLE

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


class Random:
    """Any row, all alike."""

    def start(self, task: Task, seed: int) -> None:
        self.left = list(np.random.default_rng(seed).permutation(task.pool))

    def choose(self, results: Results, count: int) -> list[int]:
        return [int(self.left.pop()) for _ in range(count)]


class Loop:
    """The surrogate and an acquisition, as `ionscout campaign suggest` uses them.

    Args:
        method: acquisition.
        dials: exploration dial of the first batch and of all later ones.
        diversity: price of likeness within a batch.
        model: the surrogate; by default the one of the task.
    """

    def __init__(
        self,
        method: Method = "ucb",
        dials: tuple[float, float] = (0.5, 0.5),
        diversity: float = 0.0,
        model: Callable[[Task], Surrogate] = lambda task: task.model,
    ) -> None:
        self.method, self.dials, self.diversity, self.model = method, dials, diversity, model

    def start(self, task: Task, seed: int) -> None:
        self.task, self.seed, self.fitted = task, seed, self.model(task)

    def choose(self, results: Results, count: int) -> list[int]:
        task = self.task
        free = np.setdiff1d(task.pool, results.rows)
        belief = self.fitted.posterior(
            free,
            np.concatenate([task.known, results.rows]),
            np.concatenate([task.labels, results.labels]),
            np.concatenate([task.censored, results.censored]),
        )
        chosen = suggest(
            [task.table.compositions[i] for i in free],
            belief,
            count,
            method=self.method,
            dial=self.dials[0 if not len(results.rows) else 1],
            diversity=self.diversity,
            families=[task.table.families[i] for i in free] if self.diversity else (),
            noise=self.fitted.noise,
            seed=self.seed * 1000 + len(results.rows),
        )
        return [int(free[s.index]) for s in chosen]


class ForestBound:
    """The random forest of the OBELiX paper with an upper confidence bound from the spread of its trees.

    The first batch is random where no label is known. Bounds count as 1e-15 S/cm, protocol P, as published.
    """

    def start(self, task: Task, seed: int) -> None:
        self.task, self.rng = task, np.random.default_rng(seed)

    def choose(self, results: Results, count: int) -> list[int]:
        free = np.setdiff1d(self.task.pool, results.rows)
        rows = np.concatenate([self.task.known, results.rows])
        if not len(rows):
            return [int(i) for i in self.rng.choice(free, count, replace=False)]
        labels = np.concatenate([self.task.labels, results.labels])
        censored = np.concatenate([self.task.censored, results.censored])
        state = int(self.rng.integers(2**31))
        forest = RandomForestRegressor(50, max_depth=36, max_features="sqrt", random_state=state)
        forest.fit(self.task.table.features[rows], np.where(censored, UNMEASURABLE, labels))
        columns = self.task.table.features[free].astype(np.float32)
        trees = np.stack([tree.predict(columns) for tree in forest.estimators_])
        order = np.argsort(-(trees.mean(0) + trees.std(0)), kind="stable")
        return [int(i) for i in free[order[:count]]]
