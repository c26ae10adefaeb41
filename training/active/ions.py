"""Ions: which oxidation states an element plausibly has in an insulator, how large each is, and how it is written."""

from dataclasses import dataclass
from functools import lru_cache

from pymatgen.analysis.bond_valence import BV_PARAMS
from pymatgen.core import Element

from ionscout.datasets.composition import HEAVIEST
from ionscout.datasets.placement import ANIONS

ROMAN = {
    "I": 1,
    "II": 2,
    "III": 3,
    "IV": 4,
    "V": 5,
    "VI": 6,
    "VII": 7,
    "VIII": 8,
    "IX": 9,
    "X": 10,
    "XI": 11,
    "XII": 12,
}
# Å by which an ionic radius grows for each further neighbour, where Shannon's table lacks a coordination number: the
# mean of his own steps (IV to VI 0.15, VI to VIII 0.13).
RADIUS_STEP = 0.07
BOND_VALENCE_SOFTNESS = 0.37  # Å; Brown & Altermatt, Acta Cryst. B41, 244 (1985)
UNUSUAL = {"H", "He", "Ne", "Ar", "Kr", "Xe"}  # protons are another chemistry, noble gases none
NEVER_CATIONS = {"C", "N", "O", "S", "Se", "F", "Cl", "Br", "I"}  # as dopants; S⁶⁺ and the like are hosts
MIXED = {"V", "Mn"}
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, order=True)
class Ion:
    """An element in one oxidation state; host ions of mixed valence may have a fractional mean charge."""

    symbol: str
    charge: float

    def __str__(self) -> str:
        size = abs(self.charge)
        whole = abs(size - round(size)) < 1e-6
        digits = (str(round(size)) if round(size) != 1 else "") if whole else f"{size:.2g}"
        return f"{self.symbol}{digits.translate(_SUPERSCRIPT).replace('.', '·')}{'⁺' if self.charge > 0 else '⁻'}"

    @property
    def is_anion(self) -> bool:
        return self.charge < 0

    @property
    def element(self) -> Element:
        return Element(self.symbol)


@lru_cache(maxsize=4_000)
def ionic_radius(ion: Ion, coordination: float) -> float | None:
    """Shannon's radius in Å at a coordination number, high spin; None where the ion has none at all.

    Interpolated between the tabulated coordination numbers, extrapolated by `RADIUS_STEP` for each neighbour.
    Source: R. D. Shannon, Acta Cryst. A32, 751 (1976), as tabulated in pymatgen.
    """
    known = tabulated_radii(ion)
    if not known:
        return None
    below = max((n for n in known if n <= coordination), default=None)
    above = min((n for n in known if n >= coordination), default=None)
    if below is None:
        assert above is not None
        return known[above] - RADIUS_STEP * (above - coordination)
    if above is None or above == below:
        return known[below] + RADIUS_STEP * (coordination - below)
    share = (coordination - below) / (above - below)
    return known[below] + share * (known[above] - known[below])


@lru_cache(maxsize=1_000)
def tabulated_radii(ion: Ion) -> dict[int, float]:
    """Shannon's radii in Å by coordination number; of planar, pyramidal and regular ones the regular counts."""
    table = (ion.element.data.get("Shannon radii") or {}).get(str(round(ion.charge)), {})
    found: dict[int, float] = {}
    for name, spins in table.items():
        label = name.removesuffix("SQ").removesuffix("PY")
        if label in ROMAN and (ROMAN[label] not in found or label == name):
            spin = spins.get("High Spin") or spins.get("") or next(iter(spins.values()))
            found[ROMAN[label]] = float(spin["ionic_radius"])
    return found


def bond_valence(first: str, second: str, distance: float) -> float:
    """Valence of one bond of length `distance` in Å; 0 for elements without parameters.

    Source: O'Keeffe & Brese, J. Am. Chem. Soc. 113, 3226 (1991), eq. 5, parameters as tabulated in pymatgen.
    """
    length = bond_length(first, second)
    return 0.0 if length is None else float(2.718281828459045 ** ((length - distance) / BOND_VALENCE_SOFTNESS))


@lru_cache(maxsize=10_000)
def bond_length(first: str, second: str) -> float | None:
    """Length in Å of a bond of valence 1 between two elements; None without parameters. Source: as `bond_valence`."""
    a, b = BV_PARAMS.get(Element(first)), BV_PARAMS.get(Element(second))
    if a is None or b is None:
        return None
    correction = a["r"] * b["r"] * (a["c"] ** 0.5 - b["c"] ** 0.5) ** 2 / (a["c"] * a["r"] + b["c"] * b["r"])
    return float(a["r"] + b["r"] - correction)


@lru_cache(maxsize=4)
def usable_elements() -> tuple[str, ...]:
    """Every element that is neither radioactive nor a noble gas nor hydrogen."""
    elements = [Element.from_Z(z) for z in range(1, HEAVIEST + 1)]
    return tuple(e.symbol for e in elements if not e.is_radioactive and e.symbol not in UNUSUAL)


@lru_cache(maxsize=1_000)
def cation_states(symbol: str) -> tuple[Ion, ...]:
    """Positive states in which an element may sit in an insulator, those with a radius in Shannon's table.

    The common states of pymatgen, and for the late transition metals (groups 8 to 12), V, Mn and the rare earths those
    that occur in the ICSD too. The early transition metals keep to their common states: below them their d electrons
    conduct. Divalent Nd and Sm are left out, as they reduce water; Bi⁵⁺ is in, as garnets hold it.
    """
    element = Element(symbol)
    if symbol in NEVER_CATIONS:
        return ()
    states = {s for s in element.common_oxidation_states if s > 0}
    if element.is_rare_earth or symbol in MIXED or (element.is_transition_metal and element.group >= 8):
        states |= {s for s in element.icsd_oxidation_states if s >= (3 if symbol in {"Nd", "Sm"} else 1)}
    states |= {5} if symbol == "Bi" else set()
    return tuple(Ion(symbol, s) for s in sorted(states) if tabulated_radii(Ion(symbol, s)))


def is_common(ion: Ion) -> bool:
    """Whether the state is among the element's usual ones."""
    return any(abs(ion.charge - state) < 1e-6 for state in ion.element.common_oxidation_states)


@lru_cache(maxsize=100)
def anion_state(symbol: str) -> Ion | None:
    """The negative ion of O, S, Se, Te, N and the halogens; None for other elements."""
    charges = {"O": -2, "S": -2, "Se": -2, "Te": -2, "N": -3, "F": -1, "Cl": -1, "Br": -1, "I": -1}
    return Ion(symbol, charges[symbol]) if symbol in ANIONS else None
