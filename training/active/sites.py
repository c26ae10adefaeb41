"""Which site a dopant takes: a fast energy for every ion on every sub-lattice, from size, bonding and charge.

Four terms in eV per dopant, none fitted to doping results:

- **size**: bonds of the dopant are stretched by Δ (Å), ½ k q Δ² with q the dopant's charge: a bond of valence s has a
  stiffness proportional to s, and the valences of all bonds add up to q. Δ is the mean of two estimates, the difference
  of Shannon radii at the site's coordination number and the difference of preferred bond lengths (bond valences).
- **coordination**: crystal-field stabilisation of octahedra against tetrahedra for d electrons, and the covalency of
  electronegative cations, which prefer tetrahedra.
- **charge**: each lithium vacancy or interstitial that balances the charge costs energy, the more so the fewer free
  (or occupied) lithium sites there are; and the anions next to a dopant feel the difference of charge (Pauling's rule).
- **state**: another oxidation state than the one that is made beside the host's anion (`states`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ionscout.datasets.hulls import Hull
from ionscout.training.active.host import Host, Orbit, Sublattice
from ionscout.training.active.ions import (
    BOND_VALENCE_SOFTNESS,
    Ion,
    bond_length,
    bond_valence,
    ionic_radius,
    tabulated_radii,
)
from ionscout.training.active.states import main_anion, state_energy

# eV/Å² per valence unit. Hard anions: Li–O 2.5 and Zr–O 7 eV/Å², as in shell models of oxides; sulfides and heavier
# halides have half their bulk moduli.
HARD, SOFT = 10.0, 5.0
HARD_ANIONS = {"O", "F", "N"}
# eV per valence unit by which the strongest bond of a site exceeds this share of an anion's charge: a halide cannot be
# the fourth corner of a PS4 group, whose bonds have a valence of 1.25, but takes the place of free sulfide.
SATURATION, SATURATED = 2.0, 0.8
TOO_SMALL = 0.6  # share of the size energy of ions that are too small: they move off the centre, and push nobody
VACANCY = 0.10  # eV per lithium vacancy in a full sub-lattice; they are the carriers, and cheap by definition
INTERSTITIAL = 0.10  # eV per lithium interstitial in an empty one
CROWDING = 0.60  # eV by which the first grows with the empty, the second with the occupied share of the room (cubed)
UNLIKE_CHARGE = 0.5  # eV per squared charge difference and anion neighbour; half is relaxed by the compensating lithium
OCTAHEDRAL_FIELD = {2: 1.1, 3: 2.1, 4: 2.7}  # Δ of octahedral aqua and oxide complexes in eV (Dunitz & Orgel 1957)
COVALENCY = 0.8  # eV per unit of electronegativity between an octahedron and a tetrahedron
BALANCED_ELECTRONEGATIVITY = 1.55  # at which neither is preferred: Mg and Mn lie below, Zn, Ga and Fe above
UNKNOWN_COORDINATION = 0.15  # eV per neighbour that the site has more or less than any tabulated crystal of the ion
SUITABLE = 0.5  # eV above its best orbit up to which an ion spreads over others of the sub-lattice
PLAUSIBLE = 1.0  # eV above the best site up to which a site is worth listing; about 10 kT at 1,200 K
FIRING_KT = 0.10  # eV: 1,200 K, where the cations of oxides settle
# eV: what a difference of two of these energies is good for, about 0.17 eV, and the temperature above together.
TRUST = 0.20


@dataclass(frozen=True)
class Placement:
    """One ion on one sub-lattice; energies in eV per dopant, relative to nothing but each other.

    Attributes:
        ion, host_ion: what replaces what.
        orbits: the sub-lattice's orbits that suit it, best first. available: host ions on them, per formula unit.
        coordination: of the best orbit.
        radius_mismatch: Shannon radius minus that of the host ion, Å; None where Shannon lists none.
        bond_valence_sum: of the dopant on the unrelaxed site; None without a structure.
        bond_valence_mismatch: preferred bond length minus that of the host ion, Å.
        charge_difference: of the ions.
        size, preference, charge, state: the four terms.
        energy: their sum.
        excess: energy above that of the element's best placement, whatever its state; where it is large, the dopant
            will leave this site for that one.
    """

    ion: Ion
    host_ion: Ion
    orbits: tuple[int, ...]
    available: float
    coordination: float
    radius_mismatch: float | None
    bond_valence_sum: float | None
    bond_valence_mismatch: float | None
    charge_difference: float
    size: float
    preference: float
    charge: float
    state: float
    excess: float = 0.0

    @property
    def realised(self) -> float:
        """Share of the dopant that stays on this site while a better one exists, 0 … 1."""
        return float(np.exp(-self.excess / TRUST))

    @property
    def strain(self) -> float:
        """The energy without the part of the charge, which the carriers that it makes pay back."""
        return self.size + self.preference + self.state

    @property
    def energy(self) -> float:
        return self.size + self.preference + self.charge + self.state

    def __str__(self) -> str:
        return f"{self.ion} on {self.host_ion}"


def placement(ion: Ion, sublattice: Sublattice, host: Host, hull: Hull | None = None) -> Placement:
    """The orbits of a sub-lattice that suit an ion; `hull` tells the usual oxidation state, tables do without it."""
    found = [_on_orbit(ion, sublattice, number, host, hull) for number in range(len(sublattice.orbits))]
    found.sort(key=lambda p: (p.energy, p.orbits))
    suitable = [p for p in found if p.energy <= found[0].energy + SUITABLE]
    return replace(
        found[0],
        orbits=tuple(p.orbits[0] for p in suitable),
        available=sum(p.available for p in suitable),
    )


def placements(ions: Iterable[Ion], host: Host, hull: Hull | None = None) -> list[Placement]:
    """Every ion on every sub-lattice of its kind (cations on cations, anions on anions), best first.

    `Placement.excess` compares the states that are among `ions`.
    """
    found = [
        placement(ion, sublattice, host, hull)
        for ion in ions
        for sublattice in host.sublattices
        if sublattice.ion.is_anion == ion.is_anion and sublattice.ion.symbol != ion.symbol
    ]
    best: dict[str, float] = {}
    for p in found:
        own_site = not p.ion.is_anion and p.ion.symbol in host.states  # an excess of a host cation leaves for it
        best[p.ion.symbol] = min(p.energy, best.get(p.ion.symbol, 0.0 if own_site else np.inf))
    found = [replace(p, excess=p.energy - best[p.ion.symbol]) for p in found]
    return sorted(found, key=lambda p: (p.energy, str(p)))


@dataclass(frozen=True)
class SitePreference:
    """Where one element goes.

    Attributes:
        element: the dopant.
        best: its best placement over all oxidation states.
        alternatives: the others within `PLAUSIBLE` eV, best first.
        probability: Boltzmann weight of the best site among all sites of the best state, at firing temperature.
    """

    element: str
    best: Placement
    alternatives: tuple[Placement, ...]
    probability: float


def site_preference(element: str, ions: Iterable[Ion], host: Host, hull: Hull | None = None) -> SitePreference | None:
    """The preferred site of an element in a host; None where it has no state that fits a kind of site."""
    ranked = placements(ions, host, hull)
    if not ranked:
        return None
    best = ranked[0]
    own = np.array([p.energy for p in ranked if p.ion == best.ion])
    weight = np.exp(-(own - own.min()) / FIRING_KT)
    others = tuple(p for p in ranked[1:] if p.energy <= best.energy + PLAUSIBLE)
    return SitePreference(element, best, others, float(weight[0] / weight.sum()))


def _on_orbit(ion: Ion, sublattice: Sublattice, number: int, host: Host, hull: Hull | None) -> Placement:
    orbit, host_ion = sublattice.orbits[number], sublattice.ion
    around = orbit.environment
    n = max(around.coordination, 1.0)
    radius = _radius_mismatch(ion, host_ion, n)
    valence = _bond_mismatch(ion, host_ion, orbit)
    known = [m for m in (radius, valence) if m is not None]
    size = _size_energy(ion, float(np.mean(known)), orbit) if known else PLAUSIBLE
    difference = ion.charge - host_ion.charge
    if ion.is_anion:
        size += SATURATION * max(_strongest_bond(host_ion, orbit) - SATURATED * abs(ion.charge), 0.0)
    return Placement(
        ion=ion,
        host_ion=host_ion,
        orbits=(number,),
        available=orbit.amount,
        coordination=n,
        radius_mismatch=radius,
        bond_valence_sum=around.bond_valence_sum(ion.symbol),
        bond_valence_mismatch=valence,
        charge_difference=difference,
        size=size,
        preference=0.0 if ion.is_anion else coordination_energy(ion, n),
        charge=compensation_energy(difference, host) + UNLIKE_CHARGE * difference**2 / max(n, 4.0) / 2,
        state=state_energy(ion, main_anion((e.symbol, n) for e, n in host.composition.items()), hull),
    )


def _size_energy(ion: Ion, mismatch: float, orbit: Orbit) -> float:
    ligands = orbit.environment.ligands
    hard = 1.0 if ion.symbol in HARD_ANIONS else sum(x for s, x in ligands.items() if s in HARD_ANIONS)
    stiffness = HARD * hard + SOFT * (1 - hard)
    return 0.5 * stiffness * abs(ion.charge) * mismatch**2 * (TOO_SMALL if mismatch < 0 else 1.0)


def _strongest_bond(host_ion: Ion, orbit: Orbit) -> float:
    """Largest valence of a single bond that the host ion has on a site, 0 without a structure."""
    bonds = orbit.environment.neighbours
    return max((bond_valence(host_ion.symbol, s, d) for s, d, n in bonds if n > 0.5 and d == d), default=0.0)


def _radius_mismatch(ion: Ion, host_ion: Ion, n: float) -> float | None:
    at = 6.0 if ion.is_anion else n
    own = ionic_radius(ion, at)
    whole = Ion(host_ion.symbol, round(host_ion.charge))
    replaced = ionic_radius(whole, at)
    return None if own is None or replaced is None else own - replaced


def _bond_mismatch(ion: Ion, host_ion: Ion, orbit: Orbit) -> float | None:
    """Difference of the mean bond lengths at which either ion would have its own valence on this site."""
    total = weight = 0.0
    for symbol, share in orbit.environment.ligands.items():
        own, replaced = bond_length(ion.symbol, symbol), bond_length(host_ion.symbol, symbol)
        if own is not None and replaced is not None:
            stretch = BOND_VALENCE_SOFTNESS * np.log(abs(ion.charge) / abs(host_ion.charge))
            total += share * (own - replaced - stretch)
            weight += share
    return total / weight if weight else None


def compensation_energy(difference: float, host: Host) -> float:
    """Energy in eV of the lithium vacancies (positive difference of charge) or interstitials that balance an ion."""
    filling = host.room.filling(host.lithium)
    if difference >= 0:
        return difference * (VACANCY + CROWDING * (1 - filling) ** 3)
    return -difference * (INTERSTITIAL + CROWDING * filling**3)


@lru_cache(maxsize=10_000)
def coordination_energy(ion: Ion, n: float) -> float:
    """Cost in eV of a coordination number for a cation, against its preferred one; 0 for 7 and more neighbours."""
    known = tabulated_radii(ion)
    strange = UNKNOWN_COORDINATION * min((abs(n - k) for k in known), default=2.0)
    tetrahedral = float(np.clip((6 - n) / 2, 0, 1))
    if n > 6.6:
        return strange
    gain = octahedral_preference(ion)
    if ion.charge <= 3:  # beyond, size alone decides
        gain += COVALENCY * (BALANCED_ELECTRONEGATIVITY - float(ion.element.X))
    return strange + (tetrahedral * max(gain, 0.0) if gain > 0 else (1 - tetrahedral) * -gain)


def octahedral_preference(ion: Ion) -> float:
    """Crystal-field energy in eV by which a high-spin d ion prefers octahedra to tetrahedra.

    Source: Dunitz & Orgel, J. Phys. Chem. Solids 3, 318 (1957); tetrahedral splitting 4/9 of the octahedral one.
    """
    element = ion.element
    if not element.is_transition_metal or element.group is None:
        return 0.0
    electrons = element.group - round(ion.charge)
    if not 0 <= electrons <= 10:
        return 0.0
    octahedral = (0, 0.4, 0.8, 1.2, 0.6, 0, 0.4, 0.8, 1.2, 0.6, 0)[electrons]
    tetrahedral = (0, 0.6, 1.2, 0.8, 0.4, 0, 0.6, 1.2, 0.8, 0.4, 0)[electrons]
    field = OCTAHEDRAL_FIELD.get(round(ion.charge), OCTAHEDRAL_FIELD[4] if ion.charge > 4 else 0.8)
    return field * (octahedral - 4 / 9 * tetrahedral)
