"""Oxidation states of a host: one for every element, so that the charges of the formula balance."""

from itertools import product

from pymatgen.core import Composition, Element

from ionscout.datasets.errors import InvalidInput
from ionscout.training.active.ions import anion_state, cation_states

# Share of the anion charge up to which lithium may be corrected: refined and rounded formulas reach a few percent.
OFF_BALANCE = 0.05
MOST_CHOICES = 20_000  # combinations of states that are tried; a formula of eight mixed-valent elements stays below
OXIDISED = {"S": 6, "Se": 6, "N": 5, "Cl": 7, "Br": 7, "I": 7, "C": 4, "P": 5, "As": 5, "Sb": 5, "Te": 6}
CHALCOGENS_AND_HALOGENS = ("O", "S", "Se", "Te", "F", "Cl", "Br", "I")


def oxidation_states(composition: Composition) -> dict[str, float]:
    """The most usual oxidation states with which a formula is neutral, or nearly so.

    Lithium is +1 and anions have their negative state; an anion-former beside a stronger one may be oxidised (S in a
    sulfate). Where whole numbers do not balance, the element with several states takes their mean (Fe²⁺ and Fe³⁺).

    Raises:
        InvalidInput: when no states come near balance.
    """
    amounts = {Element(e.symbol).symbol: float(n) for e, n in composition.items()}
    choices = {symbol: _choices(symbol, amounts) for symbol in amounts}
    anions = sum(abs(min(min(c), 0)) * amounts[s] for s, c in choices.items()) or 1.0
    best: tuple[float, float, dict[str, float]] | None = None
    for number, states in enumerate(product(*choices.values())):
        if number >= MOST_CHOICES:
            break
        chosen = dict(zip(amounts, map(float, states), strict=True))
        charge = abs(sum(chosen[s] * n for s, n in amounts.items())) / anions
        rank = sum(choices[s].index(int(q)) * amounts[s] for s, q in chosen.items())  # later choices are less usual
        # Balance to the rounding of printed formulas (0.005) counts as exact.
        key = (max(round(charge, 3), 0.005), rank)
        if best is None or key < best[:2]:
            best = (*key, chosen)
    assert best is not None
    if best[0] > 0.005 and (mixed := _mixed(amounts, choices)) is not None:
        return mixed
    if best[0] > OFF_BALANCE:
        raise InvalidInput(
            f"No oxidation states balance the charges of {composition.reduced_formula}; check the amounts in it."
        )
    return best[2]


def _choices(symbol: str, amounts: dict[str, float]) -> list[int]:
    """States of an element in this formula, most usual first."""
    if symbol == "Li":
        return [1]
    if symbol == "H":
        return [1, -1]
    anion = anion_state(symbol)
    stronger = [s for s in CHALCOGENS_AND_HALOGENS if s in amounts and Element(s).X > Element(symbol).X]
    partners = sum(amounts[s] for s in stronger)
    if anion is not None:
        # Oxoanions: SO4, NO3, ClO4, TeO3 … have at least three oxygen atoms for each central atom.
        if symbol in OXIDISED and "O" in stronger and amounts["O"] >= 3 * amounts[symbol] and symbol != "N":
            return [OXIDISED[symbol], int(anion.charge)]
        return [int(anion.charge)]
    if symbol in ("P", "As", "Sb") and not partners:
        return [-3]
    if symbol == "C":
        return [4] if partners else [-4]
    states = [int(ion.charge) for ion in cation_states(symbol)]
    common = [s for s in Element(symbol).common_oxidation_states if s > 0]
    # Beside oxygen and halogens the highest common state is the usual one; soft anions reduce Fe, Co, Cu and the like.
    return sorted(states or common or [1], key=lambda s: (s not in common, -s))


def _mixed(amounts: dict[str, float], choices: dict[str, list[int]]) -> dict[str, float] | None:
    """One element takes a mean state between two of its own, the others their most usual; None where none can."""
    usual = {symbol: float(states[0]) for symbol, states in choices.items()}
    charge = sum(usual[s] * n for s, n in amounts.items())
    for symbol, states in choices.items():
        wanted = usual[symbol] - charge / amounts[symbol]
        if len(states) > 1 and min(states) > 0 and min(states) <= wanted <= max(states):
            return usual | {symbol: wanted}
    return None
