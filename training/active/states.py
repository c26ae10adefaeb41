"""The oxidation state that an element takes while a host is made: from the phases next to the anion's lithium salt.

An oxide electrolyte is fired in air in the presence of lithium oxide: the element is put into an excess of lithium and
the anion at its chemical potential of synthesis, and the stable phases tell its charge (Li3SbO4: Sb⁵⁺, LiFeO2: Fe³⁺,
Li2TeO4: Te⁶⁺). So no table of states is needed, and sulfides get other states than oxides.
"""

from collections.abc import Iterable
from functools import lru_cache

from pymatgen.core import Composition

from ionscout.datasets.errors import IonscoutError
from ionscout.datasets.hulls import Hull
from ionscout.models.thermo.equilibrium import decompose
from ionscout.training.active.ions import Ion, anion_state, cation_states, is_common

# Chemical potentials (eV/atom against the element) while the host is made. Oxygen: air at 1,300 K, ½ΔG of O2 from the
# NIST-JANAF tables (−1.4 eV); others: sealed tubes and mills, somewhat below the element
# (sulfur lower, because the corrections of 2019 treat the sulfur of polysulfides, which melt, as sulfide).
POTENTIALS = {"O": -1.4, "S": -0.75, "Se": -0.3, "Te": -0.3, "N": -0.5, "F": -1.0, "Cl": -0.7, "Br": -0.5, "I": -0.3}
# Elements whose charge the Materials Project's hull cannot tell: Yb is computed with two valence electrons throughout.
UNTOLD = {"Yb"}
EXCESS = 8  # lithium atoms for each atom of the element: more than any of its lithium compounds holds
OTHER_STATE = 0.5  # eV per charge by which a cation differs from that state
UNUSUAL = 0.3  # eV, where no hull is at hand and the state is not among the common ones


@lru_cache(maxsize=2_000)
def stable_charge(symbol: str, anion: str, hull: Hull) -> float | None:
    """Mean charge of an element in equilibrium with the lithium salt of an anion; None where the hull does not tell."""
    ion = anion_state(anion)
    if ion is None or anion not in POTENTIALS or symbol in {"Li", anion} | UNTOLD:
        return None
    mu = {anion: POTENTIALS[anion]}
    try:
        found = decompose(Composition({"Li": EXCESS, symbol: 1, anion: EXCESS}), hull, mu=mu)
    except IonscoutError:
        return None
    anions = sum(Composition(p.formula)[anion] * p.amount for p in found.products)
    charge = -float(ion.charge) * anions - EXCESS
    return charge if charge > 0 else None


def state_energy(ion: Ion, anion: str, hull: Hull | None) -> float:
    """Cost in eV of a cation's oxidation state beside an anion, 0 for the state that is made there."""
    if ion.is_anion:
        return 0.0
    charge = stable_charge(ion.symbol, anion, hull) if hull is not None else None
    if charge is None:
        return 0.0 if is_common(ion) else UNUSUAL
    states = [state.charge for state in cation_states(ion.symbol)] or [ion.charge]
    nearest = min(states, key=lambda state: abs(state - charge))
    return OTHER_STATE * abs(ion.charge - nearest)


def main_anion(amounts: Iterable[tuple[str, float]]) -> str:
    """The anion that carries most of the charge of a formula."""
    weights = {s: n * abs(i.charge) for s, n in amounts if (i := anion_state(s)) is not None and s in POTENTIALS}
    return max(weights, key=lambda s: weights[s]) if weights else "O"
