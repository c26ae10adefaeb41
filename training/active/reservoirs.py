"""Reservoirs of defect reactions: the simple salt of a cation and the host's anion, relaxed with the same potential."""

from collections.abc import Iterator

import numpy as np
from pymatgen.core import Lattice, Structure

from ionscout.datasets.sources.embedded import cif_text
from ionscout.datasets.structure import parse_material
from ionscout.models.potential.base import Potential
from ionscout.training.active.ions import Ion, bond_length

STEPS, FORCE = 150, 0.08  # of a relaxation; the cells are small
# Lithium salts that ship as ordered crystals, for charges that have no simple prototype: (lithium, crystal).
TERNARY = {
    ("P", "O"): (3, "li3po4_gamma"),
    ("P", "S"): (3, "li3ps4_gamma"),
    ("Nb", "O"): (1, "linbo3"),
    ("Ta", "O"): (1, "litao3"),
}


class Reservoirs:
    """Energies of salts by one potential, each computed once."""

    def __init__(self, potential: Potential) -> None:
        self.potential = potential
        self._known: dict[tuple[Ion, Ion], float | None] = {}

    def energy(self, ion: Ion, anion: Ion) -> float | None:
        """Energy in eV of the neutral salt with one `ion`, the lowest of its prototypes; None where there is none.

        Polymorphs differ by up to 0.1 eV per cation, which is what these energies are good for.
        """
        if (ion, anion) not in self._known:
            self._known[ion, anion] = self._energy(ion, anion)
        return self._known[ion, anion]

    def _energy(self, ion: Ion, anion: Ion) -> float | None:
        if (known := TERNARY.get((ion.symbol, anion.symbol))) is not None:
            lithium, name = known
            crystal = parse_material(cif_text(name), "cif").structure
            salt = self.energy(Ion("Li", 1), anion)
            if crystal is None or salt is None or not crystal.is_ordered:
                return None
            return self._of_one(crystal, ion.symbol) - lithium * salt
        return min((self._of_one(structure, ion.symbol) for structure in prototypes(ion, anion)), default=None)

    def _of_one(self, structure: Structure, symbol: str) -> float:
        """Relaxed energy per atom of one element."""
        found = self.potential.relax(structure, force=FORCE, steps=STEPS)
        return float(found.energy * len(structure) / structure.composition[symbol])


def prototypes(ion: Ion, anion: Ion) -> Iterator[Structure]:
    """Simple structures of the salt, with bonds of the length that the valences ask for."""
    q, a = round(ion.charge), -round(anion.charge)
    length = bond_length(ion.symbol, anion.symbol)
    if length is None:
        return
    cation, other = ion.symbol, anion.symbol
    bond = length - 0.37 * np.log(q / (8 if q == 1 else 6))
    if q == a:
        yield Structure.from_spacegroup("Fm-3m", Lattice.cubic(2 * bond), [cation, other], [[0, 0, 0], [0.5, 0.5, 0.5]])
    elif a == 2 * q:
        cube = Lattice.cubic(4 * bond / np.sqrt(3))
        yield Structure.from_spacegroup("Fm-3m", cube, [other, cation], [[0, 0, 0], [0.25] * 3])
    elif q == 2 * a:
        cube = Lattice.cubic(4 * bond / np.sqrt(3))
        yield Structure.from_spacegroup("Fm-3m", cube, [cation, other], [[0, 0, 0], [0.25] * 3])
        tetragonal = Lattice.tetragonal(2.32 * bond, 1.5 * bond)
        yield Structure.from_spacegroup("P4_2/mnm", tetragonal, [cation, other], [[0, 0, 0], [0.305, 0.305, 0]])
        layers = Lattice.hexagonal(1.42 * bond, 2.3 * bond)
        yield Structure.from_spacegroup("P-3m1", layers, [cation, other], [[0, 0, 0], [1 / 3, 2 / 3, 0.25]])
    elif (q, a) == (3, 2):
        sheets = Lattice.hexagonal(1.6 * bond, 2.49 * bond)
        sites = [[1 / 3, 2 / 3, 0.246], [0.0, 0.0, 0.0], [1 / 3, 2 / 3, 0.647]]
        yield Structure.from_spacegroup("P-3m1", sheets, [cation, other, other], sites)
        corundum = Lattice.hexagonal(2.47 * bond, 6.74 * bond)
        yield Structure.from_spacegroup("R-3c", corundum, [cation, other], [[0, 0, 0.352], [0.306, 0, 0.25]])
    elif (q, a) == (3, 1):
        trihalide = Lattice.hexagonal(2.45 * bond, 7.2 * bond)
        yield Structure.from_spacegroup("R-3", trihalide, [cation, other], [[0, 0, 0.333], [0.333, 0, 0.083]])
