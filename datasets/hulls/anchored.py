"""Phases that a hull lacks, anchored to its own energies: Ef(new) = Σ ν·Ef(reference phases) + ΔE(reaction).

`anchored.csv` holds each reaction and its energy from an interatomic potential, computed by
`python -m ionscout.training.anchoring` for structures that the project built (`anchored_structures/`). It holds no
energy of any hull: those enter from the hull itself, so no two energy scales ever meet. The reference phases have the
same anions and oxidation states as the new one, so that correction schemes and the potential's own errors cancel.
"""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pymatgen.core import Composition

from ionscout.datasets.errors import BadData
from ionscout.datasets.hulls.base import Phase

TABLE = Path(__file__).with_name("anchored.csv")
_COLUMNS = ("formula", "reaction", "delta_E_eV_atom", "structure", "note")
_TERM = re.compile(r"(\d+(?:\.\d+)?)?\s*([A-Z]\S*)")


@dataclass(frozen=True)
class AnchoredReaction:
    """One row of the table.

    Attributes:
        formula: the new phase.
        reaction: as text, e.g. `3 LiCl + YCl3 -> Li3YCl6`; may have by-products.
        delta_e: energy of the reaction, eV per atom of the new phase.
        structure: file in `anchored_structures/`.
        note: prototype, potential and its version, what to be careful about.
    """

    formula: str
    reaction: str
    delta_e: float
    structure: str
    note: str

    @property
    def references(self) -> dict[str, float]:
        """How many of each reference phase one formula unit of the new phase takes (negative: by-product)."""
        amounts = parse_reaction(self.reaction)
        made = -amounts.pop(self.formula)
        return {formula: amount / made for formula, amount in amounts.items()}


def parse_reaction(text: str) -> dict[str, float]:
    """Coefficients of a reaction `a A + b B -> c C + d D`: what is consumed is positive, what is made negative.

    Raises:
        BadData: it has no arrow, a term that is no formula, or is not balanced.
    """
    sides = text.split("->")
    amounts: dict[str, float] = {}
    for sign, side in zip((1.0, -1.0), sides, strict=False):
        for term in side.split(" + "):
            match = _TERM.fullmatch(term.strip())
            if match is None:
                raise BadData(f"'{term.strip()}' in the reaction '{text}' is not an amount and a formula.")
            amounts[match[2]] = amounts.get(match[2], 0.0) + sign * float(match[1] or 1)
    left: dict[str, float] = {}
    for formula, amount in amounts.items():
        for element, n in Composition(formula).items():
            left[element.symbol] = left.get(element.symbol, 0.0) + amount * n
    if len(sides) != 2 or any(abs(n) > 1e-9 for n in left.values()):
        raise BadData(f"The reaction '{text}' is not balanced; write it as 'A + B -> C'.")
    return amounts


def read_reactions(table: Path = TABLE) -> list[AnchoredReaction]:
    """All rows of the table, in an order in which later ones may refer to earlier ones.

    Raises:
        BadData: a column is missing or a number is not one.
    """
    with table.open(newline="") as file:
        reader = csv.DictReader(line for line in file if not line.startswith("#"))
        if tuple(reader.fieldnames or ()) != _COLUMNS:
            raise BadData(f"{table.name} must have the columns {', '.join(_COLUMNS)}.")
        try:
            return [
                AnchoredReaction(r["formula"], r["reaction"], float(r["delta_E_eV_atom"]), r["structure"], r["note"])
                for r in reader
            ]
        except (TypeError, ValueError):
            raise BadData(f"{table.name} has a row whose reaction energy is not a number.") from None


def anchored_phases(lookup: Callable[[Composition], float | None], table: Path = TABLE) -> list[Phase]:
    """The table's phases on the scale of one hull.

    Args:
        lookup: formation energy (eV/atom) of a composition on that hull, None where it has none; `Hull.energy_of`.

    Phases that the hull already has are left out: its own energy is better.

    Raises:
        BadData: the hull lacks a reference phase.
    """
    found: dict[str, Phase] = {}
    for row in read_reactions(table):
        composition = Composition(row.formula)
        if lookup(composition) is not None:
            continue
        total = 0.0
        for formula, amount in row.references.items():
            reference = Composition(formula)
            energy = found[formula].energy if formula in found else lookup(reference)
            if energy is None:
                raise BadData(f"{row.formula} cannot be anchored: this hull has no {formula} ({row.reaction}).")
            total += amount * reference.num_atoms * energy
        found[row.formula] = Phase(
            formula=row.formula,
            composition=composition,
            energy=total / composition.num_atoms + row.delta_e,
            provenance="anchored",
        )
    return list(found.values())
