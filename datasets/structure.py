"""Text in, one checked `Material` out: CIF, POSCAR, pymatgen JSON or a bare formula.

Partial occupancy is kept as it is: a site carries its species mixture, and what is missing to 1 is vacancy.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from pymatgen.analysis.molecule_structure_comparator import CovalentRadius
from pymatgen.core import Composition, Element, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer, SymmetryUndeterminedError

from ionscout.datasets.composition import check_elements, formula_text, parse_formula
from ionscout.datasets.errors import (
    OccupancyAboveOne,
    OverlappingSites,
    TextTooLarge,
    TooManySites,
    UnknownName,
    UnreadableStructure,
)
from ionscout.datasets.readers import MAX_FRACTIONAL, MAX_SITES, NOTHING, read_cif, read_json, read_poscar

Format = Literal["cif", "poscar", "json", "formula"]

MAX_TEXT_BYTES = 1_000_000
OCCUPANCY_TOLERANCE = 0.02  # refined occupancies carry errors of about this size; anything above is a mistake
# Two sites overlap when they are closer than half the sum of their covalent radii and could not be
# alternatives of one atom (their occupancies add up to clearly more than 1). Split lithium sites pass.
OVERLAP_FRACTION = 0.5
OVERLAP_OCCUPANCY = 1.1
# The next three bound the number of neighbours, and so time and memory, before any neighbour is looked for.
MAX_SITE_DENSITY = 1.0  # sites per Å³; crystals have 0.05 to 0.15, finely split lithium sites up to about 0.4
MIN_HEIGHT = 0.5  # Å between opposite faces of the cell; the smallest crystals have about 2
MAX_DENSITY = 25.0  # g/cm³; osmium has 22.6, so more means wrong units or a broken cell
SYMMETRY_TOLERANCE = 0.02  # Å: finds the published space group of 250 of the 254 OBELiX training crystals
DEFAULT_RADIUS = 1.5  # Å, for the heavy elements that the covalent table leaves out


@dataclass(frozen=True)
class ConventionalCell:
    """What a diffraction paper states first.

    Attributes:
        space_group: international number.
        lattice: a, b, c in Å and α, β, γ in degrees.
        atoms: occupied atoms in the cell (fractional when disordered).
    """

    space_group: int
    lattice: tuple[float, ...]
    atoms: float


@dataclass(frozen=True)
class Material:
    """One checked crystal or composition.

    Attributes:
        composition: one formula unit, neutral elements.
        structure: periodic structure with element mixtures on its sites, or None for a bare formula.
        formula: the composition as text.
        source_format: what it was read from.
        warnings: what a user should know about how it was read.
        cell: the conventional cell; found in the structure, or known without coordinates; None if unknown.
    """

    composition: Composition
    structure: Structure | None
    formula: str
    source_format: Format
    warnings: tuple[str, ...] = ()
    cell: ConventionalCell | None = None


def parse_material(text: str, source_format: Format | None = None, *, need_lithium: bool = True) -> Material:
    """Read and check one material.

    Args:
        text: the file's content (not a path) or a formula.
        source_format: `cif`, `poscar`, `json` (pymatgen) or `formula`; recognised from the text when None.
        need_lithium: refuse materials without lithium (electrolytes yes, coatings and electrodes no).

    Raises:
        InvalidInput: one of its subclasses, whose message says what to do.
    """
    if len(text) > MAX_TEXT_BYTES or len(text.encode(errors="replace")) > MAX_TEXT_BYTES:
        raise TextTooLarge(f"The text has more than {MAX_TEXT_BYTES // 1_000_000} MB; send one crystal per text.")
    if source_format is None:
        source_format = recognise_format(text)
    if source_format not in get_args(Format):
        raise UnknownName(f"Unknown format '{source_format}'; use one of {', '.join(get_args(Format))}.")
    if source_format == "formula":
        composition = parse_formula(text)
        check_elements(composition, need_lithium=need_lithium)
        return Material(composition, None, formula_text(composition), "formula")
    if not text.strip():
        raise UnreadableStructure("The structure file is empty; send a CIF, a POSCAR or a pymatgen JSON.")
    return material_from_structure(_READERS[source_format](text), source_format, need_lithium=need_lithium)


def material_from_structure(
    structure: Structure, source_format: Format = "json", *, need_lithium: bool = True
) -> Material:
    """Check a pymatgen structure and wrap it. Oxidation states are dropped, occupancies within tolerance kept.

    Raises:
        InvalidInput: one of its subclasses.
    """
    if not len(structure):
        raise UnreadableStructure("The structure has no atoms; check the atom site loop of the file.")
    if len(structure) > MAX_SITES:
        raise TooManySites(
            f"The cell has {len(structure)} sites, at most {MAX_SITES} are read; send the primitive cell."
        )
    structure, notes = _plain_elements(structure)
    composition = formula_unit(structure)
    check_elements(composition, need_lithium=need_lithium)
    _check_geometry(structure)
    cell = conventional_cell(structure)
    return Material(composition, structure, formula_text(composition), source_format, tuple(notes), cell)


def formula_unit(structure: Structure) -> Composition:
    """Reduce the cell's composition to one formula unit, as the paper would state it.

    The divisor is the greatest common divisor of how many atoms each kind of site holds, where a kind is what shares a
    mixture: 48 (Zr, Ta) and 288 O in a garnet say what 33.6 Zr and 14.4 Ta do not. Kinds with vacancies are left out.
    """
    held: dict[tuple[str, ...], float] = {}
    for site in structure:
        kind = tuple(sorted(el.symbol for el in site.species.elements))
        held[kind] = held.get(kind, 0.0) + sum(site.species.values())
    whole = [round(amount) for amount in held.values() if amount > 0.5 and abs(amount - round(amount)) < 1e-3]
    divisor = max(1, math.gcd(*whole))
    # Occupancies in a CIF have four or five digits: 6.249996 Li would be off the charge balance that 6.25 keeps.
    return Composition({el: round(x / divisor, 4) for el, x in structure.composition.items()})


def conventional_cell(structure: Structure) -> ConventionalCell:
    """The standard conventional cell, whatever cell was given; as given (P1) where no symmetry can be found."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            analyzer = SpacegroupAnalyzer(structure, symprec=SYMMETRY_TOLERANCE)
            conventional = analyzer.get_conventional_standard_structure(international_monoclinic=True)
            number = analyzer.get_space_group_number()
        except (SymmetryUndeterminedError, TypeError, ValueError):  # spglib gives up on a few distorted cells
            conventional, number = structure, 1
    return ConventionalCell(number, conventional.lattice.parameters, conventional.composition.num_atoms)


def recognise_format(text: str) -> Format:
    """Guess the format from the text: JSON starts with a brace, a CIF has `_cell_`, one word is a formula."""
    head = text.lstrip()
    if head.startswith("{"):
        return "json"
    if "_cell_" in text or head.startswith("data_"):
        return "cif"
    return "formula" if head and len(text.split()) == 1 else "poscar"


_READERS = {"cif": read_cif, "poscar": read_poscar, "json": read_json}


def _plain_elements(structure: Structure) -> tuple[Structure, list[str]]:
    """Drop oxidation states and isotopes (Li+ and Li are one species, D counts as H), and check occupancies.

    Happens before a new structure is built, because pymatgen refuses sums above 1 with an error of its own.
    """
    mixtures: list[dict[Element, float]] = []
    for number, site in enumerate(structure, start=1):
        mixture: dict[Element, float] = {}
        for specie, occupancy in site.species.items():
            if not getattr(specie, "Z", None):
                raise UnreadableStructure(f"'{specie}' is not an element; replace dummy species by real ones.")
            if not occupancy >= 0:
                raise OccupancyAboveOne("An occupancy is negative or not a number; all must lie between 0 and 1.")
            if occupancy >= NOTHING:
                element = Element.from_Z(specie.Z)
                mixture[element] = mixture.get(element, 0.0) + occupancy
        if (total := sum(mixture.values())) > 1 + OCCUPANCY_TOLERANCE:
            raise OccupancyAboveOne(
                f"Site {number} ({site.species_string}) is occupied {total:.2f} times; "
                "the occupancies of one site must add up to at most 1."
            )
        mixtures.append(mixture)
    held = [i for i, mixture in enumerate(mixtures) if mixture]  # a site that nothing occupies is no site
    if not held:
        raise UnreadableStructure("No site of the structure is occupied; check the occupancies.")
    totals = [max(1.0, sum(mixtures[i].values())) for i in held]
    species = [
        Composition({element: x / total for element, x in mixtures[i].items()})
        for i, total in zip(held, totals, strict=True)
    ]
    notes = [f"Occupancies up to {max(totals):.3f} were scaled to 1."] if max(totals) > 1 + 1e-6 else []
    return Structure(structure.lattice, species, structure.frac_coords[held]), notes


def _check_geometry(structure: Structure) -> None:
    if not (np.all(np.isfinite(structure.frac_coords)) and np.all(np.isfinite(structure.lattice.matrix))):
        raise UnreadableStructure("A coordinate or cell parameter is not a number; check the file for NaN.")
    if np.abs(structure.frac_coords).max() > MAX_FRACTIONAL:
        raise UnreadableStructure("A fractional coordinate lies far outside the cell; check the coordinates.")
    a, b, c = structure.lattice.matrix
    areas = np.linalg.norm([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)
    if structure.volume < 1.0 or (structure.volume / areas).min() < MIN_HEIGHT:
        raise OverlappingSites(
            f"The cell of {structure.volume:.2g} Å³ is flatter than an atom; check its lengths (in Å) and angles."
        )
    if len(structure) / structure.volume > MAX_SITE_DENSITY:
        raise OverlappingSites(
            f"{len(structure)} sites lie in {structure.volume:.1f} Å³, which no crystal has; check the unit of length."
        )
    if structure.density > MAX_DENSITY:
        raise OverlappingSites(
            f"The cell of {structure.volume:.1f} Å³ gives {structure.density:.0f} g/cm³, which no crystal has; "
            "check that lengths are in Å."
        )
    if structure.density < 0.05:
        raise UnreadableStructure(
            f"The cell gives {structure.density:.3f} g/cm³, far below any crystal; check that lengths are in Å."
        )
    radii = np.array(
        [
            sum(CovalentRadius.radius.get(el.symbol, DEFAULT_RADIUS) * x for el, x in site.species.items())
            / sum(site.species.values())
            for site in structure
        ]
    )
    occupancy = np.array([sum(site.species.values()) for site in structure])
    first, second, _, distance = structure.get_neighbor_list(2 * OVERLAP_FRACTION * float(radii.max()))
    overlap = (distance < OVERLAP_FRACTION * (radii[first] + radii[second])) & (
        occupancy[first] + occupancy[second] > OVERLAP_OCCUPANCY
    )
    if overlap.any():
        k = int(np.flatnonzero(overlap)[distance[overlap].argmin()])
        raise OverlappingSites(
            f"Sites {first[k] + 1} ({structure[first[k]].species_string}) and {second[k] + 1} "
            f"({structure[second[k]].species_string}) are {distance[k]:.2f} Å apart; "
            "remove one or lower their occupancies."
        )
