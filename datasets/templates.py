"""Template structures: for an entry or a formula without atoms, a relative's crystal filled with its own composition.

Every species of the formula is given to the groups of sites of the template (sites that hold the same elements form
one group) at the least total cost: nothing for an element that is there already, more the further radius and charge
are from what is there, much for what finds no room. It is a small linear program, so that lithium, framework cations
and anions are placed together: aluminium in a garnet whose framework is full goes to the lithium sites, as it does.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import islice

import numpy as np
from pymatgen.core import Composition, Element, Lattice, Structure

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.graph import composition_vector
from ionscout.datasets.placement import ANIONS, FEW, Group, ionic_radius, least_cost, occupancies, place, site_groups
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.structure import ConventionalCell

SHORTLIST = 12  # candidates, nearest in composition, for which the placement is solved
COMPLETE = 0.02  # share of atoms without a site up to which a structure counts as whole
VOLUME_RANGE = (0.75, 1.35)  # of volume per anion: beyond, the template is no relative of the formula
SAME_SETTING = 0.15  # relative difference of an axis; more, and the two cells are not set up alike


@dataclass(frozen=True, eq=False)  # told apart by identity, so that what is found about one can be kept
class Template:
    """A measured crystal that may lend its sites. `space_group` and `family` as published, 0 and empty if unknown."""

    id: str
    structure: Structure
    space_group: int = 0
    family: str = ""


def templates_of(measurements: Sequence[Measurement]) -> list[Template]:
    """Every measured structure once, under the id of its first row."""
    found: dict[int, Template] = {}
    for m in measurements:
        if m.structure is not None and id(m.structure) not in found:
            number = m.space_group or (m.cell.space_group if m.cell is not None else 0)
            found[id(m.structure)] = Template(m.id, m.structure, number, m.family)
    return list(found.values())


@dataclass(frozen=True, eq=False)
class Completed:
    """A structure made from a template; never a measured one.

    Attributes:
        template: id of the crystal that lent the sites.
        mismatch: cost of the placement per atom; 0 for the template's own composition, 0.1 for near relatives.
        unplaced: share of the atoms that found no site; they are missing in the structure.
        cell_scale: linear factor on the template's cell, or the cube root of the volume ratio to the entry's own cell.
        atoms: how many the template's cell holds now.
    """

    template: str
    mismatch: float
    unplaced: float
    cell_scale: float
    atoms: float
    _make: Callable[[], Structure]

    @cached_property
    def structure(self) -> Structure:
        """Made when first asked for, since a reading of a formula needs the cell alone. Carries `template` and
        `mismatch` in its `properties`, so that no later step takes it for measured."""
        return self._make()

    def note(self) -> str:
        """One sentence for the warnings of an answer."""
        return (
            f"No atomic positions were given: the sites of {self.template} filled with this composition stand in "
            f"(cell axes × {self.cell_scale:.3f}, placement mismatch {self.mismatch:.2f} per atom)."
        )


def complete(
    formula: str | Composition, candidates: Sequence[Template], top: int = 3, below: float = math.inf
) -> list[Completed]:
    """The best templates for a bare formula, each filled with it, best first.

    The cell keeps its shape; its volume follows the ionic volumes of what was exchanged.

    Args:
        formula: a formula unit; fractional amounts as wanted.
        candidates: crystals to choose from; leave out those that a test holds back.
        top: how many to return at most.
        below: mismatch that a template must stay below; what cannot is not even tried, which saves most of the time.

    Returns:
        Possibly none: where no candidate has all the kinds of sites that the formula needs.

    Raises:
        BadFormula: the text is not a formula.
    """
    composition = parse_formula(formula) if isinstance(formula, str) else formula
    found = [p for p in _placements(composition, candidates, below) if p.mismatch < below]
    ranked = sorted(found, key=lambda p: (p.unplaced > COMPLETE, p.mismatch))[: top + 2]  # two spare: some lack lithium
    built = (c for p in ranked if (c := _build(p, None)) is not None)
    return list(islice(built, top))


def template_for(
    composition: Composition, cell: ConventionalCell, family: str, candidates: Sequence[Template]
) -> Completed | None:
    """The best structure for an entry of known space group and cell: same group, same family where there is one.

    Returns:
        None where no candidate has the space group and room for the composition.
    """
    alike = [c for c in candidates if c.space_group == cell.space_group]
    related = [c for c in alike if family and c.family == family]
    for group in (related, alike):
        whole = [p for p in _placements(composition, group) if p.unplaced < COMPLETE]
        for placement in sorted(whole, key=lambda p: p.mismatch):
            if (built := _build(placement, cell)) is not None:
                return built
    return None


def fill(composition: Composition, template: Template, cell: ConventionalCell | None = None) -> Completed | None:
    """The template with another composition on its sites; None when it has no anions or lithium to share.

    The formula is multiplied to give the anions of the template's cell. Lattice: the entry's own parameters where
    `cell` is given in the template's setting, else the template's axes scaled.
    """
    placement = _placement(composition, template)
    return None if placement is None else _build(placement, cell)


@dataclass(frozen=True)
class _Placement:
    template: Template
    demand: dict[Element, float]  # atoms in the cell
    placed: np.ndarray  # [element, group of sites]
    mismatch: float
    unplaced: float


def _placements(composition: Composition, candidates: Sequence[Template], below: float = math.inf) -> list[_Placement]:
    """The placement on every candidate of the shortlist that has one and may have a mismatch below the given one."""
    nearest = _shortlist(composition, candidates)
    return [p for c in nearest if (p := _placement(composition, c, below)) is not None]


def _placement(composition: Composition, template: Template, below: float = math.inf) -> _Placement | None:
    amounts = {Element(s.symbol): float(n) for s, n in composition.items()}
    per_formula = sum(n for e, n in amounts.items() if e.symbol in ANIONS)
    in_cell = sum(n for s, n in template.structure.composition.items() if s.symbol in ANIONS)
    if not per_formula or not in_cell or Element("Li") not in amounts:
        return None
    demand = {e: n * in_cell / per_formula for e, n in amounts.items()}
    total = sum(demand.values())
    if least_cost(demand, _elements(template)) >= below * total:
        return None
    placed, cost, missing = place(demand, _groups(template))
    return _Placement(template, demand, placed, cost / total, missing / total)


def _build(placement: _Placement, cell: ConventionalCell | None) -> Completed | None:
    """What a placement makes; None when no lithium found a site."""
    template, atoms = placement.template, placement.placed.sum(1)
    if not any(n > FEW for e, n in zip(placement.demand, atoms, strict=True) if e.symbol == "Li"):
        return None
    lattice = _lattice(template.structure, placement.demand, cell)
    scale = (lattice.volume / template.structure.volume) ** (1 / 3)
    make = partial(_structure, placement, lattice)
    return Completed(template.id, placement.mismatch, placement.unplaced, scale, float(atoms.sum()), make)


def _structure(placement: _Placement, lattice: Lattice) -> Structure:
    template, structure = placement.template, placement.template.structure
    species = occupancies(structure, _groups(template), list(placement.demand), placement.placed)
    kept = [(s, site.frac_coords) for s, site in zip(species, structure, strict=True) if s]
    filled = Structure(lattice, [s for s, _ in kept], [xyz for _, xyz in kept])
    filled.properties = {"template": template.id, "mismatch": placement.mismatch}
    return filled


def _lattice(structure: Structure, demand: dict[Element, float], cell: ConventionalCell | None) -> Lattice:
    """The entry's own lattice if it is set up as the template's; else the template's, scaled."""
    old = structure.lattice
    if cell is not None:
        ratios = np.array(cell.lattice[:3]) / np.array(old.abc)
        angles = np.abs(np.array(cell.lattice[3:]) - np.array(old.angles))
        if np.abs(ratios - 1).max() <= SAME_SETTING and angles.max() <= 5:
            return Lattice.from_parameters(*cell.lattice)
    before = {Element(s.symbol): float(n) for s, n in structure.composition.items()}
    ratio = float(np.clip(_ionic_volume(demand) / _ionic_volume(before), *VOLUME_RANGE))
    return old.scale(structure.volume * ratio)


def _ionic_volume(amounts: dict[Element, float]) -> float:
    """Sum of r³ over anions and framework cations; lithium fits into what they leave."""
    return sum(n * ionic_radius(e) ** 3 for e, n in amounts.items() if e.symbol != "Li")


def _shortlist(composition: Composition, candidates: Sequence[Template]) -> list[Template]:
    """The candidates nearest in atomic fractions."""
    target = composition_vector(composition).numpy()
    distance = [float(np.abs(_fractions(c) - target).sum()) for c in candidates]
    return [candidates[i] for i in np.argsort(distance, kind="stable")[:SHORTLIST]]


@lru_cache(maxsize=2_000)
def _groups(template: Template) -> list[Group]:
    return site_groups(template.structure)


@lru_cache(maxsize=2_000)
def _elements(template: Template) -> frozenset[Element]:
    return frozenset(e for group in _groups(template) for e in group.elements)


@lru_cache(maxsize=2_000)
def _fractions(template: Template) -> np.ndarray:
    return composition_vector(template.structure.composition.element_composition).numpy()
