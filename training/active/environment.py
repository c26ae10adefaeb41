"""The surroundings of a crystallographic site: coordination number, bonds, bond-valence sum of any ion put there."""

from dataclasses import dataclass

import numpy as np
from pymatgen.core import Structure

from ionscout.training.active.ions import Ion, bond_valence, tabulated_radii

SEARCH = 4.5  # Å: beyond any first shell of a cation or anion (Cs–I 3.95)
# Ions at less than this from a site cannot be there together with it: split positions of one atom.
SPLIT = 1.4  # Å; the shortest bonds of framework ions are B–O 1.36, P–O 1.5, and here only partial occupancies count
USUAL_COORDINATION = {"Li": 4, "P": 4, "Si": 4, "B": 3, "Al": 6, "Ge": 4, "C": 3, "S": 4}


@dataclass(frozen=True)
class Environment:
    """What surrounds one site.

    Attributes:
        coordination: effective coordination number after Hoppe (neighbours of opposite charge, occupancy counted).
        bond_length: their weighted mean distance, Å; nan without a structure.
        neighbours: (element, distance in Å, occupancy) of each neighbour of opposite charge.
    """

    coordination: float
    bond_length: float
    neighbours: tuple[tuple[str, float, float], ...]

    @property
    def ligands(self) -> dict[str, float]:
        """Share of each element among the neighbours."""
        total: dict[str, float] = {}
        for symbol, distance, occupancy in self.neighbours:
            if not distance > 1.3 * self.bond_length:
                total[symbol] = total.get(symbol, 0.0) + occupancy
        whole = sum(total.values()) or 1.0
        return {symbol: n / whole for symbol, n in total.items()}

    def bond_valence_sum(self, symbol: str) -> float | None:
        """Bond-valence sum that an element would have here without relaxation; None without neighbours."""
        if not self.neighbours or np.isnan(self.bond_length):
            return None
        return sum(n * bond_valence(symbol, other, d) for other, d, n in self.neighbours)


def environment(structure: Structure, site: int, states: dict[str, float]) -> Environment:
    """Environment of a site in an average structure.

    Whether a site is a cation's or an anion's is decided by the mean charge of what occupies it.

    Source of the effective coordination number: R. Hoppe, Z. Kristallogr. 150, 23 (1979).
    """
    own = sum(states[e.symbol] * x for e, x in structure[site].species.items())
    found = []
    for neighbour in structure.get_neighbors(structure[site], SEARCH):
        for element, occupancy in neighbour.species.items():
            opposite = states[element.symbol] * own < 0
            if opposite and not (occupancy < 0.99 and neighbour.nn_distance < SPLIT):
                found.append((element.symbol, float(neighbour.nn_distance), float(occupancy)))
    if not found:
        return Environment(0.0, float("nan"), ())
    distances = np.array([d for _, d, _ in found])
    occupancies = np.array([n for _, _, n in found])
    # Weighted mean distance, iterated to self-consistency; 1 and 6 are Hoppe's constants.
    mean = float(distances.min())
    for _ in range(20):
        weight = occupancies * np.exp(1 - (distances / mean) ** 6)
        new = float((weight * distances).sum() / weight.sum())
        if abs(new - mean) < 1e-4:
            break
        mean = new
    weight = occupancies * np.exp(1 - (distances / mean) ** 6)
    return Environment(float(weight.sum()), mean, tuple(sorted(found, key=lambda entry: entry[1])))


def usual_environment(ion: Ion, states: dict[str, float]) -> Environment:
    """A stand-in where no structure is known: the coordination number at which Shannon lists the ion most usually."""
    known = tabulated_radii(ion)
    usual = USUAL_COORDINATION.get(ion.symbol)
    if usual is None:
        usual = 6 if 6 in known or not known else min(known, key=lambda n: abs(n - 6))
    partners = [s for s, q in states.items() if q * ion.charge < 0]
    neighbours = tuple((s, float("nan"), usual / len(partners)) for s in partners)
    return Environment(float(usual), float("nan"), neighbours)
