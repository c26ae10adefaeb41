"""Invented hulls: round numbers and random ones, so that nothing here needs data that are not in the repository."""

import numpy as np
from hypothesis import strategies as st

from ionscout.datasets.hulls.base import TableHull

# Invented formation energies (eV/atom) of roughly the right size; no data base's values.
TOY = {
    "Li2O": -2.0,
    "Li2O2": -1.6,
    "Li2S": -1.4,
    "Li3P": -0.8,
    "LiP": -0.5,
    "P2S5": -0.5,
    "Li3PS4": -1.1,
    "P2O5": -2.3,
    "Li3PO4": -2.7,
    "LiPO3": -2.5,
    "CoO": -1.2,
    "Co3O4": -1.25,
    "LiCoO2": -1.75,
    "CoO2": -1.05,
    "CoS": -0.5,
    "Li2SO4": -2.15,
    "LiCl": -2.1,
    "Al2O3": -3.3,
    "LiAlO2": -3.0,
    "Li6PS5Cl": -1.15,  # above its equilibrium products, like the real one
}


def toy_hull() -> TableHull:
    return TableHull("toy", "1", "invented", list(TOY), list(TOY.values()), "test")


@st.composite
def random_hulls(draw: st.DrawFn, elements: str = "Li O P S", most: int = 14) -> TableHull:
    """Random compounds of a few elements with random energies; all elements are on it at 0."""
    symbols = elements.split()
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    formulas, energies = [*symbols], [0.0] * len(symbols)
    for _ in range(draw(st.integers(1, most))):
        chosen = generator.choice(symbols, size=generator.integers(2, len(symbols) + 1), replace=False)
        formulas.append("".join(f"{symbol}{generator.integers(1, 6)}" for symbol in chosen))
        energies.append(float(generator.uniform(-3, 0.3)))
    return TableHull("random", str(seed), "invented", formulas, energies, "test")


def compositions(elements: str = "Li O P S") -> st.SearchStrategy[dict[str, float]]:
    """Amounts of at least two elements, whole or fractional."""
    amount = st.one_of(st.integers(1, 8).map(float), st.floats(0.1, 8.0).map(lambda x: round(x, 3)))
    return st.dictionaries(st.sampled_from(elements.split()), amount, min_size=2)
