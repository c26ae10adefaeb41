"""Formulas: parsing, checks, and the per-formula-unit form that papers print."""

import math

import numpy as np
from pymatgen.core import Composition, Element

from ionscout.datasets.errors import BadFormula, NoLithium, UnsupportedElement

MAX_FORMULA_LENGTH = 200  # the longest formula in the measured data has 60 characters
MAX_ATOMS = 10_000  # in one formula; a cell of 500 sites written out has fewer
HEAVIEST = 94  # the last element that the element tables of pymatgen and the shipped networks know


def parse_formula(formula: str) -> Composition:
    """Parse a chemical formula such as `Li6.5La3Zr1.5Ta0.5O12` or `Li1.3Al0.3Ti1.7(PO4)3`.

    Raises:
        BadFormula: when the text is not a formula of real elements with positive finite amounts.
    """
    text = formula.strip()
    if not text:
        raise BadFormula("The formula is empty; write one such as Li6PS5Cl.")
    if len(text) > MAX_FORMULA_LENGTH:
        raise BadFormula(f"The formula has {len(text)} characters; at most {MAX_FORMULA_LENGTH} are read.")
    try:
        composition = Composition(text, strict=True)
    except (ValueError, TypeError, KeyError, ZeroDivisionError, OverflowError, RecursionError) as error:
        raise BadFormula(f"'{text}' is not a chemical formula ({_short(error)}); write one such as Li6PS5Cl.") from None
    amounts = list(composition.values())
    if not amounts or not all(math.isfinite(x) and x > 0 for x in amounts):
        raise BadFormula(f"'{text}' has no positive, finite amounts; write one such as Li6PS5Cl.")
    if sum(amounts) > MAX_ATOMS:
        raise BadFormula(f"'{text}' counts more than {MAX_ATOMS} atoms; write one formula unit.")
    return composition


def check_elements(composition: Composition, *, need_lithium: bool = True) -> None:
    """Refuse compositions with radioactive elements, or (by default) without lithium.

    Raises:
        UnsupportedElement, NoLithium.
    """
    for element in composition.elements:
        if element.Z > HEAVIEST or Element.from_Z(element.Z).is_radioactive:
            raise UnsupportedElement(
                f"{element.symbol} is radioactive and outside the training data; replace it by a stable element."
            )
    if need_lithium and Element("Li") not in composition:
        raise NoLithium(
            f"{composition.reduced_formula} contains no lithium; ionscout answers for lithium electrolytes only."
        )


def atomic_fractions(composition: Composition) -> np.ndarray:
    """Atomic fractions by atomic number, [95], adding up to 1."""
    vector = np.zeros(HEAVIEST + 1)
    for element, amount in composition.items():
        vector[element.Z] += float(amount)
    return vector / vector.sum()


def formula_text(composition: Composition) -> str:
    """Write a composition as a formula with at most four significant decimals, electropositive elements first."""
    return "".join(
        f"{el.symbol}{'' if abs(n - 1) < 1e-6 else f'{n:.4f}'.rstrip('0').rstrip('.')}"
        for el, n in sorted(composition.items(), key=lambda pair: pair[0].X)
    )


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:100].rstrip(".")
