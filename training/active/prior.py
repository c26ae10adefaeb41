"""What can be said of a lithium conductor before anything is measured: soft anions, strong bonds elsewhere, disorder.

No conductivity enters here: neither a label nor a weight fitted to one. Three descriptors of the composition with equal
weights, each standardised over the candidates at hand.
"""

from collections.abc import Sequence

import numpy as np
from pymatgen.core import Composition, Element

ANIONS = frozenset({"H", "N", "O", "F", "S", "Cl", "Se", "Br", "Te", "I"})
DESCRIPTORS = ("anion_softness", "cation_charge", "disorder")


def descriptors(compositions: Sequence[Composition]) -> np.ndarray:
    """The three descriptors of each composition, [n, 3]; more of each lets lithium move more easily.

    anion_softness: minus the mean Pauling electronegativity of the anions. Less electronegative anions are more
        polarisable and hold lithium less (Kraft et al., J. Am. Chem. Soc. 139, 10909 (2017)).
    cation_charge: mean highest common oxidation state of the cations other than lithium. Highly charged ones draw the
        electrons of the anions away from lithium, the inductive effect (Culver et al., Chem. Mater. 2020).
    disorder: entropy of mixing on the anion and on the cation side, per atom of each, in units of k: unlike neighbours
        smear out the site energies of lithium (Zeng et al., Science 378, 1320 (2022)).
    """
    return np.array([_of(c) for c in compositions]).reshape(len(compositions), len(DESCRIPTORS))


def prior_score(compositions: Sequence[Composition]) -> np.ndarray:
    """Sum of the standardised descriptors over √3, so that its spread is about 1; [n], larger is better."""
    values = descriptors(compositions)
    spread = values.std(0)
    return ((values - values.mean(0)) / np.where(spread > 0, spread, 1.0)).sum(1) / np.sqrt(len(DESCRIPTORS))


def _of(composition: Composition) -> tuple[float, float, float]:
    amounts = {el.symbol: float(n) for el, n in composition.items()}
    anions = {symbol: n for symbol, n in amounts.items() if symbol in ANIONS}
    cations = {symbol: n for symbol, n in amounts.items() if symbol not in ANIONS and symbol != "Li"}
    softness = -_mean({symbol: Element(symbol).X for symbol in anions}, anions)
    charge = _mean({symbol: max(Element(symbol).common_oxidation_states or (0,)) for symbol in cations}, cations)
    return softness, charge, _entropy(anions) + _entropy(cations)


def _mean(values: dict[str, float], amounts: dict[str, float]) -> float:
    return sum(values[s] * n for s, n in amounts.items()) / sum(amounts.values()) if amounts else 0.0


def _entropy(amounts: dict[str, float]) -> float:
    shares = np.array(list(amounts.values())) / sum(amounts.values()) if amounts else np.ones(1)
    return float(-(shares * np.log(shares)).sum())
