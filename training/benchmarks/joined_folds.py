"""All tables as one list, split as a whole: what a fold may learn, and what it is asked."""

from collections.abc import Iterator, Sequence

import numpy as np

from ionscout.datasets.sources.base import Measurement
from ionscout.training.baselines import RandomForest
from ionscout.training.benchmarks.series import NEAR_ROOM
from ionscout.training.conductivity import TrainingData, independent_rows
from ionscout.training.config import ConductivityConfig
from ionscout.training.examples import Examples, make_examples
from ionscout.training.folds import grouped_folds

SEED = 0  # of the folds, and of the forest


def joined(data: TrainingData, config: ConductivityConfig) -> tuple[Examples, dict[str, str]]:
    """Every row of every table, and what a report says of them and of their folds."""
    examples = make_examples([*data.main, *data.extra], config.network.cutoff)
    split = f"{config.folds} folds of {len(examples)} rows grouped by publication, fold seed {SEED}"
    return examples, {"split": split, "tables": data.description}


def joined_folds(examples: Examples, groups: np.ndarray, folds: int) -> Iterator[tuple[Examples, np.ndarray]]:
    """For each fold, the rows that may train it and the numbers of those that it holds out.

    Rows that share composition, publication or value with a held-out one train nothing, whichever table they are of.

    Args:
        groups: number of the group of each row [n]; groups are held out whole.

    Raises:
        BadData: when there are fewer groups than folds.
    """
    for train, test in grouped_folds(groups, folds, SEED):
        yield independent_rows(examples.rows(train), examples.rows(test)), test


def near_room(rows: Sequence[Measurement]) -> list[Measurement]:
    """Those with a conductivity near 298 K: the published forest knows no temperature and learns from these alone."""
    low, high = NEAR_ROOM
    return [m for m in rows if low <= m.temperature_K <= high and np.isfinite(m.log10_conductivity)]


def forest(training: Sequence[Measurement], test: Sequence[Measurement]) -> np.ndarray:
    """log10 σ near 298 K of the test rows [k] by the published forest."""
    return RandomForest(SEED).fit_predict(near_room(training), list(test))
