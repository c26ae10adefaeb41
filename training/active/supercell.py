"""One ordered small cell of a disordered host: what a potential of point atoms needs, with room for one defect."""

from dataclasses import dataclass

import numpy as np
from pymatgen.core import Element, Structure
from scipy.optimize import Bounds, LinearConstraint, milp

from ionscout.datasets.errors import InvalidInput
from ionscout.training.active.host import LITHIUM, Host
from ionscout.training.active.lithium_sites import LITHIUM_CONTACT

FEWEST_ATOMS = 40  # so that a dopant and its images are about 8 Å apart and one dopant is a few percent
PATIENCE = 10.0  # s for finding an arrangement of lithium


@dataclass(frozen=True)
class OrderedCell:
    """An ordered cell.

    Attributes:
        structure: ordered, neutral.
        origin: for each of its atoms the site of the host's structure that it came from.
        empty: fractional coordinates of lithium sites and interstices that are free, [n, 3].
    """

    structure: Structure
    origin: tuple[int, ...]
    empty: np.ndarray


def ordered_cell(host: Host, seed: int = 0) -> OrderedCell:
    """Fill every site of a host with one atom or none, lithium such that no two are too close; reproducible by seed.

    Raises:
        InvalidInput: the host has no structure, or no arrangement of its lithium exists.
    """
    if host.structure is None:
        raise InvalidInput(f"Defect energies need a crystal; give {host.formula} as a structure file.")
    rng = np.random.default_rng(seed)
    crystal = host.structure.copy(site_properties={"origin": list(range(len(host.structure)))})
    atoms = sum(host.composition.values()) * host.units
    repeats = _repeats(crystal, atoms)
    crystal.make_supercell(repeats)
    cells = int(np.prod(repeats))
    species = [_framework(dict(site.species.get_el_amt_dict())) for site in crystal]
    chosen: list[str | None] = [None] * len(crystal)
    for kind in {tuple(sorted(s)) for s in species if s}:
        sites = [i for i, s in enumerate(species) if tuple(sorted(s)) == kind]
        _deal(chosen, sites, species, rng)
    own = [i for i, site in enumerate(crystal) if site.species[LITHIUM] > 0 and chosen[i] is None]
    spare = _spread(host.room.interstices, repeats)
    points = np.vstack([crystal.frac_coords[own].reshape(-1, 3), spare])
    preferred = np.array([crystal[i].species[LITHIUM] for i in own] + [0.0] * len(spare))
    charge = sum(host.states[symbol] for symbol in chosen if symbol)
    wanted = round(-charge)
    taken = _arrange(crystal, points, preferred + 0.3 * rng.random(len(points)), wanted)
    if taken is None:
        raise InvalidInput(f"No ordered arrangement of {wanted} lithium in {cells} cells of {host.formula} was found.")
    names = [(s, i) for i, s in enumerate(chosen) if s]
    origin = [crystal[i].properties["origin"] for _, i in names]
    coordinates = [crystal.frac_coords[i] for _, i in names]
    for k in np.flatnonzero(taken):
        names.append((LITHIUM, -1))
        origin.append(crystal[own[k]].properties["origin"] if k < len(own) else -1)
        coordinates.append(points[k])
    structure = Structure(crystal.lattice, [Element(s) for s, _ in names], coordinates)
    return OrderedCell(structure, tuple(origin), points[~taken])


def _repeats(crystal: Structure, atoms: float) -> list[int]:
    """Whole numbers of cells along a, b, c, the shortest axis doubled first."""
    repeats = [1, 1, 1]
    while atoms * np.prod(repeats) < FEWEST_ATOMS:
        lengths = np.array(crystal.lattice.abc) * repeats
        repeats[int(lengths.argmin())] += 1
    return repeats


def _framework(mixture: dict[str, float]) -> dict[str, float]:
    return {symbol: x for symbol, x in mixture.items() if symbol != LITHIUM}


def _deal(
    chosen: list[str | None], sites: list[int], species: list[dict[str, float]], rng: np.random.Generator
) -> None:
    """Give the sites of one mixture to its elements in the nearest whole numbers, at random."""
    free = list(rng.permutation(sites))
    for symbol in sorted(species[sites[0]]):
        for _ in range(round(sum(species[i][symbol] for i in sites))):
            if free:
                chosen[int(free.pop())] = symbol


def _spread(points: np.ndarray, repeats: list[int]) -> np.ndarray:
    """Interstices of one cell in every cell of the supercell."""
    shifts = np.stack(np.meshgrid(*[np.arange(n) for n in repeats], indexing="ij"), -1).reshape(-1, 3)
    return ((points[None] + shifts[:, None]) / np.array(repeats)).reshape(-1, 3)


def _arrange(crystal: Structure, points: np.ndarray, value: np.ndarray, wanted: int) -> np.ndarray | None:
    """Which points take lithium: exactly `wanted`, none too close, of the greatest total value."""
    if wanted < 0 or wanted > len(points):
        return None
    distance = crystal.lattice.get_all_distances(points, points)
    first, second = np.nonzero(np.triu(distance < LITHIUM_CONTACT, 1))
    pairs = np.zeros((len(first) + 1, len(points)))
    pairs[np.arange(len(first)), first] = pairs[np.arange(len(first)), second] = 1
    pairs[-1] = 1
    low, high = np.zeros(len(first) + 1), np.ones(len(first) + 1)
    low[-1] = high[-1] = wanted
    solved = milp(
        -value,
        constraints=LinearConstraint(pairs, low, high),
        integrality=np.ones(len(points)),
        bounds=Bounds(0, 1),
        options={"time_limit": PATIENCE, "mip_rel_gap": 0.02},
    )
    return None if solved.x is None else solved.x > 0.5
