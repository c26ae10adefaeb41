"""What the lithium content alone does to conduction: a crowded lithium sub-lattice orders, an immobile dopant blocks.

A prior for hosts that a data-driven model can hardly know, because most measurements of a "pure" crowded host were made
on accidentally doped samples. It names no dopant: only how much lithium is left, and how much of its room is taken.

Garnets set the numbers. Li7La3Zr2O12 fills 0.93 of its room and is ordered (tetragonal) at room temperature, with
1.6e-6 S/cm (Awaka et al., J. Solid State Chem. 182, 2046 (2009)) where the cubic form has 3e-4 to 1e-3; 0.4 to 0.5
vacancies per formula unit keep it disordered (Bernstein, Johannes & Hoang, Phys. Rev. Lett. 109, 205702 (2012)), i.e. a
filling of about 0.88. Below, the conductivity falls again with the lithium content: Li6 garnets have 4e-5 and Li5 ones
1e-6 to 8e-6 S/cm (Thangadurai & Weppner, Adv. Funct. Mater. 15, 107 (2005); J. Am. Ceram. Soc. 86, 437 (2003)).
"""

from dataclasses import dataclass, replace

import numpy as np

from ionscout.training.active.candidates import Candidate
from ionscout.training.active.host import LITHIUM, Host

CROWDED = 0.9  # filling of the host's room from which the prior speaks at all
SOME_ROOM = 0.02  # share of the room that must be free: where no other site exists, there is nothing to order against
ORDERING = 2.3  # decades between the ordered and the disordered form (1.6e-6 to 3e-4 S/cm)
ORDERS_AT = 0.885  # filling: 0.4 vacancies per Li7La3Zr2O12
WIDTH = 0.008  # of the transition: 0.06 lithium per formula unit of a garnet, the spread of the reported limits
DILUTION = 14.0  # decades per unit of filling below: three decades from Li6.6 to Li5 garnets
BLOCKING = 5.0  # decades per share of the room that holds an immobile ion: 13 % of the 24d sites cost a quarter decade
# Hosts that are not crowded: σ grows with the number of carriers n0 + Δn, the lattice gas of every textbook; n0 are the
# empty ones of the sites that hold lithium, and INTRINSIC of them that are there anyhow. Half of it, because the
# model knows the families in which it was measured.
INTRINSIC = 0.05
LATTICE_GAS_SHARE = 0.5
# Decades that two anions of one charge gain over one, half and half: their disorder brings the energies of lithium
# sites closer (Zeng et al., Science 378, 1320 (2022)). Reported: Li6PS5Cl0.5Br0.5 0.1 to 0.3 and Li3OCl0.5Br0.5 0.4
# above the chloride, Li3YBr3Cl3 0.4 to 1. The lower end is taken; what misfits loses it again by its strain.
MIXED_ANIONS = 0.3


@dataclass(frozen=True)
class CarrierPrior:
    """Decades of conductivity, gained or lost.

    Attributes:
        filling: share of the room for lithium that is taken (of the sites that hold it, where these are not crowded).
        ordering: lost because lithium orders. dilution: because it is thinned out. blocking: by dopants in its room.
        carriers: gained by vacancies or interstitials that doping makes. mixing: gained by two anions on one site.
    """

    filling: float
    ordering: float
    dilution: float
    blocking: float
    carriers: float
    mixing: float = 0.0

    @property
    def decades(self) -> float:
        return self.ordering + self.dilution + self.blocking + self.carriers + self.mixing


def is_crowded(host: Host) -> bool:
    """Whether lithium shares slightly more room than it needs, so that it orders unless vacancies keep it from it."""
    return host.structure is not None and CROWDED <= host.room.filling(host.lithium) <= 1 - SOME_ROOM


def host_prior(host: Host) -> CarrierPrior:
    """The prior of the undoped host."""
    return _prior(host, host.lithium, 0.0)


def carrier_prior(candidate: Candidate) -> CarrierPrior:
    """The prior of a candidate."""
    inside = sum(s.amount for s in candidate.substitutions if s.host_ion.symbol == LITHIUM)
    prior = _prior(candidate.host, candidate.content[LITHIUM], inside)
    return replace(prior, mixing=_mixing(candidate))


def _mixing(candidate: Candidate) -> float:
    """Entropy of each pair of like anions, in units of half and half."""
    gained = 0.0
    for s, p in zip(candidate.substitutions, candidate.placements, strict=True):
        if s.ion.is_anion and s.ion.charge == s.host_ion.charge:
            share = min(s.amount / p.available, 1.0)
            parts = np.array([share, 1 - share])
            parts = parts[parts > 0]
            gained -= MIXED_ANIONS * float((parts * np.log2(parts)).sum())
    return gained


def _prior(host: Host, lithium: float, immobile: float) -> CarrierPrior:
    if not is_crowded(host):
        own = max(host.room.own_capacity, host.lithium)
        blocking = -BLOCKING * immobile / own
        free = INTRINSIC + max(1 - host.lithium / own, 0.0)
        made = abs(lithium + immobile - host.lithium) / own
        gained = LATTICE_GAS_SHARE * float(np.log10(1 + made / free))
        return CarrierPrior(min(lithium / own, 1.0), 0.0, 0.0, blocking, gained)
    filling = lithium / max(host.room.capacity - immobile, lithium, 1e-6)
    blocking = -BLOCKING * immobile / host.room.capacity
    ordering = -ORDERING / (1 + np.exp(-(filling - ORDERS_AT) / WIDTH))
    dilution = -DILUTION * max(ORDERS_AT - 2 * WIDTH - filling, 0.0)
    return CarrierPrior(filling, float(ordering), float(dilution), blocking, 0.0)
