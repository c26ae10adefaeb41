"""Relax an ordered version of a crystal with CHGNet and map the atoms back onto the asymmetric unit.

`python -m ionscout.datasets.embedded.refine li3ycl6` prints the energy that relaxing gains (a large gain
means that a coordinate is wrong) and the refined coordinates, which go into the facts file by hand under `refined`.
"""

import sys
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from pymatgen.analysis.ewald import EwaldSummation
from pymatgen.core import Structure

from ionscout.datasets.embedded.build import ORBIT_TOLERANCE, CrystalFacts, build_structure, load_facts, space_group

ORDERINGS = 60  # random orderings, of which the one with the lowest point-charge energy is relaxed
# Å; the shortest distance at which both of two partially occupied sites may be filled
LITHIUM_DISTANCE = 2.2
# Usual oxidation states; they only rank orderings, so a cell that is slightly charged after rounding does no harm.
OXIDATION: dict[str, float] = {
    **dict.fromkeys(("Li",), 1), **dict.fromkeys(("Ba", "Sr", "Zn"), 2),
    **dict.fromkeys(("Al", "Ga", "B", "La", "Y", "Er", "In", "Sc"), 3),
    **dict.fromkeys(("Ti", "Zr", "Hf", "Ge", "Si", "Sn", "C"), 4), **dict.fromkeys(("P", "Ta", "Nb"), 5),
    **dict.fromkeys(("O", "S"), -2), **dict.fromkeys(("F", "Cl", "Br", "I", "H"), -1), "N": -3,
}  # fmt: skip


@dataclass(frozen=True)
class Refinement:
    """What relaxing one ordered version tells.

    Attributes:
        energy_gain: eV/atom, from the published coordinates to the relaxed ones at fixed cell.
        cell: relaxed a, b, c (Å), alpha, beta, gamma; the stated one when it was held.
        coordinates: relaxed fractional coordinates of the asymmetric unit, by site label.
        shifts: distance of these from the stated ones, Å.
    """

    id: str
    energy_gain: float
    cell: tuple[float, ...]
    coordinates: dict[str, tuple[float, float, float]]
    shifts: dict[str, float]


def order(facts: CrystalFacts, seed: int = 0) -> tuple[Structure, list[int]]:
    """Fill the partly occupied sites of one cell with whole atoms; answers also which expanded site each atom is.

    Counts are rounded site by site, so the cell is close to the composition and need not equal it.
    """
    average = build_structure(facts)
    rng = np.random.default_rng(seed)
    best: tuple[float, Structure, list[int]] | None = None
    disordered = any(max(site.species.values()) < 1 - 1e-6 for site in average)
    for _ in range(ORDERINGS if disordered else 1):
        chosen = _draw(facts, average, rng)
        members = sorted(chosen)
        structure = Structure(average.lattice, [chosen[i] for i in members], [average[i].frac_coords for i in members])
        energy = 0.0
        if disordered:
            charged = structure.copy().add_oxidation_state_by_element(OXIDATION)
            energy = float(EwaldSummation(charged).total_energy)
        if best is None or energy < best[0]:
            best = (energy, structure, members)
    assert best is not None
    return best[1], best[2]


def refine(facts: CrystalFacts, *, free_cell: bool = False, steps: int = 200, seed: int = 0) -> Refinement:
    """Relax one ordered version and average the displacements over each orbit."""
    from chgnet.model import CHGNet, StructOptimizer  # heavy import, only needed here

    structure, members = order(facts, seed)
    model: Any = CHGNet.load(verbose=False, use_device="cpu")
    before = float(model.predict_structure(structure)["e"])
    result = StructOptimizer(model=model, use_device="cpu").relax(
        structure, relax_cell=free_cell, steps=steps, fmax=0.05, verbose=False
    )
    relaxed = cast(Structure, result["final_structure"])
    after = float(model.predict_structure(relaxed)["e"])
    displacement = relaxed.frac_coords - structure.frac_coords
    displacement -= np.round(displacement)
    by_member = dict(zip(members, displacement, strict=True))
    group = space_group(facts.spacegroup)
    lattice = structure.lattice
    coordinates, shifts, first = {}, {}, 0
    for site in facts.sites:
        own = np.add(site.xyz, facts.origin_shift)
        orbit = np.array(group.get_orbit(own, tol=ORBIT_TOLERANCE))
        pulled = []
        for op in group.symmetry_ops:
            apart = orbit - op.operate(own)
            member = first + int(np.abs(apart - np.round(apart)).max(axis=1).argmin())
            if member in by_member:
                pulled.append(np.linalg.solve(op.rotation_matrix, by_member[member]))
        shift = np.mean(pulled, axis=0) if pulled else np.zeros(3)
        new = np.add(site.xyz, shift)
        coordinates[site.label] = (float(new[0]), float(new[1]), float(new[2]))
        shifts[site.label] = float(np.linalg.norm(lattice.get_cartesian_coords(shift)))
        first += site.multiplicity
    return Refinement(facts.id, before - after, relaxed.lattice.parameters, coordinates, shifts)


def _draw(facts: CrystalFacts, average: Structure, rng: np.random.Generator) -> dict[int, str]:
    """One random filling: element by expanded site; crowded lithium sites are avoided where possible."""
    chosen: dict[int, str] = {}
    first, owed = 0, 0.0
    distances = average.distance_matrix
    for site in sorted(facts.sites, key=lambda s: -sum(s.species.values())):
        first = sum(s.multiplicity for s in facts.sites[: facts.sites.index(site)])
        free = [first + int(i) for i in rng.permutation(site.multiplicity)]
        full = abs(sum(site.species.values()) - 1) < 1e-6
        for k, (element, occupancy) in enumerate(sorted(site.species.items())):
            wanted = occupancy * site.multiplicity + (owed if element == "Li" else 0.0)
            count = len(free) if full and k == len(site.species) - 1 else min(len(free), round(wanted))
            if element == "Li":
                owed = wanted - count
            for _ in range(count):
                lithium = [i for i, el in chosen.items() if el == "Li"]
                room = [min((distances[i, j] for j in lithium), default=9.0) for i in free]
                pick = next((n for n, d in enumerate(room) if full or d > LITHIUM_DISTANCE), int(np.argmax(room)))
                chosen[free.pop(pick)] = element
    return chosen


def main(arguments: list[str]) -> None:
    """Refine the named crystals, or all; `--cell` frees the cell, which tests the published one."""
    wanted = {a for a in arguments if not a.startswith("-")}
    for crystal in load_facts():
        if wanted and crystal.id not in wanted:
            continue
        found = refine(crystal, free_cell="--cell" in arguments)
        print(f"{found.id}: relaxing gains {found.energy_gain:.3f} eV/atom")
        print("  cell " + " ".join(f"{x:.3f}" for x in found.cell))
        for label, xyz in found.coordinates.items():
            print(f"  {label:5s} {xyz[0]:8.4f} {xyz[1]:8.4f} {xyz[2]:8.4f}   moved {found.shifts[label]:.2f} Å")


if __name__ == "__main__":
    main(sys.argv[1:])
