"""Generated rows to screen: substituted compositions and strained crystals. No row of any data set is among them.

They stand for a campaign over doped electrolytes: charge-balanced substitutions on the bundled prototypes, in as many
chemical systems as such a campaign has.
"""

import re
from collections.abc import Iterator

import numpy as np
from pymatgen.core import Composition

from ionscout.datasets.composition import formula_text
from ionscout.datasets.embedded.build import load_facts
from ionscout.datasets.sources.embedded import cif_text

# Usual oxidation states, grouped by what can take whose place in a lattice (charge, and Shannon radii within 30 %).
SITES: tuple[dict[str, int], ...] = (
    {"La": 3, "Y": 3, "Sc": 3, "Er": 3, "In": 3, "Nd": 3, "Gd": 3, "Sr": 2, "Ba": 2, "Ca": 2, "Na": 1},
    {"Zr": 4, "Hf": 4, "Ti": 4, "Sn": 4, "Ta": 5, "Nb": 5, "Sb": 5, "W": 6, "Sc": 3, "In": 3, "Mg": 2, "Zn": 2},
    {"P": 5, "Ge": 4, "Si": 4, "Sn": 4, "As": 5, "Sb": 5, "Al": 3, "Ga": 3, "B": 3, "V": 5},
    {"Al": 3, "Ga": 3, "In": 3, "Sc": 3, "Y": 3, "Cr": 3, "Mg": 2, "Zn": 2, "Ge": 4, "Ti": 4, "Zr": 4},
)
ANIONS: tuple[dict[str, int], ...] = ({"O": -2, "S": -2, "Se": -2}, {"F": -1, "Cl": -1, "Br": -1, "I": -1})
SHARES = np.arange(0.017, 0.5, 0.02)  # of a site that is substituted; nobody has measured amounts as odd as these
LEAST_LITHIUM = 0.1  # per formula unit
STRAIN = 0.02  # of the cell lengths: neither bonds nor the number of neighbours change much


def substituted_formulas(count: int, seed: int = 0) -> Iterator[str]:
    """Different formulas, each with one or two substitutions, balanced by lithium."""
    rng = np.random.default_rng(seed)
    prototypes = sorted({facts.formula for facts in load_facts()})
    compositions = [Composition(formula) for formula in prototypes]
    seen = {formula_text(composition) for composition in compositions}
    while count:
        amounts = compositions[rng.integers(len(compositions))].get_el_amt_dict()
        amounts = {element: amount for element, amount in amounts.items() if amount > 0}
        for _ in range(rng.integers(1, 3)):
            _substitute(amounts, rng)
        if amounts.get("Li", 0.0) < LEAST_LITHIUM:
            continue
        text = formula_text(Composition({element: round(amount, 4) for element, amount in amounts.items()}))
        if text not in seen:
            seen.add(text)
            count -= 1
            yield text


def strained_crystals(count: int, seed: int = 0) -> Iterator[tuple[str, str]]:
    """Bundled crystals by name, as CIF text with the cell lengths changed by up to `STRAIN`."""
    rng = np.random.default_rng(seed)
    names = [facts.id for facts in load_facts()]
    for number in range(count):
        name, factor = names[number % len(names)], 1 + rng.uniform(-STRAIN, STRAIN)
        lengths = re.compile(r"^(_cell_length_[abc]\s+)([0-9.]+)", re.MULTILINE)
        text = lengths.sub(lambda found, f=factor: f"{found[1]}{float(found[2]) * f:.6f}", cif_text(name))  # type: ignore[misc]
        yield f"{name}-{number}", text


def _substitute(amounts: dict[str, float], rng: np.random.Generator) -> None:
    """Put another element on a share of one site, and balance the charge with lithium."""
    groups = [(group, host) for group in (*SITES, *ANIONS) for host in group if host in amounts]
    if not groups:
        return
    group, host = groups[rng.integers(len(groups))]
    guest = list(group)[rng.integers(len(group))]
    if guest == host:
        return
    moved = float(rng.choice(SHARES)) * amounts[host]
    amounts[host] -= moved
    amounts[guest] = amounts.get(guest, 0.0) + moved
    amounts["Li"] = amounts.get("Li", 0.0) + moved * (group[host] - group[guest])
