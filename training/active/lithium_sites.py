"""Room for lithium: how much the lithium sites of a crystal can hold, and which empty interstices could take more.

Two sites closer than `LITHIUM_CONTACT` cannot both be occupied. The largest number of lithium ions that fit into the
primitive cell under this rule is a small integer program.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from pymatgen.core import PeriodicSite, Structure
from scipy.optimize import Bounds, LinearConstraint, milp

from ionscout.training.active.ions import BOND_VALENCE_SOFTNESS, bond_length

LITHIUM = "Li"
# Å between two lithium ions at the same time: the shortest contacts in refined conductors are 2.3 to 2.4 (garnets;
# the doublets of argyrodites, 1.9, are never both filled). 2.2 leaves room for average positions that are off by 0.1.
LITHIUM_CONTACT = 2.2
# Å to framework cations: face-sharing octahedra and tetrahedra have 2.5 to 2.6 (Li–Ti in LATP), nothing known has less.
CATION_CONTACT = 2.45
SPLIT = 1.0  # Å from a site that lithium holds already; closer interstices are the same place
SEARCH = 5.0  # Å; a bond of lithium at this distance has a valence below 0.001
GRID = 0.4  # Å between trial points, so that some point lies within 0.35 of every place
# Valence units by which the bond-valence sum of lithium may miss 1 at an interstice; sites that lithium occupies in
# fast conductors reach 0.3 in average structures.
MISFIT = 0.3
NO_STRUCTURE_ROOM = 0.1  # share of the lithium that may be added where no structure tells
PATIENCE = 2.0  # s for the integer program; what is found by then is a lower bound of the room


@dataclass(frozen=True)
class LithiumRoom:
    """Lithium sites of a host.

    Attributes:
        capacity: most lithium per formula unit that fits on occupied sites and interstices together.
        own_capacity: on the sites that hold lithium already.
        interstices: fractional coordinates of the empty ones, [n, 3].
    """

    capacity: float
    own_capacity: float
    interstices: np.ndarray

    def filling(self, lithium: float) -> float:
        """Share of the room that an amount of lithium per formula unit takes, 0 … 1."""
        return min(lithium / self.capacity, 1.0)


def lithium_room(structure: Structure | None, units: float, lithium: float, states: dict[str, float]) -> LithiumRoom:
    """Measure the room for lithium in an average structure with `units` formula units in its cell."""
    if structure is None:
        most = lithium * (1 + NO_STRUCTURE_ROOM)
        return LithiumRoom(most, lithium, np.zeros((0, 3)))
    own = np.array([site.frac_coords for site in structure if site.species[LITHIUM] > 0]).reshape(-1, 3)
    free = np.array([1 - sum(x for e, x in site.species.items() if e.symbol != LITHIUM)
                     for site in structure if site.species[LITHIUM] > 0])  # fmt: skip
    empty = _interstices(structure, own, states)
    held = _largest_content(structure, own, free) / units
    both = np.vstack([own, empty])
    total = _largest_content(structure, both, np.concatenate([free, np.ones(len(empty))])) / units
    return LithiumRoom(max(total, lithium), max(held, min(lithium, total)), empty)


def _largest_content(structure: Structure, points: np.ndarray, free: np.ndarray) -> float:
    """The largest number of lithium ions on sites of which close pairs exclude each other."""
    if not len(points):
        return 0.0
    distance = structure.lattice.get_all_distances(points, points)
    first, second = np.nonzero(np.triu(distance < LITHIUM_CONTACT, 1))
    if not len(first):
        return float(free.sum())
    pairs = np.zeros((len(first), len(points)))
    pairs[np.arange(len(first)), first] = pairs[np.arange(len(first)), second] = 1
    solved = milp(
        -np.ones(len(points)),
        constraints=LinearConstraint(pairs, ub=np.ones(len(first))),
        integrality=np.where(free > 0.999, 1, 0),
        bounds=Bounds(0, np.clip(free, 0, 1)),
        options={"time_limit": PATIENCE, "mip_rel_gap": 0.01},
    )
    return float(-solved.fun) if solved.x is not None else 0.0


def _interstices(structure: Structure, own: np.ndarray, states: dict[str, float]) -> np.ndarray:
    """Empty places at which lithium would have a fitting bond-valence sum, not too near to a framework cation."""
    lattice = structure.lattice
    counts = [max(2, int(np.ceil(length / GRID))) for length in lattice.abc]
    grid = np.stack(np.meshgrid(*[np.arange(n) / n for n in counts], indexing="ij"), -1).reshape(-1, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trial = [PeriodicSite(LITHIUM, point, lattice) for point in grid]
        point, neighbour, _, distance = structure.get_neighbor_list(SEARCH, sites=trial, exclude_self=False)
    valence = np.zeros(len(grid))
    clear = np.ones(len(grid), dtype=bool)
    for number, site in enumerate(structure):
        mine = neighbour == number
        charge = sum(states[e.symbol] * x for e, x in site.species.items())
        if charge < 0:
            for element, occupancy in site.species.items():
                length = bond_length(LITHIUM, element.symbol) or -np.inf
                bonds = occupancy * np.exp((length - distance[mine]) / BOND_VALENCE_SOFTNESS)
                np.add.at(valence, point[mine], bonds)
        else:
            contact = SPLIT if site.species[LITHIUM] > 0 else CATION_CONTACT
            clear[point[mine][distance[mine] < contact]] = False
    misfit = np.where(clear, np.abs(valence - 1), np.inf)
    chosen: list[np.ndarray] = []
    for index in np.argsort(np.round(misfit, 3), kind="stable"):
        if misfit[index] > MISFIT:
            break
        if not chosen or lattice.get_all_distances(grid[index], np.array(chosen)).min() >= LITHIUM_CONTACT:
            chosen.append(grid[index])
    return np.array(chosen).reshape(-1, 3)
