"""Text in, one checked `Material` out: CIF, POSCAR, pymatgen JSON or a bare formula.

Partial occupancy is kept as it is: a site carries its species mixture, and what is missing to 1 is vacancy.
"""

import json
import re
import warnings
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from pymatgen.analysis.molecule_structure_comparator import CovalentRadius
from pymatgen.core import Composition, Element, Structure
from pymatgen.io.cif import CifParser
from pymatgen.io.vasp import Poscar

from ionscout.datasets.composition import check_elements, formula_text, formula_unit, parse_formula
from ionscout.datasets.errors import (
    OccupancyAboveOne,
    OverlappingSites,
    TextTooLarge,
    TooManySites,
    UnknownName,
    UnreadableStructure,
)

Format = Literal["cif", "poscar", "json", "formula"]

MAX_TEXT_BYTES = 1_000_000
MAX_SITES = 500  # the largest measured crystal has 328
OCCUPANCY_TOLERANCE = 0.02  # refined occupancies carry errors of about this size; anything above is a mistake
# Two sites overlap when they are closer than half the sum of their covalent radii and could not be
# alternatives of one atom (their occupancies add up to clearly more than 1). Split lithium sites pass.
OVERLAP_FRACTION = 0.5
OVERLAP_OCCUPANCY = 1.1
MAX_DENSITY = 25.0  # g/cm³; osmium has 22.6, so more means wrong units or a broken cell
DEFAULT_RADIUS = 1.5  # Å, for the heavy elements that the covalent table leaves out


@dataclass(frozen=True)
class Material:
    """One checked crystal or composition.

    Attributes:
        composition: one formula unit, neutral elements.
        structure: periodic structure with element mixtures on its sites, or None for a bare formula.
        formula: the composition as text.
        source_format: what it was read from.
        warnings: what a user should know about how it was read.
    """

    composition: Composition
    structure: Structure | None
    formula: str
    source_format: Format
    warnings: tuple[str, ...] = ()


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
    structure = _plain_elements(structure)
    composition = formula_unit(structure.composition)
    check_elements(composition, need_lithium=need_lithium)
    structure, notes = _check_occupancies(structure)
    _check_geometry(structure)
    return Material(composition, structure, formula_text(composition), source_format, tuple(notes))


def recognise_format(text: str) -> Format:
    """Guess the format from the text: JSON starts with a brace, a CIF has `_cell_`, one word is a formula."""
    head = text.lstrip()
    if head.startswith("{"):
        return "json"
    if "_cell_" in text or head.startswith("data_"):
        return "cif"
    return "formula" if head and len(text.split()) == 1 else "poscar"


def _read_cif(text: str) -> Structure:
    rows = len(re.findall(r"^\s*[A-Z][A-Za-z0-9+\-]*\s+\S+(?:\s+\S+){3,}$", text, flags=re.MULTILINE))
    if rows > 4 * MAX_SITES:  # stops a huge file before symmetry multiplies it
        raise TooManySites(
            f"The CIF lists about {rows} atoms, at most {MAX_SITES} sites are read; send the primitive cell."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # No occupancy check here: the parser would rescale sums above 1 silently, or drop the whole file.
            structures = CifParser.from_str(text).parse_structures(primitive=False, check_occu=False, on_error="raise")
        except Exception as error:  # the parser raises many kinds for broken text; all mean the same to a user
            raise UnreadableStructure(
                f"The CIF cannot be read ({_reason(error)}); check it with a CIF viewer."
            ) from None
    if not structures:
        raise UnreadableStructure("The CIF holds no structure; check its cell and atom site loop.")
    return structures[0]


def _read_poscar(text: str) -> Structure:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a POSCAR without element names only warns, then invents them
            return Poscar.from_str(text, read_velocities=False).structure
    except Exception as error:
        raise UnreadableStructure(
            f"The POSCAR cannot be read ({_reason(error)}); use the VASP 5 form with an element line."
        ) from None


def _read_json(text: str) -> Structure:
    try:
        return Structure.from_dict(json.loads(text))
    except Exception as error:
        raise UnreadableStructure(
            f"The JSON is not a pymatgen structure ({_reason(error)}); write it with Structure.to(fmt='json')."
        ) from None


_READERS = {"cif": _read_cif, "poscar": _read_poscar, "json": _read_json}


def _plain_elements(structure: Structure) -> Structure:
    """Drop oxidation states and isotopes: Li+ and Li are one species, D counts as H."""
    species = []
    for site in structure:
        mixture: dict[Element, float] = {}
        for specie, occupancy in site.species.items():
            if not getattr(specie, "Z", None):
                raise UnreadableStructure(f"'{specie}' is not an element; replace dummy species by real ones.")
            element = Element.from_Z(specie.Z)
            mixture[element] = mixture.get(element, 0.0) + occupancy
        species.append(Composition(mixture, allow_negative=True))
    return Structure(structure.lattice, species, structure.frac_coords)


def _check_occupancies(structure: Structure) -> tuple[Structure, list[str]]:
    totals = np.array([sum(site.species.values()) for site in structure])
    smallest = min(min(site.species.values(), default=0.0) for site in structure)
    if not np.all(np.isfinite(totals)) or smallest < 0:
        raise OccupancyAboveOne("An occupancy is negative or not a number; every occupancy must lie between 0 and 1.")
    worst = int(totals.argmax())
    if totals[worst] > 1 + OCCUPANCY_TOLERANCE:
        raise OccupancyAboveOne(
            f"Site {worst + 1} ({structure[worst].species_string}) is occupied {totals[worst]:.2f} times; "
            "the occupancies of one site must add up to at most 1."
        )
    if totals[worst] <= 1 + 1e-6:
        return structure, []
    species = [
        Composition({el: x / max(1.0, total) for el, x in site.species.items()})
        for site, total in zip(structure, totals, strict=True)
    ]
    note = f"Occupancies up to {totals[worst]:.3f} were scaled to 1."
    return Structure(structure.lattice, species, structure.frac_coords), [note]


def _check_geometry(structure: Structure) -> None:
    if not (np.all(np.isfinite(structure.frac_coords)) and np.all(np.isfinite(structure.lattice.matrix))):
        raise UnreadableStructure("A coordinate or cell parameter is not a number; check the file for NaN.")
    if structure.volume < 1.0 or structure.density > MAX_DENSITY:
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
            f"({structure[second[k]].species_string}) are {distance[k]:.2f} Å apart; remove one or lower their occupancies."
        )


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:120].rstrip(".")
