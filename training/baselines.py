"""What the field compares with: a median, and the random forest of the OBELiX paper, fitted anew in every run."""

from collections.abc import Sequence

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from ionscout.datasets.composition import HEAVIEST
from ionscout.datasets.sources.base import Measurement
from ionscout.models.uncertainty import conformal_factor, nonconformity
from ionscout.training.evaluate import UNMEASURABLE
from ionscout.training.folds import grouped_folds, publications


def published_features(measurements: Sequence[Measurement]) -> np.ndarray:
    """Element counts of the formula, space group number and the six lattice parameters, [n, 102].

    Source: Therrien et al., Digital Discovery 2026, doi 10.1039/D5DD00441A. A row without cell has NaN there, which the
    forest sorts as a value of its own.
    """
    counts = np.zeros((len(measurements), HEAVIEST + 1))
    for row, m in zip(counts, measurements, strict=True):
        for element, amount in m.composition.items():
            row[element.Z] = amount
    unknown = [np.nan] * 7
    cells = [unknown if m.cell is None else [m.cell.space_group, *m.cell.lattice] for m in measurements]
    return np.hstack([counts, cells])


class RandomForest:
    """50 trees, depth 36, square root of the features at a split, on labels of protocol P: as published."""

    def __init__(self, seed: int = 0):
        self.seed = seed

    def fit_predict(self, training: Sequence[Measurement], test: Sequence[Measurement]) -> np.ndarray:
        """Fit on one set, return log10 σ of the other, [n]."""
        forest = RandomForestRegressor(50, max_depth=36, max_features="sqrt", random_state=self.seed)
        return forest.fit(published_features(training), _labels(training)).predict(published_features(test))


class Median:
    """The median of the training labels, whatever the material."""

    def fit_predict(self, training: Sequence[Measurement], test: Sequence[Measurement]) -> np.ndarray:
        return np.full(len(test), np.median(_labels(training)))


def out_of_fold(model: RandomForest | Median, measurements: Sequence[Measurement], folds: int, seed: int) -> np.ndarray:
    """Predictions [n] over the same grouped folds as the champion's."""
    prediction = np.zeros(len(measurements))
    for train, test in grouped_folds(publications(measurements), folds, seed):
        prediction[test] = model.fit_predict([measurements[i] for i in train], [measurements[i] for i in test])
    return prediction


def constant_half_width(prediction: np.ndarray, measurements: Sequence[Measurement]) -> float:
    """Half-width of the split-conformal 90 % interval of one width for all, from out-of-fold predictions."""
    label = np.array([m.log10_conductivity for m in measurements])
    censored = np.array([m.censored for m in measurements])
    return conformal_factor(nonconformity(prediction, np.ones(len(label)), label, censored))


def _labels(measurements: Sequence[Measurement]) -> np.ndarray:
    return np.array([UNMEASURABLE if m.censored else m.log10_conductivity for m in measurements])
