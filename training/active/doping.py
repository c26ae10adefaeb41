"""The doped average structure: partial occupancies, lithium vacancies and interstitials spread, cell scaled."""

from collections.abc import Sequence

import numpy as np
from pymatgen.core import Structure

from ionscout.datasets.placement import ANIONS
from ionscout.training.active.compensation import Substitution, lithium_left
from ionscout.training.active.host import LITHIUM, Host
from ionscout.training.active.ions import Ion, ionic_radius

ABSENT = 1e-5  # occupancies below are left out
FULL = 1.0
NEAR_FULL_ROUNDS = 30  # of spreading lithium over sites of which some are full; converges in three or four


def doped_structure(host: Host, substitutions: Sequence[Substitution]) -> Structure | None:
    """The host's average structure with dopants on their orbits and its lithium adjusted; None without a structure.

    A dopant takes the place of its host ion on every site of an orbit alike, so the symmetry is kept. Lithium
    vacancies are spread over all lithium sites in proportion to their occupancy, interstitials first over the free
    share of these sites, then over the interstices.
    """
    if host.structure is None:
        return None
    species = [dict(site.species.get_el_amt_dict()) for site in host.structure]
    for substitution in substitutions:
        _replace(species, host, substitution)
    left = lithium_left(substitutions, host) * host.units
    extra = _spread_lithium(species, host, left)
    points = list(host.structure.frac_coords) + (list(host.room.interstices) if extra > ABSENT else [])
    if extra > ABSENT:
        share = extra / len(host.room.interstices)
        species += [{LITHIUM: share}] * len(host.room.interstices)
    kept = [(s, xyz) for s, xyz in zip(map(_cleaned, species), points, strict=True) if s]
    lattice = host.structure.lattice
    lattice = lattice.scale(lattice.volume * volume_ratio(substitutions, host))
    return Structure(lattice, [s for s, _ in kept], [xyz for _, xyz in kept])


def volume_ratio(substitutions: Sequence[Substitution], host: Host) -> float:
    """Volume of the doped cell over the host's, from the ionic volumes of what was exchanged (as in `templates`)."""
    total = sum(n * _volume(Ion(e.symbol, host.states[e.symbol])) for e, n in host.composition.items())
    change = sum(
        s.amount * (_volume(s.ion) - _volume(s.host_ion)) for s in substitutions if s.host_ion.symbol != LITHIUM
    )
    return float(np.clip(1 + change / total, 0.75, 1.35)) if total else 1.0


def _volume(ion: Ion) -> float:
    if ion.symbol == LITHIUM:
        return 0.0  # lithium fits into what the others leave
    radius = ionic_radius(Ion(ion.symbol, round(ion.charge)), 6.0)
    return max(radius, 0.0) ** 3 if radius is not None else (1.8 if ion.symbol in ANIONS else 0.7) ** 3


def _replace(species: list[dict[str, float]], host: Host, substitution: Substitution) -> None:
    """Exchange a share of the host ion on the sites of the best orbit, and on the others what does not fit there."""
    symbol, new = substitution.host_ion.symbol, substitution.ion.symbol
    orbits = host.sublattice(symbol).orbits
    rest = [k for k in range(len(orbits)) if k not in substitution.orbits]
    order = [orbits[k] for k in (*substitution.orbits, *rest)]
    wanted = substitution.amount * host.units
    for orbit in order:
        there = sum(species[i].get(symbol, 0.0) for i in orbit.sites)
        moved = min(wanted, there)
        for i in orbit.sites:
            if there > 0 and symbol in species[i]:
                part = species[i][symbol] * moved / there
                species[i][symbol] -= part
                species[i][new] = species[i].get(new, 0.0) + part
        wanted -= moved
        if wanted <= ABSENT:
            return


def _spread_lithium(species: list[dict[str, float]], host: Host, wanted: float) -> float:
    """Set the lithium of the cell to `wanted` atoms; returns what finds no room on sites that hold lithium."""
    sites = [i for i, s in enumerate(species) if s.get(LITHIUM, 0.0) > 0]
    own = np.array([species[i][LITHIUM] for i in sites])
    room = np.array([FULL - sum(x for e, x in species[i].items() if e != LITHIUM) for i in sites])
    if not len(sites):
        return wanted
    if wanted <= own.sum():
        new = own * wanted / own.sum()
    else:
        limit = min(wanted, max(host.room.own_capacity * host.units, own.sum()))
        new = own.copy()
        for _ in range(NEAR_FULL_ROUNDS):
            missing = limit - new.sum()
            free = np.clip(room - new, 0, None)
            if missing < ABSENT or free.sum() < ABSENT:
                break
            new = new + free * min(missing / free.sum(), 1.0)
    for i, x in zip(sites, new, strict=True):
        species[i][LITHIUM] = float(x)
    extra = wanted - float(new.sum())
    return extra if len(host.room.interstices) else 0.0


def _cleaned(mixture: dict[str, float]) -> dict[str, float]:
    kept = {e: x for e, x in mixture.items() if x > ABSENT}
    total = sum(kept.values())
    return {e: x / total for e, x in kept.items()} if total > FULL else kept
