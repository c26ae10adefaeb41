"""From crystallographic facts to CIF files: `python -m ionscout.datasets.embedded.build` rewrites `cifs/`.

The facts (`facts_*.yaml`) hold what a paper's table holds: space group with setting, cell, and for every site its
Wyckoff letter, species with occupancies and coordinates. Nothing is computed here except the symmetry expansion, and
everything that can contradict the paper (multiplicity, composition, charge) is checked on the way.
"""

import sys
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import yaml
from pymatgen.core import Composition, Lattice, Structure
from pymatgen.core.operations import SymmOp
from pymatgen.symmetry.groups import SpaceGroup

from ionscout.datasets.errors import BadData

ORBIT_TOLERANCE = 1e-4  # fractional; coordinates are given to 4–6 digits
COMPOSITION_TOLERANCE = 1e-3  # atomic fraction; occupancies are printed to 6 digits


@dataclass(frozen=True)
class SiteFacts:
    """One row of a coordinate table.

    Attributes:
        label: site name in the CIF.
        species: occupancy by element; what is missing to 1 is vacancy.
        wyckoff: multiplicity and letter, for instance `96h`.
        xyz: fractional coordinates of one member of the orbit.
    """

    label: str
    species: dict[str, float]
    wyckoff: str
    xyz: tuple[float, float, float]

    @property
    def multiplicity(self) -> int:
        return int(self.wyckoff[:-1])


@dataclass(frozen=True)
class CrystalFacts:
    """The published facts of one crystal, with an account of what was not taken from the paper.

    Attributes:
        lattice: a, b, c (Å), alpha, beta, gamma (degrees).
        z: formula units in the cell.
        origin_shift: added to every coordinate when the paper uses another origin than pymatgen's table.
        refined: sites whose coordinates come from a CHGNet relaxation; empty when all are published.
        note: what was assumed, and what the coordinates rest on.
    """

    id: str
    formula: str
    spacegroup: str
    lattice: tuple[float, float, float, float, float, float]
    z: float
    sites: tuple[SiteFacts, ...]
    reference: str
    doi: str = ""
    origin_shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    refined: tuple[str, ...] = ()
    note: str = ""

    @property
    def number(self) -> int:
        """International number of the space group."""
        return int(space_group(self.spacegroup).int_number)


def load_facts() -> list[CrystalFacts]:
    """Read every `facts_*.yaml` of this package, in the order of file names.

    Raises:
        BadData: a row lacks a field.
    """
    facts: list[CrystalFacts] = []
    for source in sorted(files(__package__).iterdir(), key=lambda p: p.name):
        if source.name.startswith("facts_") and source.name.endswith(".yaml"):
            facts += [_facts(row) for row in yaml.safe_load(source.read_text(encoding="utf-8"))]
    return facts


def build_structure(facts: CrystalFacts) -> Structure:
    """Expand the facts by symmetry into one unit cell with partial occupancies.

    Raises:
        BadData: a site does not lie on its Wyckoff position, or the cell content is not the stated formula.
    """
    lattice = Lattice.from_parameters(*facts.lattice)
    group = space_group(facts.spacegroup)
    if not group.is_compatible(lattice):
        raise BadData(f"{facts.id}: the cell does not fit {facts.spacegroup}; correct the lattice.")
    species: list[Composition] = []
    coords: list[np.ndarray] = []
    for site in facts.sites:
        orbit = group.get_orbit(_position(facts, site), tol=ORBIT_TOLERANCE)
        if len(orbit) != site.multiplicity:
            raise BadData(
                f"{facts.id}: {site.label} gives {len(orbit)} atoms, not {site.wyckoff}; correct its coordinates."
            )
        species += [Composition(site.species)] * len(orbit)
        coords += orbit
    structure = Structure(lattice, species, coords)
    _check_content(facts, structure.composition)
    return structure


def write_cif(facts: CrystalFacts) -> str:
    """CIF text of one crystal: symmetry operations plus the asymmetric unit, occupancies as published."""
    group = space_group(facts.spacegroup)
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    lines = [f"data_{facts.id}", *(f"# {line}" for line in _comments(facts))]
    lines += [f"_cell_{name} {value:.5f}" for name, value in zip(names, facts.lattice, strict=True)]
    lines += [
        f"_symmetry_space_group_name_H-M '{group.symbol}'",
        f"_symmetry_Int_Tables_number {group.int_number}",
        f"_chemical_formula_sum '{_sum_formula(facts.formula)}'",
        f"_cell_formula_units_Z {facts.z}",
        "loop_",
        "_symmetry_equiv_pos_as_xyz",
        *(f"'{operation}'" for operation in _operations(facts.spacegroup)),
        "loop_",
        "_atom_site_label",
        "_atom_site_type_symbol",
        "_atom_site_symmetry_multiplicity",
        "_atom_site_Wyckoff_symbol",
        "_atom_site_fract_x",
        "_atom_site_fract_y",
        "_atom_site_fract_z",
        "_atom_site_occupancy",
    ]
    for site in facts.sites:
        x, y, z = _position(facts, site)
        for element, occupancy in site.species.items():
            label = site.label if len(site.species) == 1 else f"{site.label}_{element}"
            lines.append(
                f"{label} {element} {site.multiplicity} {site.wyckoff[-1]} {x:.8f} {y:.8f} {z:.8f} {occupancy:.6f}"
            )
    return "\n".join(lines) + "\n"


def build(folder: Path) -> int:
    """Write `<id>.cif` for every entry and remove the CIFs of entries that are gone; answers how many were written."""
    crystals = load_facts()
    for old in folder.glob("*.cif"):
        if old.stem not in {crystal.id for crystal in crystals}:
            old.unlink()
    for crystal in crystals:
        build_structure(crystal)  # refuses what contradicts itself before anything is written
        (folder / f"{crystal.id}.cif").write_text(write_cif(crystal), encoding="utf-8")
    return len(crystals)


@lru_cache
def space_group(symbol: str) -> SpaceGroup:
    """pymatgen's space group; building one of 192 operations takes a second, so each is built once."""
    return SpaceGroup(symbol)


@lru_cache
def _operations(symbol: str) -> tuple[str, ...]:
    operations = {_wrapped(op).as_xyz_str() for op in space_group(symbol).symmetry_ops}
    return tuple(sorted(operations, key=_identity_first))


def _facts(row: dict) -> CrystalFacts:
    try:
        sites = tuple(
            SiteFacts(
                label=str(site["label"]),
                species={el: _number(x) for el, x in site["species"].items()},
                wyckoff=str(site["wyckoff"]),
                xyz=tuple(_number(x) for x in site["xyz"]),  # type: ignore[arg-type]
            )
            for site in row["sites"]
        )
        return CrystalFacts(
            id=row["id"],
            formula=row["formula"],
            spacegroup=row["spacegroup"],
            lattice=tuple(float(x) for x in row["lattice"]),  # type: ignore[arg-type]
            z=_number(row["z"]),
            sites=sites,
            reference=row["reference"],
            doi=row.get("doi", ""),
            origin_shift=tuple(_number(x) for x in row.get("origin_shift", (0, 0, 0))),  # type: ignore[arg-type]
            refined=tuple(row.get("refined", ())),
            note=row.get("note", ""),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadData(
            f"Crystal facts of '{row.get('id')}' are incomplete ({error!r}); complete the YAML row."
        ) from None


def _number(value: float | int | str) -> float:
    return float(Fraction(value)) if isinstance(value, str) else float(value)  # '1/3' stands for a special position


def _position(facts: CrystalFacts, site: SiteFacts) -> np.ndarray:
    return np.add(site.xyz, facts.origin_shift)


def _check_content(facts: CrystalFacts, content: Composition) -> None:
    stated = Composition(facts.formula)
    for element in set(stated.elements) | set(content.elements):
        if abs(stated.get_atomic_fraction(element) - content.get_atomic_fraction(element)) > COMPOSITION_TOLERANCE:
            raise BadData(f"{facts.id}: the cell holds {content.formula}, not {facts.formula}; correct occupancies.")
    if abs(content.num_atoms / stated.num_atoms - facts.z) > 0.01 * facts.z:
        raise BadData(f"{facts.id}: {content.formula} is not {facts.z} formula units; correct z.")


def _wrapped(op: SymmOp) -> SymmOp:
    return SymmOp.from_rotation_and_translation(op.rotation_matrix, np.round(op.translation_vector, 8) % 1.0)


def _identity_first(operation: str) -> tuple[bool, str]:
    return operation != "x, y, z", operation


def _sum_formula(formula: str) -> str:
    amounts = Composition(formula).get_el_amt_dict()
    return " ".join(f"{el}{amount:g}" for el, amount in sorted(amounts.items()))


def _comments(facts: CrystalFacts) -> list[str]:
    lines = [facts.formula, f"Cell and symmetry: {facts.reference}" + (f", doi {facts.doi}" if facts.doi else "")]
    if facts.refined:
        lines.append("Coordinates from a CHGNet relaxation: " + ", ".join(facts.refined))
    if facts.note:
        lines.append("Note: " + " ".join(facts.note.split()))
    return lines


if __name__ == "__main__":
    print(f"{build(Path(__file__).parent / 'cifs')} CIFs written.", file=sys.stderr)
