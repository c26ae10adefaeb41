"""Which measurements are one and the same: rows copied from table to table, and rows that contradict each other."""

from collections.abc import Sequence

import numpy as np

from ionscout.datasets.composition import atomic_fractions
from ionscout.datasets.sources.base import Measurement

SAME_FORMULA = 0.002  # atomic fractions: rounding in print. Neighbours in a series differ by 0.003 or more.
SAME_TEMPERATURE = 5.0  # K
SAME_VALUE = float(np.log10(1.02))  # decades: 2 %, the rounding of a printed conductivity
CONTRADICTION = 2.0  # decades


def fraction_matrix(measurements: Sequence[Measurement]) -> np.ndarray:
    """Atomic fractions [n, 95]."""
    if not measurements:
        return np.zeros((0, 95))
    return np.stack([atomic_fractions(m.composition) for m in measurements])


def conductivities(measurements: Sequence[Measurement]) -> np.ndarray:
    """log10(σ / S cm⁻¹) [n], NaN in rows that have only an activation energy."""
    return np.array([m.log10_conductivity for m in measurements], dtype=float)


def temperatures(measurements: Sequence[Measurement]) -> np.ndarray:
    """Temperatures in K [n]."""
    return np.array([m.temperature_K for m in measurements], dtype=float)


def publication(m: Measurement) -> str:
    """DOI, else reference key, else empty."""
    return m.doi or m.reference


def copies(
    rows: Sequence[Measurement], others: Sequence[Measurement], tolerance: float = SAME_FORMULA
) -> list[tuple[int, int]]:
    """(row, other) numbers of pairs with the same composition, temperature within 5 K and value within 2 %."""
    pairs: list[tuple[int, int]] = []
    if not rows or not others:
        return pairs
    reference, values, kelvins = fraction_matrix(others), conductivities(others), temperatures(others)
    for i, (row, fractions) in enumerate(zip(rows, fraction_matrix(rows), strict=True)):
        near = np.abs(kelvins - row.temperature_K) <= SAME_TEMPERATURE
        near &= np.abs(values - row.log10_conductivity) <= SAME_VALUE  # false for NaN
        near &= np.abs(reference - fractions).max(1) <= tolerance
        pairs += [(i, int(j)) for j in np.flatnonzero(near)]
    return pairs


def repeated(rows: Sequence[Measurement]) -> list[tuple[int, int]]:
    """(later, earlier) numbers of rows that are copies within one table; each later row once."""
    found: dict[int, int] = {}
    for later, earlier in copies(rows, rows):
        if earlier < later:
            found.setdefault(later, earlier)
    return sorted(found.items())


def contradictory(rows: Sequence[Measurement]) -> list[tuple[int, int]]:
    """(earlier, later) numbers of one composition and temperature whose values differ by 2 decades or more.

    Polymorphs of one formula are among them, as a table without structures cannot tell them apart. Pairs in which
    an upper bound lies above the other value do not contradict each other.
    """
    fractions, values, kelvins = fraction_matrix(rows), conductivities(rows), temperatures(rows)
    bound = np.array([m.censored for m in rows], dtype=bool)
    pairs = []
    for i in range(len(rows)):
        apart = values[i + 1 :] - values[i]
        clash = np.abs(apart) >= CONTRADICTION
        clash &= np.abs(kelvins[i + 1 :] - kelvins[i]) <= SAME_TEMPERATURE
        clash &= np.abs(fractions[i + 1 :] - fractions[i]).max(1, initial=0.0) <= SAME_FORMULA
        clash &= ~(bound[i] & (apart < 0)) & ~(bound[i + 1 :] & (apart > 0))
        pairs += [(i, i + 1 + int(j)) for j in np.flatnonzero(clash)]
    return pairs
