"""Formulas as tables print them: repair of damaged cells, and the charge balance that tells a wrong one."""

import re
from dataclasses import dataclass
from itertools import pairwise

from pymatgen.core import Composition, Element

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.errors import BadFormula, InvalidInput

_LOOKALIKES = str.maketrans("₀₁₂₃₄₅₆₇₈₉−–—（）［］", "0123456789---()[]")
_PHASE = re.compile(r"^(?:[αβγδ]|alpha|beta|gamma|delta|[ct])\s*-\s*(?=[A-Z(\[])")
_X_VALUE = re.compile(r"[,;\s(]+x\s*=\s*(\d*\.?\d+)\s*\)?\s*$")
_X_AMOUNT = re.compile(r"(?:(\d*\.?\d+)\s*([+-])\s*)?(?<![\d.])(\d*\.?\d*)x(?:\s*([+-])\s*(\d*\.?\d+))?")
_LEADING_ZERO = re.compile(r"(?<=[A-Za-z)])0(\d+)(?![\d.])")


@dataclass(frozen=True)
class CleanFormula:
    """A formula that parses, and the names of the repairs it took (see `cleaning.RULES`)."""

    text: str
    composition: Composition
    repairs: tuple[str, ...]


def clean_formula(cell: str) -> CleanFormula:
    """Read a formula cell, with the damage that scanned and typed tables have.

    Repaired: spaces, look-alike characters, nested and square brackets, decimal commas, a leading phase name
    (`β-Li3PS4`), values of x given beside the formula (`Li1+xAlxTi2-x(PO4)3, x=0.3`), and a zero after an element,
    which is either a lost decimal point (`P05` for P0.5) or an O (`P04` for PO4): the reading nearer to charge
    neutrality is taken.

    Raises:
        BadFormula: what is left is not a formula.
    """
    repairs = []
    text = cell.strip()
    if found := _X_VALUE.search(text):
        text = _substitute(text[: found.start()].translate(_LOOKALIKES), float(found.group(1)))
        repairs.append("x notation")
    plain = _PHASE.sub("", re.sub(r"\s+", "", text).translate(_LOOKALIKES))
    plain = re.sub(r"(?<=\d),(?=\d)", ".", plain)
    plain = plain.replace("[", "(").replace("]", ")").replace("{", "(").replace("}", ")").replace("·", "")
    if plain != text:
        repairs.append("formula characters")
    if _LEADING_ZERO.search(plain):
        point, letter = _LEADING_ZERO.sub(r"0.\1", plain), _LEADING_ZERO.sub(r"O\1", plain)
        readings = ((letter, "zero read for O"), (point, "missing decimal point"))  # the first where both balance
        plain, name = min(readings, key=lambda reading: round(_imbalance(reading[0]), 2))
        repairs.append(name)
    return CleanFormula(plain, parse_formula(plain), tuple(repairs))


def charge_imbalance(composition: Composition) -> float:
    """Net charge that no usual oxidation states can remove, as a share of the anion charge; 0 when one can.

    Every element is given a range: metals their usual positive states; the most electronegative ones their negative
    state; P, S, N, C and the like a positive range where enough oxygen (or sulfur) is there to oxidise them.
    """
    if composition["B"] and composition["H"]:
        return 0.0  # borane clusters (B3H8, B12H12) share electrons in ways that states do not count
    ranges = [(n, *_states(Element(species.symbol), composition)) for species, n in composition.items()]
    low = sum(amount * lowest for amount, lowest, _ in ranges)
    high = sum(amount * highest for amount, _, highest in ranges)
    anions = -sum(amount * min(lowest, 0) for amount, lowest, _ in ranges)
    if anions == 0:
        return 1.0  # nothing takes the electrons: a torn formula or an alloy, no electrolyte either way
    return max(low, -high, 0.0) / anions


# Positive states met in oxides, sulfides and halides; pymatgen's common states stand in for the others.
_METALS = {
    "Ti": (3, 4), "V": (2, 5), "Cr": (2, 6), "Mn": (2, 7), "Fe": (2, 3), "Co": (2, 3), "Ni": (2, 4), "Cu": (1, 2),
    "Nb": (3, 5), "Mo": (3, 6), "W": (4, 6), "Sn": (2, 4), "Ge": (2, 4), "Pb": (2, 4), "Bi": (3, 5), "Ce": (3, 4),
    "Pr": (3, 4), "Tb": (3, 4), "Eu": (2, 3), "Sm": (2, 3), "Yb": (2, 3), "In": (1, 3), "Tl": (1, 3), "Ta": (3, 5),
    "B": (3, 3), "Al": (3, 3), "Si": (4, 4), "Ga": (3, 3), "Zr": (4, 4), "Hf": (4, 4),
}  # fmt: skip
_SEMI = {"P": (-3, 5), "As": (-3, 5), "Sb": (-3, 5), "C": (-4, 4), "Si": (-4, 4), "Ge": (-4, 4), "Sn": (-4, 4)}
_ANIONS = {"O": -2, "S": -2, "Se": -2, "Te": -2, "N": -3, "F": -1, "Cl": -1, "Br": -1, "I": -1}
_OXIDISED = {"S": 6, "Se": 6, "Te": 6, "N": 5, "Cl": 7, "Br": 7, "I": 7}


def _states(element: Element, composition: Composition) -> tuple[int, int]:
    symbol = element.symbol
    oxygen, amount = composition["O"], composition[element]
    takers = any(composition[a] for a in ("O", "S", "Se", "Te", "N", "F", "Cl", "Br", "I"))
    if symbol == "H":
        return (-1, 1)
    if symbol in _ANIONS:
        # NO2, SO2 and TeO2 groups and richer ones; of the halogens XO3 and XO4 only, and none beside hydroxide.
        needed = 3 if symbol in ("Cl", "Br", "I") else 2
        can_be_oxidised = symbol in _OXIDISED and oxygen >= needed * amount and not (needed == 3 and composition["H"])
        # A nitrogen of LiPON sits in the phosphate's place and stays nitride.
        if symbol == "N" and composition["P"]:
            can_be_oxidised = False
        return (_ANIONS[symbol], _OXIDISED[symbol] if can_be_oxidised else _ANIONS[symbol])
    if symbol in _SEMI and not takers:
        return _SEMI[symbol]
    if symbol == "C":
        return (-4, 4)
    if symbol in ("P", "As", "Sb"):
        return (3, 5)
    if symbol in _METALS:
        return _METALS[symbol]
    usual = [s for s in element.common_oxidation_states if s > 0] or [1]
    return (min(usual), max(usual))


def _imbalance(text: str) -> float:
    try:
        return charge_imbalance(parse_formula(text))
    except InvalidInput:
        return float("inf")


def _substitute(text: str, x: float) -> str:
    """Replace amounts such as `1+x`, `2-x`, `0.5x` and `x` by their value."""

    def value(found: re.Match[str]) -> str:
        first, sign, factor, sign_after, last = found.groups()
        term = x * (float(factor) if factor else 1.0)
        total = float(first or 0) + (-term if sign == "-" else term)
        total += float(last or 0) * (-1 if sign_after == "-" else 1)
        if total < 0:
            raise BadFormula(f"'{text}' has a negative amount for x = {x:g}; correct x.")
        return f"{total:.6g}"

    # An amount that becomes zero removes its element: formula parsers refuse El0.
    pieces = re.split(r"(x)", text)
    if not any(a == "x" for a, _ in pairwise(pieces)):
        raise BadFormula(f"'{text}' is given with a value of x but has no x; write the formula out.")
    return re.sub(r"[A-Z][a-z]?0(?![.\d])", "", _X_AMOUNT.sub(value, text))
