"""Whether a phase conducts electrons: what decides if a layer of it stops a reaction or feeds it."""

from collections.abc import Iterable
from dataclasses import dataclass

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
# Transition metals whose highest oxide has an empty d shell; below it d electrons conduct (LixTiO2, Zr3O, NbO, WO2).
# Of the later ones (Mn, Fe, Co, Ni) the lower oxides are the better insulators, so there the band gap decides.
EMPTY_SHELL = {"Ti": 4, "Zr": 4, "Hf": 4, "V": 5, "Nb": 5, "Ta": 5, "Mo": 6, "W": 6, "Re": 7}
ANIONS = {"O": -2, "F": -1, "Cl": -1, "Br": -1, "I": -1, "S": -2, "Se": -2, "Te": -2, "N": -3, "P": -3, "As": -3,
          "C": -4, "H": -1}  # fmt: skip
CENTRES = {"P": 5, "As": 5, "C": 4, "S": 6, "Se": 6, "Te": 6, "N": 5}  # of oxoanions and their like
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


def electronic_character(formula: str, hull: Hull | None = None) -> ElectronicCharacter:
    """Judge one phase.

    In this order: the table of known gaps; elements and alloys; oxidation states (reduced oxides of Ti, Zr, V, Nb, Ta,
    Mo, W); the band gap that the hull gives, else that of the Materials Project where its table is present, else that
    predicted by the energy GNN.

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
    """Mean oxidation state of Ti, Zr, Hf, V, Nb, Ta, Mo, W, Re where it is below that of an empty d shell, else None.

    All other elements are given their usual charge (P, C, S, … that of the centre of an oxoanion where there are enough
    anions around it). Compounds with another transition metal of variable charge are not judged.
    """
    amounts = {element.symbol: float(n) for element, n in composition.items()}
    hosts = {symbol: n for symbol, n in amounts.items() if symbol in EMPTY_SHELL}
    if not hosts or not set(amounts) & set(ANIONS):
        return None
    charge = 0.0
    for symbol, n in amounts.items():
        if symbol in EMPTY_SHELL:
            charge += EMPTY_SHELL[symbol] * n
        elif symbol in ANIONS:
            charge += (CENTRES.get(symbol, 1) if _is_centre(symbol, amounts) else ANIONS[symbol]) * n
        else:
            element = Element(symbol)
            if element.is_transition_metal and len(element.common_oxidation_states) != 1:
                return None
            charge += max(element.common_oxidation_states or (0,)) * n
    surplus = charge / sum(hosts.values())  # electrons in d states per atom
    if surplus <= HOLD_LITTLE:
        return None
    return sum(EMPTY_SHELL[symbol] * n for symbol, n in hosts.items()) / sum(hosts.values()) - surplus


def _is_centre(symbol: str, amounts: dict[str, float]) -> bool:
    """Whether a nonmetal is the centre of an oxoanion (PO4, CO3, SO4, NO3, OH) and not an anion itself."""
    oxygen = amounts.get("O", 0.0)
    if symbol == "H":
        return len(set(amounts) & set(ANIONS)) > 1
    if symbol in ("P", "As", "C"):
        around = oxygen + sum(amounts.get(anion, 0.0) for anion in ("S", "Se", "N", "F", "Cl"))
        return around >= 2 * amounts[symbol]
    return symbol in CENTRES and oxygen >= 2.5 * amounts[symbol]


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
