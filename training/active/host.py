"""The host of a doping study: neutral formula unit, oxidation states, and its sub-lattices with their orbits."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from pymatgen.core import Composition, Element, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer, SymmetryUndeterminedError

from ionscout.datasets.composition import formula_text
from ionscout.datasets.errors import InvalidInput, NoLithium
from ionscout.datasets.sources.embedded import Embedded
from ionscout.datasets.structure import SYMMETRY_TOLERANCE, ConventionalCell, Material, conventional_cell
from ionscout.datasets.templates import COMPLETE, Template, complete, templates_of
from ionscout.training.active.environment import Environment, environment, usual_environment
from ionscout.training.active.ions import Ion
from ionscout.training.active.lithium_sites import LithiumRoom, lithium_room
from ionscout.training.active.oxidation import oxidation_states

LITHIUM = "Li"
# Placement mismatch per atom up to which a lent crystal counts as the formula's own family: relatives have up to 0.05;
# LiFePO4 on the sites of a NASICON, which it is not, has 0.07.
RELATIVE = 0.06


@dataclass(frozen=True)
class Orbit:
    """Symmetrically equivalent sites that hold one host ion (perhaps among others).

    Attributes:
        sites: their numbers in the host's structure; empty without one.
        amount: atoms of the ion on them, per formula unit.
        environment: coordination and bonds of one of them.
    """

    sites: tuple[int, ...]
    amount: float
    environment: Environment


@dataclass(frozen=True)
class Sublattice:
    """All sites of one host ion.

    Attributes:
        ion: the host ion, which a dopant would replace.
        orbits: inequivalent sites, most occupied first.
    """

    ion: Ion
    orbits: tuple[Orbit, ...]

    @property
    def amount(self) -> float:
        """Atoms per formula unit."""
        return sum(orbit.amount for orbit in self.orbits)


@dataclass(frozen=True, eq=False)
class Host:
    """What dopants are put into.

    Attributes:
        composition: one formula unit with the lithium that balances its charges.
        formula: lithium first.
        structure: average structure (primitive cell), None where no crystal is known.
        units: formula units in the structure's cell.
        states: oxidation state of every element.
        sublattices: lithium, framework cations and anions.
        room: lithium sites, free ones included.
        cell: conventional cell, for the conductivity model.
        notes: what a user should know about how the host was read.
    """

    composition: Composition
    formula: str
    structure: Structure | None
    units: float
    states: dict[str, float]
    sublattices: tuple[Sublattice, ...]
    room: LithiumRoom
    cell: ConventionalCell | None
    notes: tuple[str, ...] = ()

    @property
    def lithium(self) -> float:
        """Lithium atoms per formula unit."""
        return float(self.composition[LITHIUM])

    def sublattice(self, symbol: str) -> Sublattice:
        """The sub-lattice of one host element."""
        return next(s for s in self.sublattices if s.ion.symbol == symbol)

    @property
    def material(self) -> Material:
        """The undoped host as the conductivity model takes it."""
        return Material(self.composition, self.structure, self.formula, "json", (), self.cell)


def host_of(material: Material, templates: Sequence[Template] | None = None) -> Host:
    """Prepare a material for doping.

    Args:
        material: a crystal, disordered or not, or a bare formula.
        templates: crystals that may lend a bare formula their sites; the embedded ones when None.

    Raises:
        NoLithium: the material holds none.
        InvalidInput: no oxidation states balance its charges.
    """
    if Element(LITHIUM) not in material.composition:
        raise NoLithium(f"{material.formula} contains no lithium; ionscout dopes lithium electrolytes only.")
    composition = Composition({Element(e.symbol).symbol: float(n) for e, n in material.composition.items()})
    structure, cell, notes = material.structure, material.cell, list(material.warnings)
    if structure is None:
        structure, cell, note = _lent(composition, templates)
        notes.append(note)
    states = oxidation_states(composition)
    shift = -sum(states[e.symbol] * n for e, n in composition.items())
    if composition[LITHIUM] + shift <= 0:
        raise InvalidInput(f"{material.formula} is far from charge balance; check the amounts of its elements.")
    if abs(shift) > 1e-3:
        notes.append(f"The formula is off charge balance: {shift:+.3f} Li per formula unit were added.")
    amounts = {e.symbol: float(n) for e, n in composition.items()}
    amounts[LITHIUM] += shift
    neutral = Composition(amounts)
    units = 1.0
    if structure is not None:
        structure = _primitive(structure)
        units = _units(structure, composition)
    sublattices = _sublattices(structure, units, neutral, states)
    room = lithium_room(structure, units, neutral[LITHIUM], states)
    return Host(neutral, lithium_first(neutral), structure, units, states, sublattices, room, cell, tuple(notes))


def lithium_first(composition: Composition) -> str:
    """The formula with lithium first and at most four decimals, other elements by electronegativity."""
    lithium = Composition({LITHIUM: composition[LITHIUM]}) if composition[LITHIUM] > 0 else None
    rest = Composition({e: n for e, n in composition.items() if e.symbol != LITHIUM and n > 1e-6})
    return (formula_text(lithium) if lithium is not None else "") + formula_text(rest)


def _lent(
    composition: Composition, templates: Sequence[Template] | None
) -> tuple[Structure | None, ConventionalCell | None, str]:
    """A structure for a bare formula from a relative's crystal, its cell, and a note."""
    candidates = embedded_templates() if templates is None else templates
    found = complete(composition, candidates, top=5)
    whole = [c for c in found if c.unplaced <= COMPLETE and c.mismatch <= RELATIVE]
    if not whole:
        return None, None, "No crystal like it is known here: sites are judged by usual coordination numbers alone."
    # Of polymorphs that fit alike, the disordered one of high symmetry is the conductor.
    best = min(c.mismatch for c in whole)
    alike = [(conventional_cell(c.structure), c) for c in whole if c.mismatch <= best + 0.02]
    cell, chosen = max(alike, key=lambda pair: (pair[1].structure.is_ordered is False, pair[0].space_group))
    return Structure.from_sites(chosen.structure.sites), cell, chosen.note()


@lru_cache(maxsize=1)
def embedded_templates() -> tuple[Template, ...]:
    """The crystals that ship with the package."""
    return tuple(templates_of(Embedded().load()))


def _primitive(structure: Structure) -> Structure:
    """The primitive cell, in which everything is smaller; the cell as given where the search fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            analyzer = SpacegroupAnalyzer(structure, symprec=SYMMETRY_TOLERANCE)
            smaller = analyzer.find_primitive(keep_site_properties=False)
        except (SymmetryUndeterminedError, TypeError, ValueError):
            return structure
    return smaller if smaller is not None and len(smaller) < len(structure) else structure


def _units(structure: Structure, composition: Composition) -> float:
    """Formula units in the cell, by the elements other than lithium (lithium is often refined badly)."""
    inside = {Element(e.symbol).symbol: float(n) for e, n in structure.composition.items()}
    ratios = [inside.get(e.symbol, 0.0) / n for e, n in composition.items() if e.symbol != LITHIUM]
    return float(np.median(ratios))


def _sublattices(
    structure: Structure | None, units: float, composition: Composition, states: dict[str, float]
) -> tuple[Sublattice, ...]:
    found = []
    for element, amount in composition.items():
        ion = Ion(element.symbol, states[element.symbol])
        if structure is None:
            orbits: tuple[Orbit, ...] = (Orbit((), float(amount), usual_environment(ion, states)),)
        else:
            orbits = tuple(
                Orbit(sites, _held(structure, sites, element.symbol) / units, environment(structure, sites[0], states))
                for sites in orbits_of(structure)
                if _held(structure, sites, element.symbol) > 1e-3
            )
        if orbits:
            found.append(Sublattice(ion, tuple(sorted(orbits, key=lambda orbit: -orbit.amount))))
    return tuple(found)


def _held(structure: Structure, sites: Sequence[int], symbol: str) -> float:
    return float(sum(structure[i].species[symbol] for i in sites))


def orbits_of(structure: Structure) -> list[tuple[int, ...]]:
    """Sites that a symmetry operation exchanges; where no symmetry is found, those with one mixture of species."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = SpacegroupAnalyzer(structure, symprec=SYMMETRY_TOLERANCE).get_symmetry_dataset()
            labels = [str(label) for label in dataset.equivalent_atoms]
        except (SymmetryUndeterminedError, TypeError, ValueError, AttributeError):
            labels = [site.species_string for site in structure]
    members: dict[str, list[int]] = {}
    for number, label in enumerate(labels):
        members.setdefault(label, []).append(number)
    return [tuple(sites) for sites in members.values()]
