"""`ionscout benchmark active-learning`: how many measurements the loop saves, cold and warm, against random choice.

Pool: OBELiX rows; targets: the best 5 % of the pool; 50 measurements in batches of five. Cold: no conductivity label at
the start, all families in one pool. Warm: the pool is one family, the labels of all other families are known, without
rows that share composition or publication with the pool. Families with 45 rows or more take part: of fewer the best 5 %
are not three rows, and there is no third hit. A seed hides a tenth of the pool and of the known labels, so that
strategies without randomness have a spread too and no result hangs on one row; every strategy sees the same rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path

import numpy as np

from ionscout.datasets.errors import BadData, OutOfRange
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.obelix import Obelix
from ionscout.training.benchmarks.active_learning_leaks import LeakCheck, leak_check
from ionscout.training.benchmarks.active_learning_loop import (
    BUDGET,
    Strategy,
    Table,
    Task,
    informed_order,
    play,
)
from ionscout.training.benchmarks.active_learning_scores import (
    HIT,
    Run,
    acceleration,
    compared,
    random_hits,
    target_rows,
)
from ionscout.training.benchmarks.active_learning_strategies import FOREST, OURS, strategies
from ionscout.training.leaks import independent

SHARE = 0.05  # of a pool are targets
HIDDEN = 0.1  # of pool and known labels, another tenth for each seed
MORE_HIDDEN = 0.3  # in the check on other draws: with a tenth hidden, two seeds share most of their path
Interval = tuple[float, float, float]  # low, mid, high
OTHER = 77  # stream of those draws, on which nothing was chosen


@dataclass(frozen=True)
class Score:
    """One strategy in one setting; means over seeds, in the warm setting over families as well.

    Attributes:
        hits_50: targets among the 50 measurements.
        to_third_hit: measurements to the third of them.
        families: different families among the measured rows.
        acceleration: low, mid, high of a 90 % interval.
    """

    hits_50: float
    to_third_hit: float
    families: float
    acceleration: tuple[float, float, float]


@dataclass(frozen=True)
class Report:
    """Everything that was measured.

    Attributes:
        cold, warm: scores by strategy.
        warm_by_family: scores of each family, whose interval is over seeds alone.
        against_forest: how many times fewer measurements the loop needs than the forest, with interval, by setting.
        by_hit: acceleration at each hit, by setting, strategy and number of the hit.
        curves: hits after each measurement, 5th, 50th and 95th percentile over the cold runs, by strategy.
        random_hits: expected by chance among 50, by setting.
        informed: acceleration of the order of a model that knows all labels but a row's own, warm: the prize.
        other_draws: acceleration of the loop, warm, when other seeds hide `MORE_HIDDEN` of the rows: how much of the
            number hangs on the rows at hand. None where no family is large enough for it.
    """

    cold: dict[str, Score]
    warm: dict[str, Score]
    warm_by_family: dict[str, dict[str, Score]]
    against_forest: dict[str, tuple[float, float, float]]
    by_hit: dict[str, dict[str, dict[int, tuple[float, float, float]]]]
    curves: dict[str, list[list[float]]]
    random_hits: dict[str, float]
    informed: Interval
    other_draws: Interval | None
    pools: dict[str, tuple[int, int]]
    seeds: int
    hidden: float
    leak_check: LeakCheck
    definition: str = field(default="")

    def as_dict(self) -> dict:
        return asdict(self)


def run(
    folder: Path | None = None,
    seeds: int = 20,
    hidden: float = HIDDEN,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Play every strategy from every seed.

    Args:
        folder: with OBELiX tables; default: IONSCOUT_DATA_DIR.
        on_step: called with campaigns done and campaigns in all.

    Raises:
        DataUnavailable, BadData: no rows, or no family large enough.
        OutOfRange: fewer than two seeds, or a share outside [0, 0.5].
    """
    if seeds < 2 or not 0.0 <= hidden <= 0.5:
        raise OutOfRange(f"{seeds} seeds and {hidden} hidden cannot be played; take 2 or more seeds, and 0 to 0.5.")
    return benchmark(Obelix(folder, "train").load(), seeds, hidden, on_step)


def benchmark(
    measurements: Sequence[Measurement],
    seeds: int,
    hidden: float = HIDDEN,
    on_step: Callable[[int, int], None] = lambda done, total: None,
    only: Sequence[str] = (),
) -> Report:
    """The same on given rows; `only` limits the strategies."""
    game = _Game(measurements)
    pools = {"cold": np.arange(len(measurements)), **large_families(measurements, hidden)}
    if len(pools) == 1:
        raise BadData("No family has a best 5 % of three rows, so nothing can be measured warm; take the whole table.")
    known = {name: unrelated(measurements, rows) if name != "cold" else rows[:0] for name, rows in pools.items()}
    chosen = {s: [n for n in strategies(s) if not only or n in only] for s in ("cold", "warm")}
    harder = {n: rows for n, rows in pools.items() if n in large_families(measurements, MORE_HIDDEN)}
    total = seeds * (len(chosen["cold"]) + (len(pools) - 1) * (len(chosen["warm"]) + 1) + len(harder))
    steps = count(1)
    runs: dict[str, dict[str, list[Run]]] = {}
    informed: list[list[Run]] = []
    for name, rows in pools.items():
        setting = "cold" if name == "cold" else "warm"
        runs[name] = {n: [] for n in chosen[setting]}
        tasks = [game.task(rows, known[name], hidden, [seed, 5]) for seed in range(seeds)]
        for seed, task in enumerate(tasks):
            for n in chosen[setting]:
                runs[name][n].append(game.played(task, strategies(setting)[n], seed))
                on_step(next(steps), total)
        if setting == "warm":
            informed.append([])
            for task in tasks:
                informed[-1].append(game.scored(task, informed_order(task, game.labels, game.censored)[:BUDGET]))
                on_step(next(steps), total)
    others: list[list[Run]] = []
    for name, rows in harder.items():
        others.append([])
        for seed in range(seeds):
            task = game.task(rows, known[name], MORE_HIDDEN, [seed, OTHER])
            others[-1].append(game.played(task, strategies("warm")[OURS], seed))
            on_step(next(steps), total)
    checks = (acceleration(informed), acceleration(others) if others else None)
    return _report(runs, seeds, hidden, leak_check(measurements, pools, known), *checks)


class _Game:
    """Measured rows, from which tasks are drawn and on which strategies play."""

    def __init__(self, measurements: Sequence[Measurement]) -> None:
        self.table = Table(measurements)
        self.labels = np.array([m.log10_conductivity for m in measurements])
        self.censored = np.array([m.censored for m in measurements])
        self.families = [m.family for m in measurements]

    def task(self, rows: np.ndarray, known: np.ndarray, hidden: float, stream: Sequence[int]) -> Task:
        """A share of the pool and of the known labels hidden at random."""
        rng = np.random.default_rng(stream)
        pool, others = _some(rows, hidden, rng), _some(known, hidden, rng)
        return Task(self.table, pool, others, self.labels[others], self.censored[others])

    def played(self, task: Task, strategy: Strategy, seed: int) -> Run:
        return self.scored(task, play(task, strategy, lambda rows: (self.labels[rows], self.censored[rows]), seed))

    def scored(self, task: Task, order: np.ndarray) -> Run:
        """Hits of rows measured in an order."""
        best = set(task.pool[target_rows(self.labels[task.pool], SHARE)].tolist())
        hits = np.array([i in best for i in order.tolist()])
        return Run(len(task.pool), len(best), hits, len({self.families[i] for i in order} - {""}))


def large_families(measurements: Sequence[Measurement], hidden: float = HIDDEN) -> dict[str, np.ndarray]:
    """Rows of each family that keeps three targets when a share of its rows is hidden, largest first."""
    names = np.array([m.family for m in measurements])
    sizes = {str(name): int((names == name).sum()) for name in np.unique(names) if name}
    enough = {n for n, size in sizes.items() if np.ceil(SHARE * (size - int(hidden * size)) - 1e-9) >= HIT}
    kept = sorted(enough, key=lambda n: (-sizes[n], n))
    return {name: np.flatnonzero(names == name) for name in kept}


def unrelated(measurements: Sequence[Measurement], pool: np.ndarray) -> np.ndarray:
    """Rows outside a pool whose labels tell nothing about a row of it."""
    others = np.setdiff1d(np.arange(len(measurements)), pool)
    kept = independent([measurements[i] for i in others], [measurements[i] for i in pool])
    allowed = {id(m) for m in kept}
    return np.array([i for i in others if id(measurements[i]) in allowed], dtype=int)


def _some(rows: np.ndarray, hidden: float, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.choice(rows, len(rows) - int(hidden * len(rows)), replace=False))


def _report(
    runs: dict[str, dict[str, list[Run]]],
    seeds: int,
    hidden: float,
    leaks: LeakCheck,
    informed: Interval,
    others: Interval | None,
) -> Report:
    cold, warm = runs["cold"], {name: by for name, by in runs.items() if name != "cold"}
    names = list(next(iter(warm.values())))
    grouped = {
        "cold": {n: [found] for n, found in cold.items()},
        "warm": {n: [by[n] for by in warm.values()] for n in names},
    }
    forest = {s: compared(g[OURS], g[FOREST]) for s, g in grouped.items() if OURS in g and FOREST in g}
    by_hit = {
        s: {n: {k: acceleration(found, k) for k in (1, 2, HIT)} for n, found in g.items()} for s, g in grouped.items()
    }
    expected = {
        s: float(np.mean([random_hits(r.pool, r.targets, BUDGET) for found in g[next(iter(g))] for r in found]))
        for s, g in grouped.items()
    }
    return Report(
        cold={n: _score([found]) for n, found in cold.items()},
        warm={n: _score(found) for n, found in grouped["warm"].items()},
        warm_by_family={name: {n: _score([found]) for n, found in by.items()} for name, by in warm.items()},
        against_forest=forest,
        by_hit=by_hit,
        curves={n: _curve(found) for n, found in cold.items()},
        random_hits=expected,
        informed=informed,
        other_draws=others,
        pools={name: _size(by) for name, by in runs.items()},
        seeds=seeds,
        hidden=hidden,
        leak_check=leaks,
        definition="acceleration = mean measurements of random choice to the third hit, r (N + 1) / (K + 1), over the "
        "mean of the strategy; families by their geometric mean; 90 % interval by bootstrap over families and seeds",
    )


def _size(runs: dict[str, list[Run]]) -> tuple[int, int]:
    """Rows and targets of a pool, of its first seed."""
    first = next(iter(runs.values()))[0]
    return first.pool, first.targets


def _score(runs: Sequence[Sequence[Run]]) -> Score:
    found = [run for pool in runs for run in pool]
    return Score(
        hits_50=float(np.mean([run.hits.sum() for run in found])),
        to_third_hit=float(np.mean([run.to_hit() for run in found])),
        families=float(np.mean([run.families for run in found])),
        acceleration=acceleration(runs),
    )


def _curve(runs: Sequence[Run]) -> list[list[float]]:
    """Percentiles 5, 50, 95 of the hits after 0, 1, 2, … measurements."""
    counts = np.array([np.concatenate([[0], np.cumsum(run.hits)]) for run in runs])
    return np.percentile(counts, (5, 50, 95), axis=0).tolist()
