"""Thermodynamics of a candidate: hull distance, window, lithium, cathode, water, band gap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Composition
from scipy import constants

from ionscout.datasets.errors import IonscoutError
from ionscout.datasets.hulls import Hull
from ionscout.models.energy.predictor import EnergyPredictor, load_predictor
from ionscout.models.thermo.equilibrium import hull_energy
from ionscout.models.thermo.interface import half_delithiated, interface
from ionscout.models.thermo.interphase import cathode_interphase, lithium_interphase
from ionscout.models.thermo.window import window
from ionscout.training.active.candidates import Candidate
from ionscout.training.active.conduction import Progress
from ionscout.training.active.host import LITHIUM, Host

WATER = Composition("H2O")
BOLTZMANN = constants.k / constants.e  # eV/K
# K at which cations and anions are mixed while the host is made: oxides are fired, soft ones annealed.
FIRED, ANNEALED = 1300.0, 800.0
FIRED_ANIONS = {"O", "N", "F"}
# Energy above the hull (mixing entropy subtracted) at which half of the compounds can be made, eV/atom, and the width:
# of the Materials Project's compounds the median metastable one lies 15, the 90th percentile 67 meV/atom above
# (Sun et al., Sci. Adv. 2, e1600225 (2016)).
HALF_MADE, MADE_WIDTH = 0.040, 0.015


@dataclass(frozen=True)
class Stability:
    """Thermodynamics of one candidate on one hull. Energies in eV/atom, voltages in V vs Li/Li⁺.

    Attributes:
        energy_above_hull: of the doped host at 0 K: the host's own, changed by what the energy GNN predicts that doping
            does, against the equilibrium phases of the doped composition.
        mixing_entropy: k_B per atom of the dopant's disorder. synthesisability: 0 … 1, a proxy from both, judged
            against the host: what has been made is taken to lie on the hull.
        reduction_limit, oxidation_limit: of the window; the second None without lithium to lose.
        lithium_class: stable, SEI or MCI. lithium_energy: driving force with lithium, ≤ 0. lithium_products: those that
            decide the class.
        cathode: its formula, None where none was named. cathode_energy: worse of the lithiated and the half
            delithiated one, per atom of both. cathode_class: of that interphase.
        water_energy: reaction with H2O, ≤ 0. hydrogen_sulfide: whether it gives off H2S.
        band_gap: eV (PBE scale), predicted: the smaller, the more electrons leak.
        hull: name and version.
    """

    energy_above_hull: float
    mixing_entropy: float
    synthesisability: float
    reduction_limit: float
    oxidation_limit: float | None
    lithium_class: str
    lithium_energy: float
    lithium_products: tuple[str, ...]
    cathode: str | None
    cathode_energy: float | None
    cathode_class: str | None
    water_energy: float
    hydrogen_sulfide: bool
    band_gap: float
    hull: str


def stabilities(
    host: Host,
    candidates: Sequence[Candidate],
    hull: Hull,
    cathode: Composition | None = None,
    progress: Progress = lambda done, total: None,
) -> list[Stability | None]:
    """Thermodynamics of candidates of one host; None for those with an element without data on this hull.

    Raises:
        UnsupportedElement, DataUnavailable: the host itself has such an element.
    """
    network = load_predictor()
    known = [c for c in candidates if {e.symbol for e in c.composition.elements} <= network.elements]
    energies = network.predict([host.composition, *(c.composition for c in known)])
    own = _host_energy(host, hull, network)
    own_above = max(own - hull_energy(host.composition, hull), 0.0)
    found: dict[int, Stability] = {}
    progress(0, len(known))
    for number, candidate in enumerate(known):
        change = float(energies.formation_energy[number + 1] - energies.formation_energy[0])
        try:
            gap = float(energies.band_gap[number + 1])
            found[id(candidate)] = _stability(candidate, own + change, own_above, gap, hull, cathode)
        except IonscoutError:
            pass  # an element that the hull lacks: the caller sees None and says so
        progress(number + 1, len(known))
    return [found.get(id(candidate)) for candidate in candidates]


def mixing_entropy(candidate: Candidate) -> float:
    """Entropy of the dopants' random distribution over their host ions' sites, k_B per atom; ideal solution."""
    total = 0.0
    for s in candidate.substitutions:
        share = min(s.amount / candidate.host.sublattice(s.host_ion.symbol).amount, 1.0)
        parts = np.array([share, 1 - share])
        parts = parts[parts > 0]
        total -= candidate.host.sublattice(s.host_ion.symbol).amount * float((parts * np.log(parts)).sum())
    return total / candidate.composition.num_atoms


def synthesisability(energy_above_hull: float, entropy: float, temperature_K: float) -> float:
    """A proxy between 0 and 1 from the energy above the hull (eV/atom) and the mixing entropy (k_B per atom)."""
    free = energy_above_hull - BOLTZMANN * temperature_K * entropy
    return float(1 / (1 + np.exp(np.clip((free - HALF_MADE) / MADE_WIDTH, -50, 50))))


def _host_energy(host: Host, hull: Hull, network: EnergyPredictor) -> float:
    """Formation energy of the host in eV/atom: the hull's, or its equilibrium plus the predicted distance above it."""
    known = hull.energy_of(host.composition)
    if known is not None:
        return known
    above = max(float(network.predict([host.composition]).decomposition_energy[0]), 0.0)
    return hull_energy(host.composition, hull) + min(above, HALF_MADE)


def _stability(
    candidate: Candidate, energy: float, host_above: float, gap: float, hull: Hull, cathode: Composition | None
) -> Stability:
    composition = candidate.composition
    above = max(energy - hull_energy(composition, hull), 0.0)
    entropy = mixing_entropy(candidate)
    fired = sum(n for e, n in composition.items() if e.symbol in FIRED_ANIONS)
    soft = sum(n for e, n in composition.items() if candidate.host.states.get(e.symbol, 1) < 0) - fired
    limits = window(composition, hull)
    lithium = lithium_interphase(composition, hull)
    water = interface(composition, WATER, hull)
    other = None
    if cathode is not None:
        forms = [cathode] + ([half_delithiated(cathode)] if cathode[LITHIUM] > 0 else [])
        other = min((cathode_interphase(composition, f, hull) for f in forms), key=lambda found: found.driving_force)
    return Stability(
        energy_above_hull=above,
        mixing_entropy=entropy,
        synthesisability=synthesisability(above - host_above, entropy, FIRED if fired > soft else ANNEALED),
        reduction_limit=limits.reduction_limit,
        oxidation_limit=limits.oxidation_limit,
        lithium_class=lithium.interphase_class,
        lithium_energy=lithium.driving_force,
        lithium_products=lithium.deciding_products,
        cathode=None if other is None else other.against,
        cathode_energy=None if other is None else other.driving_force,
        cathode_class=None if other is None else other.interphase_class,
        water_energy=water.reaction_energy,
        hydrogen_sulfide=any(p.formula == "H2S" for p in water.products),
        band_gap=gap,
        hull=f"{hull.name} {hull.version}",
    )
