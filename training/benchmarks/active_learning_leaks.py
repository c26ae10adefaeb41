"""Whether anything of the pool's labels reached a strategy before it measured them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ionscout.datasets.errors import DataUnavailable
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.conductivity_1011 import Conductivity1011
from ionscout.datasets.sources.embedded import Embedded
from ionscout.datasets.sources.laskowski import Laskowski
from ionscout.datasets.sources.liverpool import Liverpool
from ionscout.training.benchmarks.active_learning_loop import Loop, Table, Task, play
from ionscout.training.leaks import leak_counts, leaks


@dataclass(frozen=True)
class LeakCheck:
    """What was checked, in this run.

    Attributes:
        conductivity_labels_in_prior: labels that the prior and the kernels were made from; none can be, since they are
            built from compositions and cells, and shuffling all labels leaves the first cold batch as it is.
        first_batch_ignores_labels: the outcome of that shuffle.
        unmeasured_ignored: falsifying the labels of all rows that a cold campaign did not measure leaves it as it is.
        removed: rows of other families left out of the warm labels because they share composition, publication or
            value with a row of the pool, by family and reason.
        remaining: such rows that are still among the warm labels; must be 0.
        copies_elsewhere: rows of the other tables that would tell about the pool (all of it), by table and reason. No
            strategy reads these tables.
    """

    first_batch_ignores_labels: bool
    unmeasured_ignored: bool
    removed: dict[str, dict[str, int]]
    remaining: int
    copies_elsewhere: dict[str, dict[str, int]]
    conductivity_labels_in_prior: int = 0


def leak_check(
    measurements: Sequence[Measurement],
    table: Table,
    pools: dict[str, np.ndarray],
    known: dict[str, np.ndarray],
) -> LeakCheck:
    """Check the tasks of one benchmark.

    Args:
        pools: rows that can be chosen, by task; `cold` is all of them.
        known: rows whose labels are given beforehand, by task.
    """
    removed, remaining = {}, 0
    for name, rows in pools.items():
        if name == "cold":
            remaining += len(known[name])  # cold means none
            continue
        pool = [measurements[i] for i in rows]
        others = np.setdiff1d(np.arange(len(measurements)), rows)
        removed[name] = {str(k): v for k, v in leak_counts(leaks([measurements[i] for i in others], pool)).items()}
        remaining += len(leaks([measurements[i] for i in known[name]], pool)) + len(np.intersect1d(known[name], rows))
    first, rest = _label_blind(measurements, table, pools["cold"])
    return LeakCheck(first, rest, removed, remaining, _copies(measurements))


def _label_blind(measurements: Sequence[Measurement], table: Table, pool: np.ndarray) -> tuple[bool, bool]:
    labels = np.array([m.log10_conductivity for m in measurements])
    censored = np.array([m.censored for m in measurements])
    nothing = np.empty(0)
    task = Task(table, pool, nothing.astype(int), nothing, nothing.astype(bool))

    def order(values: np.ndarray, marks: np.ndarray, budget: int) -> list[int]:
        return play(task, Loop(diversity=0.5), lambda rows: (values[rows], marks[rows]), 0, budget).tolist()

    honest = order(labels, censored, 20)
    shuffle = np.random.default_rng(0).permutation(len(labels))
    first = order(labels[shuffle], censored[shuffle], 5) == honest[:5]
    false, marks = np.full(len(labels), 3.0), np.zeros(len(labels), dtype=bool)
    false[honest], marks[honest] = labels[honest], censored[honest]
    return first, order(false, marks, 20) == honest


def _copies(measurements: Sequence[Measurement]) -> dict[str, dict[str, int]]:
    found = {}
    for source in (Embedded, Liverpool, Laskowski, Conductivity1011):
        try:
            rows = source().load()
        except DataUnavailable:
            continue
        found[source.name] = {str(k): v for k, v in leak_counts(leaks(rows, measurements)).items()}
    return found
