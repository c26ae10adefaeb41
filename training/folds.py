"""Splits that do not flatter: rows of one publication stay together, and repeats of a composition are counted."""

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import GroupKFold

from ionscout.datasets.errors import BadData
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.repeats import fraction_matrix

SAME_COMPOSITION = 0.01  # atomic fractions within this are one composition: the accuracy of a chemical analysis


def publications(measurements: Sequence[Measurement]) -> np.ndarray:
    """Group number of each row [n]: rows of one DOI share it; rows without DOI are grouped by formula."""
    numbers: dict[str, int] = {}
    keys = [m.doi or m.formula for m in measurements]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys])


def grouped_folds(groups: np.ndarray, folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(training, test) row numbers of each fold; no group is on both sides.

    Raises:
        BadData: when there are fewer groups than folds.
    """
    if len(np.unique(groups)) < folds:
        raise BadData(f"{len(np.unique(groups))} publications are too few for {folds} folds; bring more data.")
    splitter = GroupKFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(groups, groups=groups))


def seen(queries: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Whether each query composition [q, 95] occurs in the reference [n, 95], fraction by fraction within 0.01."""
    if not len(reference):
        return np.zeros(len(queries), dtype=bool)
    return np.array([(np.abs(reference - query).max(1) < SAME_COMPOSITION).any() for query in queries])


def without_overlap(extra: Sequence[Measurement], held_out: Sequence[Measurement]) -> list[Measurement]:
    """Those of `extra` that share neither publication nor composition with the held-out rows."""
    if not extra:
        return []
    dois = {m.doi for m in held_out if m.doi}
    repeated = seen(fraction_matrix(extra), fraction_matrix(held_out))
    return [m for m, known in zip(extra, repeated, strict=True) if not known and m.doi not in dois]
