"""Defect energies from the interatomic potential: one dopant with its compensation in a small ordered cell.

    host + MA(q/a) → host[M on X, lithium adjusted] + XA(x/a) + (q − x) LiA(1/a)

All terms come from one potential, so that no two energy scales meet. One ordered arrangement of lithium is taken, with
the compensation next to the dopant: differences below some 0.3 eV per dopant mean nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pymatgen.core import Element, Structure

from ionscout.datasets.hulls import Hull
from ionscout.models.potential.base import Potential
from ionscout.training.active.host import LITHIUM, Host
from ionscout.training.active.ions import Ion, anion_state
from ionscout.training.active.lithium_sites import LITHIUM_CONTACT
from ionscout.training.active.reservoirs import Reservoirs
from ionscout.training.active.sites import Placement, placements
from ionscout.training.active.states import main_anion
from ionscout.training.active.supercell import OrderedCell, ordered_cell

STEPS, FORCE = 80, 0.1  # of a relaxation; 100 atoms take about half a second a step on one core
COMPARED = 2.0  # eV above the best fast energy up to which a site is worth a relaxation

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class DefectEnergy:
    """One ion on one kind of site.

    Attributes:
        placement: with the fast energy.
        relative: eV per dopant above the ion's best site by the potential; None where a reservoir is missing.
        reaction: eV per dopant of the whole reaction, None where the dopant's own salt has no prototype.
        atoms: in the cell. converged: whether all forces fell below `FORCE`.
        potential: name and version.
    """

    placement: Placement
    relative: float | None
    reaction: float | None
    atoms: int
    converged: bool
    potential: str


def defect_energies(
    host: Host,
    ion: Ion,
    reservoirs: Reservoirs,
    hull: Hull | None = None,
    *,
    seed: int = 0,
    steps: int = STEPS,
    progress: Progress = lambda done, total: None,
) -> list[DefectEnergy]:
    """Energies of a cation on every plausible sub-lattice, best first by the potential that the reservoirs carry.

    Raises:
        InvalidInput: the host has no structure, or its lithium cannot be arranged.
    """
    potential = reservoirs.potential
    ranked = [p for p in placements([ion], host, hull) if not p.ion.is_anion]
    ranked = [p for p in ranked if p.energy <= ranked[0].energy + COMPARED]
    cell = ordered_cell(host, seed)
    progress(0, len(ranked) + 1)
    base = potential.relax(cell.structure, force=FORCE, steps=steps)
    own = base.energy * len(cell.structure)
    progress(1, len(ranked) + 1)
    anion = anion_state(main_anion((e.symbol, n) for e, n in host.composition.items())) or Ion("O", -2)
    salt = reservoirs.energy(Ion(LITHIUM, 1), anion)
    dopant = reservoirs.energy(ion, anion)
    found = []
    relaxed = OrderedCell(base.structure, cell.origin, cell.empty)
    for number, placed in enumerate(ranked, start=2):
        doped = _doped(relaxed, host, placed)
        replaced = reservoirs.energy(placed.host_ion, anion)
        if doped is None or salt is None or replaced is None:
            found.append(_result(placed, None, 0, False, potential))
        else:
            end = potential.relax(doped, force=FORCE, steps=steps)
            change = placed.charge_difference
            energy = end.energy * len(doped) - own + replaced + change * salt
            found.append(_result(placed, energy, len(doped), end.converged, potential))
        progress(number, len(ranked) + 1)
    return _compared(found, dopant)


def _result(placed: Placement, energy: float | None, atoms: int, converged: bool, potential: Potential) -> DefectEnergy:
    return DefectEnergy(placed, energy, None, atoms, converged, f"{potential.name} {potential.version}")


def _compared(found: Sequence[DefectEnergy], dopant: float | None) -> list[DefectEnergy]:
    """From raw energies (which still lack the dopant's salt) to energies relative to the best site."""
    lowest = min((f.relative for f in found if f.relative is not None), default=0.0)
    results = [
        replace(
            f,
            relative=None if f.relative is None else f.relative - lowest,
            reaction=None if f.relative is None or dopant is None else f.relative - dopant,
        )
        for f in found
    ]
    return sorted(results, key=lambda f: (f.relative is None, f.relative or 0.0))


def _doped(cell: OrderedCell, host: Host, placed: Placement) -> Structure | None:
    """The cell with one dopant and its lithium vacancies or interstitials nearest to it; None where none fits."""
    sites = {i for k in placed.orbits[:1] for i in host.sublattice(placed.host_ion.symbol).orbits[k].sites}
    structure = cell.structure.copy()
    targets = [n for n, site in enumerate(structure) if site.specie.symbol == placed.host_ion.symbol]
    on_orbit = [n for n in targets if cell.origin[n] in sites] or targets
    if not on_orbit:
        return None
    target = on_orbit[0]
    structure.replace(target, Element(placed.ion.symbol))
    change = round(placed.charge_difference)
    centre = structure[target].frac_coords
    if change > 0:
        lithium = [n for n, site in enumerate(structure) if site.specie.symbol == LITHIUM]
        distance = structure.lattice.get_all_distances(centre, structure.frac_coords[lithium])[0]
        structure.remove_sites([lithium[k] for k in np.argsort(distance, kind="stable")[:change]])
        return structure
    for _ in range(-change):
        place = _free_place(structure, cell.empty, centre)
        if place is None:
            return None
        structure.append(Element(LITHIUM), place)
    return structure


def _free_place(structure: Structure, empty: np.ndarray, centre: np.ndarray) -> np.ndarray | None:
    """The free lithium site nearest to a dopant that is far enough from the lithium that is there.

    In a crowded cell none keeps the usual distance: then the roomiest, from which the relaxation pushes others away.
    """
    if not len(empty):
        return None
    lithium = np.array([site.frac_coords for site in structure if site.specie.symbol == LITHIUM])
    room = structure.lattice.get_all_distances(empty, lithium).min(1)
    near = structure.lattice.get_all_distances(empty, centre[None])[:, 0]
    free = np.flatnonzero(room >= LITHIUM_CONTACT)
    return empty[free[near[free].argmin()]] if len(free) else empty[room.argmax()]
