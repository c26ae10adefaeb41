"""A disordered crystal as arrays: who is lithium, who is anion, who is framework cation, and how large each is."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from pymatgen.analysis.bond_valence import BV_PARAMS
from pymatgen.core import Element, Structure
from pymatgen.optimization.neighbors import find_points_in_spheres

from ionscout.datasets.composition import HEAVIEST

LITHIUM, HYDROGEN, OXYGEN = 3, 1, 8
ANIONS = frozenset({7, 8, 9, 16, 17, 34, 35, 52, 53})  # N O F S Cl Se Br Te I
HYDRIDE_FORMERS = frozenset({5, 13, 31})  # B Al Ga: hydrogen beside them is hydridic, as in Li(BH4)
# Å. S–O in sulfate is 1.48, I–O in iodate 1.80; no anion of these touches oxygen within 2.6. So a chalcogen, halogen or
# nitrogen this close to oxygen is the centre of an oxoanion, hence a cation.
OXOANION_BOND = 2.05
# pymatgen's radii are Shannon's crystal radii; effective ones (O²⁻ 1.40 Å) have 0.14 Å more on anions, less on cations.
CRYSTAL_TO_EFFECTIVE = 0.14
HYDRIDE_RADIUS = 1.40  # Å, effective, H⁻ between 1.3 and 1.5 in metal hydrides (Shannon's table has no value)
UNKNOWN_RADIUS = 0.80  # Å, a middling cation, for the few elements without a tabulated radius


@dataclass(frozen=True)
class ElementScales:
    """Tabulated numbers by atomic number, [95] each.

    Attributes:
        anion_radius, cation_radius: effective ionic radii after Shannon (1976), Å.
        electronegativity: Pauling's; 2 where unknown.
        bond_radius, bond_softness: r and c of O'Keeffe and Brese, JACS 113, 3226 (1991); NaN where unknown.
    """

    anion_radius: np.ndarray
    cation_radius: np.ndarray
    electronegativity: np.ndarray
    bond_radius: np.ndarray
    bond_softness: np.ndarray


@dataclass(frozen=True)
class SiteTable:
    """Arrays over n sites and over m (site, element) entries of one crystal.

    Attributes:
        coordinates [n, 3], lattice [3, 3]: Å. volume: Å³.
        lithium, anion, cation [n]: occupancy by lithium, by anions, by all other elements.
        radius [n]: mean effective radius of what is not lithium, Å; 0 on pure lithium sites.
        entry_site, entry_z, entry_occupancy [m]; entry_anion [m] bool.
    """

    coordinates: np.ndarray
    lattice: np.ndarray
    volume: float
    lithium: np.ndarray
    anion: np.ndarray
    cation: np.ndarray
    radius: np.ndarray
    entry_site: np.ndarray
    entry_z: np.ndarray
    entry_occupancy: np.ndarray
    entry_anion: np.ndarray

    def neighbours(self, centres: np.ndarray, radius: float) -> "Pairs":
        """Every site within `radius` Å of the given sites, periodic images included, itself left out."""
        chosen = np.flatnonzero(centres) if centres.dtype == bool else centres
        if not len(chosen):
            none = np.zeros(0, dtype=np.int64)
            return Pairs(none, none, np.zeros((0, 3), dtype=np.int64), np.zeros(0))
        first, second, offset, distance = find_points_in_spheres(
            self.coordinates,
            np.ascontiguousarray(self.coordinates[chosen]),
            r=float(radius),
            pbc=np.ones(3, dtype=np.int64),
            lattice=self.lattice,
        )
        apart = distance > 1e-6
        return Pairs(chosen[first[apart]], second[apart], offset[apart].astype(np.int64), distance[apart])


@dataclass(frozen=True)
class Pairs:
    """p directed neighbour pairs: site numbers, whole lattice translations [p, 3] of the second, distances in Å."""

    first: np.ndarray
    second: np.ndarray
    offset: np.ndarray
    distance: np.ndarray

    def where(self, keep: np.ndarray) -> "Pairs":
        return Pairs(self.first[keep], self.second[keep], self.offset[keep], self.distance[keep])

    def vectors(self, sites: SiteTable) -> np.ndarray:
        """From first to second, Å, [p, 3]."""
        return sites.coordinates[self.second] + self.offset @ sites.lattice - sites.coordinates[self.first]


def site_table(structure: Structure) -> SiteTable:
    """Read a structure; oxidation states are ignored, roles are decided by element and surroundings."""
    site, z, occupancy = _entries(structure)
    coordinates = np.ascontiguousarray(structure.cart_coords, dtype=float)
    lattice = np.ascontiguousarray(structure.lattice.matrix, dtype=float)
    n = len(coordinates)
    anion = _anions(z, site, occupancy, coordinates, lattice)
    lithium = z == LITHIUM
    scales = element_scales()
    radius = np.where(anion, scales.anion_radius[z], scales.cation_radius[z])
    frame = np.where(lithium, 0.0, occupancy)
    held = np.bincount(site, frame, n)
    return SiteTable(
        coordinates=coordinates,
        lattice=lattice,
        volume=float(abs(np.linalg.det(lattice))),
        lithium=np.bincount(site, np.where(lithium, occupancy, 0.0), n),
        anion=np.bincount(site, np.where(anion, occupancy, 0.0), n),
        cation=np.bincount(site, np.where(anion | lithium, 0.0, occupancy), n),
        radius=np.bincount(site, frame * radius, n) / np.maximum(held, 1e-12),
        entry_site=site,
        entry_z=z,
        entry_occupancy=occupancy,
        entry_anion=anion,
    )


def _entries(structure: Structure) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    entries = [(n, el.Z, x) for n, site in enumerate(structure) for el, x in site.species.items()]
    site, z, occupancy = zip(*entries, strict=True)
    return np.array(site), np.array(z), np.array(occupancy, dtype=float)


def _anions(
    z: np.ndarray, site: np.ndarray, occupancy: np.ndarray, coordinates: np.ndarray, lattice: np.ndarray
) -> np.ndarray:
    """Which entries are anions, [m] bool."""
    chosen = np.isin(z, list(anion_elements(z)))
    centres = chosen & ~np.isin(z, [OXYGEN, 9, HYDROGEN]) & (occupancy > 0.5)
    oxygen = (z == OXYGEN) & (occupancy > 0.5)  # alternatives of one another do not touch
    if centres.any() and oxygen.any():
        where = np.ascontiguousarray(coordinates[site[centres]])
        hit = find_points_in_spheres(
            np.ascontiguousarray(coordinates[site[oxygen]]), where, OXOANION_BOND, np.ones(3, dtype=np.int64), lattice
        )[0]
        chosen[np.flatnonzero(centres)[np.unique(hit)]] = False
    return chosen


def anion_elements(z: Iterable[int]) -> frozenset[int]:
    """Which of the elements (atomic numbers) of a compound are anions, as far as a formula tells."""
    present = frozenset(int(number) for number in z)
    anions = ANIONS & present
    if HYDROGEN in present and present & HYDRIDE_FORMERS:
        anions = anions | {HYDROGEN}
    others = present - {LITHIUM}
    if anions or not others:
        return anions
    # A phosphide, carbide or alloy: whatever pulls hardest.
    return frozenset({max(others, key=lambda number: element_scales().electronegativity[number])})


@lru_cache
def element_scales() -> ElementScales:
    """Tables of pymatgen by atomic number."""
    table = np.full((5, HEAVIEST + 1), np.nan)
    for number in range(1, HEAVIEST + 1):
        el = Element.from_Z(number)
        radii = {float(state): float(r) for state, r in el.ionic_radii.items()}
        negative = [r for state, r in radii.items() if state < 0]
        usual = max((state for state in el.common_oxidation_states if state in radii), default=0.0)
        positive = [r for state, r in radii.items() if state > 0]
        cation = radii.get(float(usual)) if usual > 0 else (sum(positive) / len(positive) if positive else None)
        table[0, number] = negative[0] + CRYSTAL_TO_EFFECTIVE if negative else HYDRIDE_RADIUS
        table[1, number] = UNKNOWN_RADIUS if cation is None else max(0.1, cation - CRYSTAL_TO_EFFECTIVE)
        # Only He, Ne and Ar have no electronegativity, and asking for it would warn.
        table[2, number] = 2.0 if number in (2, 10, 18) else el.X
        if el in BV_PARAMS:
            table[3:, number] = BV_PARAMS[el]["r"], BV_PARAMS[el]["c"]
    table[2] = np.where(np.isfinite(table[2]), table[2], 2.0)
    return ElementScales(*table)
