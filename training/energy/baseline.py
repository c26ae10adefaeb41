"""The baseline of the energy GNN: a random forest on statistics of elemental properties (as in Magpie)."""

from functools import lru_cache

import numpy as np
from pymatgen.core import Element
from sklearn.ensemble import RandomForestRegressor

from ionscout.datasets.composition import HEAVIEST

_PROPERTIES = ("Z", "row", "group", "X", "atomic_mass", "atomic_radius", "mendeleev_no", "melting_point")
_TREES = 20  # enough for a baseline; more cost minutes on 87,000 rows
_SPLIT_SHARE = 1 / 3  # of the features looked at in each split, the usual choice for regression


def composition_statistics(z: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """Weighted mean, weighted deviation, least, largest and range of each elemental property.

    Args:
        z: atomic numbers padded with 0, [n, k].
        fraction: atomic fractions padded with 0, [n, k].

    Returns:
        [n, 5 · n_properties + 3]; the last three are the number of elements and the 2- and 3-norms of the fractions.
    """
    values = _elements()[z]  # [n, k, n_properties]
    present, weight = (z > 0)[..., None], fraction[..., None]
    mean = (weight * values).sum(1)
    deviation = (weight * np.abs(values - mean[:, None])).sum(1)
    low = np.where(present, values, np.inf).min(1)
    high = np.where(present, values, -np.inf).max(1)
    norms = [(fraction**p).sum(1) ** (1 / p) for p in (2, 3)]
    return np.column_stack([mean, deviation, low, high, high - low, (z > 0).sum(1), *norms]).astype(np.float32)


def fit_forest(features: np.ndarray, target: np.ndarray, seed: int = 0) -> RandomForestRegressor:
    """Fit the forest on one core; `target` may have several columns."""
    forest = RandomForestRegressor(_TREES, max_features=_SPLIT_SHARE, random_state=seed, n_jobs=1)
    return forest.fit(features, target)


@lru_cache
def _elements() -> np.ndarray:
    """Elemental properties by atomic number, missing ones at the mean, [95, n_properties]."""
    table = np.full((HEAVIEST + 1, len(_PROPERTIES) + 5), np.nan)
    for z in range(1, HEAVIEST + 1):
        element = Element.from_Z(z)
        shells = dict.fromkeys("spdf", 0)
        for n, kind, count in element.full_electronic_structure[-4:]:
            shells[kind] += count if n >= element.row - 2 else 0
        numbers = [getattr(element, name, None) for name in _PROPERTIES]
        table[z] = [np.nan if x is None else float(x) for x in numbers] + [
            float(element.ionization_energies[0] or np.nan) if element.ionization_energies else np.nan,
            *shells.values(),
        ]
    return np.where(np.isfinite(table), table, np.nanmean(table[1:], axis=0))
