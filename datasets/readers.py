"""Text of one file in, a pymatgen `Structure` out; nothing in the text is trusted.

The parsers of pymatgen take as long as a file makes them, and skip or reinterpret what they do not know (`Vac`
becomes vanadium). So every text is counted before it is expanded: without these bounds 50 atoms under 192 symmetry
operations take ten seconds, one line of a POSCAR asks for a billion atoms, and a pymatgen JSON may name any class of
any module to be built.
"""

import json
import math
import re
import warnings

import numpy as np
from pymatgen.core import Composition, Element, Lattice, PeriodicSite, Structure
from pymatgen.io.cif import CifBlock, CifParser, str2float
from pymatgen.io.vasp import Poscar

from ionscout.datasets.errors import (
    InvalidInput,
    OccupancyAboveOne,
    TooManySites,
    UnreadableStructure,
    UnsupportedElement,
)

MAX_SITES = 500  # the largest measured crystal has 328
# Rows of a CIF, or sites before equal positions are merged: several species may share one. With 2,000 the parser,
# quadratic in the positions, takes about a second.
MAX_ROWS = 4 * MAX_SITES
MAX_OPERATIONS = 192  # of the largest space group, centring included
# The tokeniser is quadratic in the length of a line that has open quotes; the CIF 1.1 standard allows 2048 characters.
MAX_LINE = 2048
MAX_QUOTES = 100  # in one line
MAX_FRACTIONAL = 1000.0  # some files leave coordinates in a neighbouring cell, none this far
NOTHING = 1e-6  # an occupancy below this is zero
MAX_BLOCKS = 100  # data blocks of a CIF

_SYMBOL = re.compile(r"[A-Za-z]+")
_INTEGERS = re.compile(r"\s*(?:[+]?[0-9_]+\s+)*[+]?[0-9_]+\s*")  # numbers as Python's int() takes them
_ISOTOPES = {"D", "T"}


def read_cif(text: str) -> Structure:
    """Read the first data block that lists atoms.

    Raises:
        InvalidInput: one of its subclasses.
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]  # runs of blank lines take it minutes
    if any(len(line) > MAX_LINE or line.count("'") + line.count('"') > MAX_QUOTES for line in lines):
        raise UnreadableStructure(f"The CIF has a line of over {MAX_LINE} characters or {MAX_QUOTES} quotes; break it.")
    if sum(line.startswith("data_") for line in lines) > MAX_BLOCKS:
        raise UnreadableStructure(f"The CIF has more than {MAX_BLOCKS} data blocks; send one crystal per text.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            parser = CifParser.from_str("\n".join(lines) + "\n")
            blocks = vars(parser)["_cif"].data  # the parser has no other way to read one block of several
            name = next(name for name, block in blocks.items() if block.data.get("_atom_site_fract_x"))
            for other in set(blocks) - {name}:
                del blocks[other]
            _check_cif_atoms(parser, blocks[name])
            # No occupancy check here: the parser would rescale sums above 1 silently, or drop the whole file.
            return parser.parse_structures(primitive=False, check_occu=False, on_error="raise")[0]
        except InvalidInput:
            raise
        except StopIteration:
            raise UnreadableStructure(
                "The CIF lists no atoms; check its cell and its loop of _atom_site_fract_x, _y and _z."
            ) from None
        except Exception as error:  # the parser raises many kinds for broken text; all mean the same to a user
            raise UnreadableStructure(
                f"The CIF cannot be read ({_reason(error)}); check it with a CIF viewer."
            ) from None


def _check_cif_atoms(parser: CifParser, cif_block: CifBlock) -> None:
    """Refuse what the parser would expand for minutes, and what it would leave out or change silently."""
    block = cif_block.data
    for symbol in block.get("_atom_site_type_symbol", ()):
        letters = _SYMBOL.match(symbol)
        if letters is None or not _is_element(letters[0]):
            raise UnsupportedElement(f"'{symbol}' is not an element; give every atom its element symbol.")
    occupancies = block.get("_atom_site_occupancy", [])
    for row, text in enumerate(occupancies):
        if text in (".", "?"):
            occupancies[row] = "1"  # the standard's default; the parser reads 0
        elif not 0 <= str2float(text) < math.inf:
            raise OccupancyAboveOne(f"The occupancy {text} is not a number from 0 to 1; check the atom site loop.")
    absent = {row for row, text in enumerate(occupancies) if str2float(text) < NOTHING}
    if absent:  # the parser gives them an occupancy of 1e-8 and then confuses them with other sites
        for key, column in block.items():
            if key.startswith("_atom_site_") and isinstance(column, list) and len(column) == len(occupancies):
                block[key] = [text for row, text in enumerate(column) if row not in absent]
    rows = np.array([[str2float(x) for x in block[f"_atom_site_fract_{axis}"]] for axis in "xyz"]).T
    if len(rows) > MAX_ROWS:
        raise _too_many(len(rows))
    if not np.all(np.abs(rows) <= MAX_FRACTIONAL):  # the parser wraps them into the cell, NaN becomes an error there
        raise UnreadableStructure("A fractional coordinate is far outside the cell or no number; check the atom loop.")
    symmetry = [x for key, x in block.items() if ("symop" in key or "symmetry_equiv" in key) and isinstance(x, list)]
    if (listed := max(map(len, symmetry), default=0)) > MAX_OPERATIONS:
        raise UnreadableStructure(f"The CIF lists {listed} symmetry operations; a space group has at most 192.")
    matrices = np.array([operation.affine_matrix for operation in parser.get_symops(cif_block)])
    positions = np.einsum("oij,rj->ori", matrices[:, :3, :3], rows) + matrices[:, None, :3, 3]
    expanded = len(np.unique(np.round(positions.reshape(-1, 3) % 1.0, 3) % 1.0, axis=0))
    if expanded > MAX_ROWS:
        raise _too_many(expanded)


def read_poscar(text: str) -> Structure:
    """Read a POSCAR of the VASP 5 form.

    Raises:
        InvalidInput: one of its subclasses.
    """
    for line in text.splitlines()[1:10]:  # among them the numbers of atoms: the parser makes lists of that length
        if _INTEGERS.fullmatch(line) and sum(int(word[:18]) for word in line.split()) > MAX_SITES:
            raise TooManySites(f"The POSCAR has more than {MAX_SITES} sites; send the primitive cell.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a POSCAR without element names only warns, then invents them
            return Poscar.from_str(text, read_velocities=False).structure
    except Exception as error:
        raise UnreadableStructure(
            f"The POSCAR cannot be read ({_reason(error)}); use the VASP 5 form with an element line."
        ) from None


def read_json(text: str) -> Structure:
    """Read lattice, species, occupancies and coordinates of a pymatgen JSON, and nothing else of it.

    Raises:
        InvalidInput: one of its subclasses.
    """
    try:
        content = json.loads(text)
        sites = content["sites"]
        if not sites:
            raise UnreadableStructure("The JSON has no sites; write it with Structure.to(fmt='json').")
        if len(sites) > MAX_SITES:
            raise _too_many(len(sites))
        lattice = Lattice(np.array(content["lattice"]["matrix"], dtype=float))
        species = [_mixture(site["species"]) for site in sites]
        coordinates = np.array([site["abc"] for site in sites], dtype=float).reshape(len(sites), 3)
        structure = Structure(lattice, ["Li"] * len(sites), coordinates)
        for i, mixture in enumerate(species):
            # Unchecked: sums above 1 are judged, with a better sentence, where all formats meet.
            structure[i] = PeriodicSite(mixture, coordinates[i], lattice, skip_checks=True)
        return structure
    except InvalidInput:
        raise
    except Exception as error:
        raise UnreadableStructure(
            f"The JSON is not a pymatgen structure ({_reason(error)}); write it with Structure.to(fmt='json')."
        ) from None


def _mixture(species: list[dict]) -> Composition:
    """One site's elements with their occupancies; oxidation states are not read."""
    mixture: dict[Element, float] = {}
    for entry in species:
        symbol, occupancy = str(entry["element"]), float(entry["occu"])
        if not _is_element(symbol):
            raise UnsupportedElement(f"'{symbol}' is not an element; replace dummy species by real ones.")
        if not 0 <= occupancy < math.inf:
            raise OccupancyAboveOne(f"The occupancy {occupancy} is not a number from 0 to 1; check the sites.")
        element = Element(symbol)
        mixture[element] = mixture.get(element, 0.0) + occupancy
    return Composition(mixture)


def _is_element(symbol: str) -> bool:
    return symbol.upper() in _ISOTOPES or Element.is_valid_symbol(symbol.capitalize())


def _too_many(count: int) -> TooManySites:
    return TooManySites(f"The file gives {count} sites, at most {MAX_SITES} are read; send the primitive cell.")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:120].rstrip(".")
