"""Formulas as sorted amounts, read fast: a hull has a hundred thousand of them."""

import re

from pymatgen.core import Composition, Element

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.errors import BadData, BadFormula

ATOMIC_NUMBERS = {element.symbol: element.Z for element in Element if element.Z <= 118}
_PLAIN = re.compile(r"([A-Z][a-z]?)(\d+\.?\d*)?")
_SAME = 6  # decimals of an atomic fraction within which two compositions are one


def amounts_of(composition: Composition) -> list[tuple[int, float]]:
    return sorted((element.Z, float(amount)) for element, amount in composition.items())


def composition_key(amounts: list[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """The same for all formula units of one composition."""
    total = sum([amount for _, amount in amounts])
    return tuple([(z, round(amount / total, _SAME)) for z, amount in amounts])


def parse_amounts(hull: str, formula: str) -> list[tuple[int, float]]:
    """(atomic number, amount) sorted by number. Plain formulas take a fast path, others the full parser."""
    amounts: dict[int, float] = {}
    matched = 0
    for symbol, number in _PLAIN.findall(formula):
        z = ATOMIC_NUMBERS.get(symbol, 0)
        amounts[z] = amounts.get(z, 0.0) + (float(number) if number else 1.0)
        matched += len(symbol) + len(number)
    if amounts and matched == len(formula) and 0 not in amounts and min(amounts.values()) > 0:
        return sorted(amounts.items())
    try:
        return sorted((el.Z, float(n)) for el, n in parse_formula(formula).items())
    except BadFormula as error:
        raise BadData(f"The hull {hull} has a row that is not a formula: {error}") from None
