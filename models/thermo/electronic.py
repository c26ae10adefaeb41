"""Whether a phase conducts electrons: what decides if a layer of it stops a reaction or feeds it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from pymatgen.core import Composition, Element

from ionscout.datasets.band_gaps import EXPERIMENTAL, BandGap, tabulated_gap
from ionscout.datasets.hulls.base import Hull
from ionscout.models.thermo.band_gap import band_gap

# PBE gap from which a thin layer counts as blocking electrons: the criterion of Xiao et al., Joule 3, 1252 (2019), for
# coatings. Li3P (0.7 eV in PBE), in whose presence Li6PS5Cl and Li7P3S11 passivate, lies above it.
INSULATING_PBE = 0.5
INSULATING_EXPERIMENTAL = 1.0  # PBE gaps are too small by about half
# What is a gas near room temperature; anything else leaves a layer.
GAS_FORMULAS = (
    "H2 N2 O2 F2 Cl2 CO CO2 N2O NO NO2 SO2 H2S NH3 HF HCl HBr CH4 PH3 Cl2O ClO2 OF2 NF3 CF4 SF6 SF4 SiF4 "
    "GeF4 BF3 BCl3 PF3 PF5 AsF5 WF6 ReF6 COS"
)
GASES = frozenset(Composition(formula).reduced_formula for formula in GAS_FORMULAS.split())
METALLOIDS = {"B", "Si", "Ge", "Sb"}  # with a metal they form alloys; lithium makes conductors of them, too
# Transition metals whose highest oxide has an empty d shell. Below it their d electrons conduct (LixTiO2, Zr3O, NbO),
# also where PBE+U says otherwise (MoO2 and WO2 are metals, and have gaps of 1 eV there). Vanadium is no such case: its
# lower oxides are Mott insulators. Of the later metals (Mn, Fe, Co, Ni) the lower oxides insulate better.
EMPTY_SHELL = {"Ti": 4, "Zr": 4, "Hf": 4, "Nb": 5, "Ta": 5, "Mo": 6, "W": 6}
# Halogens, sulfur and oxoanions keep these metals apart, so that their electrons need not conduct: the gap decides.
ANIONS = {"O": -2, "N": -3, "P": -3, "C": -4}
HOLD_LITTLE = 0.02  # electrons per transition-metal atom; fewer are rounding of the formula


@dataclass(frozen=True)
class ElectronicCharacter:
    """How a phase treats electrons.

    Attributes:
        kind: "metal", "alloy", "reduced oxide" (or nitride, …: "reduced compound"), "conductor" (small gap),
            "insulator" or "gas".
        conducts: electrons pass.
        band_gap: eV, None where none was needed or known.
        source: of the band gap, or "rule".
        reason: in words.
    """

    formula: str
    kind: str
    conducts: bool
    band_gap: float | None
    source: str
    reason: str

    @property
    def blocks(self) -> bool:
        """A solid that electrons do not pass; a gas blocks nothing, as it leaves no layer."""
        return not self.conducts and self.kind != "gas"


@lru_cache(maxsize=20_000)
def electronic_character(formula: str, hull: Hull | None = None) -> ElectronicCharacter:
    """Judge one phase.

    In this order: the table of known gaps; elements and alloys; oxidation states (reduced oxides of Ti, Zr, Hf, Nb,
    Ta, Mo, W); the band gap that the hull gives, else that of the Materials Project where its table is present, else
    that predicted by the energy GNN.

    Args:
        formula: of a whole-number compound or element, as in `Product.formula`.
    """
    composition = Composition(formula)
    symbols = [element.symbol for element in composition.elements]
    known = tabulated_gap(composition)
    if known is not None:
        return _by_gap(formula, known)
    if composition.reduced_formula in GASES:
        return ElectronicCharacter(formula, "gas", False, None, "rule", f"{formula} escapes as a gas")
    if len(symbols) == 1:
        metal = Element(symbols[0]).is_metal
        reason = f"{formula} is {'a metal' if metal else 'an electron-conducting element'}"
        return ElectronicCharacter(formula, "metal", True, 0.0 if metal else None, "rule", reason)
    if _is_alloy(symbols):
        return ElectronicCharacter(
            formula, "alloy", True, 0.0, "rule", f"{formula} is an alloy and conducts like a metal"
        )
    state = reduced_state(composition)
    if state is not None:
        metals = "/".join(symbol for symbol in symbols if symbol in EMPTY_SHELL)
        kind = "reduced oxide" if "O" in symbols else "reduced compound"
        reason = f"{formula} holds {metals} reduced to {state:+.2g}, whose d electrons conduct"
        return ElectronicCharacter(formula, kind, True, None, "rule", reason)
    return _by_gap(formula, band_gap(composition, hull))


def deciding(characters: Iterable[ElectronicCharacter]) -> tuple[ElectronicCharacter, ...]:
    """The electron conductors among some phases; where there are none, all solids (which then block)."""
    solids = [character for character in characters if character.kind != "gas"]
    return tuple(c for c in solids if c.conducts) or tuple(solids)


def reduced_state(composition: Composition) -> float | None:
    """Mean oxidation state of Ti, Zr, Hf, Nb, Ta, Mo, W in an oxide, nitride, phosphide or carbide, where reduced.

    None at or above the state of an empty d shell, and where no judgement is made: other anions, oxoanions, or another
    element of variable charge.
    """
    amounts = {element.symbol: float(n) for element, n in composition.items()}
    hosts = {symbol: n for symbol, n in amounts.items() if symbol in EMPTY_SHELL}
    anions = {symbol: n for symbol, n in amounts.items() if symbol in ANIONS}
    if not hosts or not anions or ("O" in anions and len(anions) > 1):
        return None
    charge = sum(ANIONS[symbol] * n for symbol, n in anions.items())
    for symbol, n in amounts.items():
        if symbol in EMPTY_SHELL:
            charge += EMPTY_SHELL[symbol] * n
        elif symbol not in ANIONS:
            element = Element(symbol)
            states = element.common_oxidation_states
            variable = len(states) != 1 or (element.is_transition_metal and element.group not in (3, 12))
            if variable or not element.is_metal:
                return None
            charge += states[0] * n
    surplus = charge / sum(hosts.values())  # electrons in d states per atom
    if surplus <= HOLD_LITTLE:
        return None
    return sum(EMPTY_SHELL[symbol] * n for symbol, n in hosts.items()) / sum(hosts.values()) - surplus


def _is_alloy(symbols: list[str]) -> bool:
    return any(Element(s).is_metal for s in symbols) and all(Element(s).is_metal or s in METALLOIDS for s in symbols)


def _by_gap(formula: str, gap: BandGap | None) -> ElectronicCharacter:
    if gap is None:
        reason = f"no band gap of {formula} is known, so it is taken to conduct"
        return ElectronicCharacter(formula, "conductor", True, None, "none", reason)
    needed = INSULATING_EXPERIMENTAL if gap.kind == EXPERIMENTAL else INSULATING_PBE
    conducts = gap.value < needed
    verdict = f"below the {needed:g} eV of an insulator" if conducts else "and insulates"
    reason = f"{formula} has a band gap of {gap.value:.2f} eV {verdict} ({gap.source})"
    kind = "conductor" if conducts else "insulator"
    return ElectronicCharacter(formula, kind, conducts, gap.value, gap.source, reason)
