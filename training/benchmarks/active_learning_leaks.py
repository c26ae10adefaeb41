"""Whether anything of the pool's labels reached a strategy before it measured them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ionscout.datasets.errors import DataUnavailable
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.conductivity_1011 import Conductivity1011
from ionscout.datasets.sources.embedded import Embedded
from ionscout.datasets.sources.laskowski import Laskowski
from ionscout.datasets.sources.liverpool import Liverpool
from ionscout.training.benchmarks.active_learning_loop import BATCH, Table, Task, play
from ionscout.training.benchmarks.active_learning_strategies import Loop
from ionscout.training.leaks import leak_counts, leaks

LOOKED_AT = 20  # measurements of the campaigns that are played again with false labels: four batches
FALSE_LABEL = 3.0  # log10(σ / S cm⁻¹), so high that a strategy which saw it would follow it


@dataclass(frozen=True)
class LeakCheck:
    """What was checked, in this run.

    Attributes:
        first_batch_ignores_labels: with all labels shuffled before prior, kernels and descriptors are made, the first
            cold batch is the same.
        unmeasured_ignored: with the labels of all rows falsified that a cold campaign did not measure, also those that
            the table is made from, the campaign is the same.
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


def leak_check(
    measurements: Sequence[Measurement],
    pools: dict[str, np.ndarray],
    known: dict[str, np.ndarray],
    make_table: Callable[[Sequence[Measurement]], Table] = Table,
) -> LeakCheck:
    """Check the tasks of one benchmark.

    Args:
        pools: rows that can be chosen, by task; `cold` is all of them.
        known: rows whose labels are given beforehand, by task.
        make_table: what turns materials into what strategies see.
    """
    removed, remaining = {}, len(known["cold"])  # cold means none
    for name, rows in pools.items():
        if name == "cold":
            continue
        pool = [measurements[i] for i in rows]
        others = np.setdiff1d(np.arange(len(measurements)), rows)
        removed[name] = {str(k): v for k, v in leak_counts(leaks([measurements[i] for i in others], pool)).items()}
        remaining += len(leaks([measurements[i] for i in known[name]], pool)) + len(np.intersect1d(known[name], rows))
    first, rest = _label_blind(measurements, make_table)
    return LeakCheck(first, rest, removed, remaining, _copies(measurements))


def _label_blind(
    measurements: Sequence[Measurement], make_table: Callable[[Sequence[Measurement]], Table]
) -> tuple[bool, bool]:
    labels = np.array([m.log10_conductivity for m in measurements])
    censored = np.array([m.censored for m in measurements])

    def order(values: np.ndarray, marks: np.ndarray, budget: int) -> list[int]:
        relabelled = [
            replace(m, log10_conductivity=float(value), censored=bool(mark))
            for m, value, mark in zip(measurements, values, marks, strict=True)
        ]
        nothing = np.empty(0)
        pool = np.arange(len(measurements))
        task = Task(make_table(relabelled), pool, nothing.astype(int), nothing, nothing.astype(bool))
        return play(task, Loop(diversity=0.5), lambda rows: (values[rows], marks[rows]), 0, budget).tolist()

    honest = order(labels, censored, LOOKED_AT)
    shuffle = np.random.default_rng(0).permutation(len(labels))
    first = order(labels[shuffle], censored[shuffle], BATCH) == honest[:BATCH]
    false, marks = np.full(len(labels), FALSE_LABEL), np.zeros(len(labels), dtype=bool)
    false[honest], marks[honest] = labels[honest], censored[honest]
    return first, order(false, marks, LOOKED_AT) == honest


def _copies(measurements: Sequence[Measurement]) -> dict[str, dict[str, int]]:
    found = {}
    for source in (Embedded, Liverpool, Laskowski, Conductivity1011):
        try:
            rows = source().load()
        except DataUnavailable:
            continue
        found[source.name] = {str(k): v for k, v in leak_counts(leaks(rows, measurements)).items()}
    return found
