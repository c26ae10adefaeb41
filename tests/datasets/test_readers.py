"""Hostile and odd structure files: every one is refused, or read rightly, within seconds."""

import json
import time

import pytest
from pymatgen.core import Structure
from pymatgen.symmetry.groups import SpaceGroup

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.errors import (
    BadFormula,
    InvalidInput,
    OccupancyAboveOne,
    OverlappingSites,
    TooManySites,
    UnreadableStructure,
    UnsupportedElement,
)
from ionscout.datasets.structure import parse_material

SECONDS = 10.0  # what the service may spend on one text; each case below takes well under two on one slow core
FM3M = [operation.as_xyz_str() for operation in SpaceGroup("Fm-3m").symmetry_ops]
TWO_ATOMS = ["Li1 Li 0 0 0 1", "O1 O 0.5 0.5 0.5 1"]


def cif(rows, operations=("x, y, z",), cell=(4.0, 4.0, 4.0, 90, 90, 90), block="x"):
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    head = [f"data_{block}", *(f"_cell_{name} {value}" for name, value in zip(names, cell, strict=True))]
    symmetry = ["loop_", "_symmetry_equiv_pos_as_xyz", *(f"'{operation}'" for operation in operations)]
    columns = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")
    return "\n".join([*head, *symmetry, "loop_", *(f"_atom_site_{column}" for column in columns), *rows, ""])


def scattered(count, occupancy=0.01):
    return [
        f"Li{i} Li {i * 0.618 % 1:.4f} {i * 0.414 % 1:.4f} {i * 0.732 % 1:.4f} {occupancy}" for i in range(1, count)
    ]


HOSTILE = {
    "300 atoms under 192 operations": (cif(scattered(300), FM3M, (100, 100, 100, 90, 90, 90)), TooManySites),
    "1900 atoms under 192 operations": (cif(scattered(1900), FM3M, (100, 100, 100, 90, 90, 90)), TooManySites),
    "10,000 atoms": (cif(scattered(10_000), cell=(100, 100, 100, 90, 90, 90)), TooManySites),
    "9,600 operations": (cif(TWO_ATOMS, FM3M * 50), UnreadableStructure),
    "one long line": ("data_x\n_cell_length_a " + "'x " * 300_000, UnreadableStructure),
    "lines of quotes": ("data_x\n_cell_length_a 1\n" + (" 'x" * 600 + "\n") * 480, UnreadableStructure),
    "blank lines": ("data_x\n_cell_length_a 1\n" + " \n" * 450_000, UnreadableStructure),
    "lines of short words": ("_cell_\n" + ("A " * 100 + "\n") * 4000, UnreadableStructure),
    "many blocks": ("".join(cif(TWO_ATOMS, block=str(i)) for i in range(1000)), UnreadableStructure),
    "499 sites in 27 cubic ångström": (cif(scattered(499, 0.002), cell=(3, 3, 3, 90, 90, 90)), OverlappingSites),
    "flat cell": (cif(["Li1 Li 0 0 0 1"], cell=(30, 30, 30, 1, 1, 1.9)), OverlappingSites),
    "POSCAR of a billion atoms": ("x\n1\n4 0 0\n0 4 0\n0 0 4\nLi O\n+999_999_999 1\ndirect\n0 0 0\n", TooManySites),
    "JSON 100,000 deep": ('{"a":' * 100_000 + "1" + "}" * 100_000, UnreadableStructure),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_refused_in_time(name):
    text, error = HOSTILE[name]
    started = time.monotonic()
    with pytest.raises(error):
        parse_material(text)
    assert time.monotonic() - started < SECONDS


@pytest.mark.parametrize("symbol", ["Xx", "Vac", "Va", "OH", "Wat", "12"])
def test_what_is_no_element_is_named_and_not_reinterpreted(symbol):
    with pytest.raises(UnsupportedElement, match=symbol):
        parse_material(cif([TWO_ATOMS[0], f"Q1 {symbol} 0.5 0.5 0.5 1"]))


@pytest.mark.parametrize("symbol", ["O", "O2-", "O-2", "o"])
def test_charges_and_case_of_a_symbol_do_not_matter(symbol):
    assert parse_material(cif([TWO_ATOMS[0], f"O1 {symbol} 0.5 0.5 0.5 1"])).formula == "LiO"


@pytest.mark.parametrize("occupancy", ["-1", "nan", "inf"])
def test_occupancies_that_are_no_share_are_refused(occupancy):
    with pytest.raises(OccupancyAboveOne):
        parse_material(cif([f"Li1 Li 0 0 0 {occupancy}", TWO_ATOMS[1]]))


@pytest.mark.parametrize("source_format", ["cif", "json"])
def test_a_site_occupied_above_1_is_refused_in_every_format(source_format):
    text = cif(["Li1 Li 0 0 0 0.9", "Na1 Na 0 0 0 0.5", TWO_ATOMS[1]])
    if source_format == "json":
        content = parse_material(cif(TWO_ATOMS)).structure.as_dict()
        content["sites"][0]["species"] = [{"element": "Li", "occu": 0.9}, {"element": "Na", "occu": 0.5}]
        text = json.dumps(content)
    with pytest.raises(OccupancyAboveOne, match=r"1\.40 times"):
        parse_material(text, source_format)


@pytest.mark.parametrize("source_format", ["cif", "json"])
def test_a_sum_of_occupancies_within_tolerance_is_scaled_and_said(source_format):
    text = cif(["Li1 Li 0 0 0 0.51", "Na1 Na 0 0 0 0.5", TWO_ATOMS[1]])
    if source_format == "json":
        content = parse_material(cif(TWO_ATOMS)).structure.as_dict()
        content["sites"][0]["species"] = [{"element": "Li", "occu": 0.51}, {"element": "Na", "occu": 0.5}]
        text = json.dumps(content)
    material = parse_material(text, source_format)
    assert max(sum(site.species.values()) for site in material.structure) == pytest.approx(1.0)
    assert "scaled" in material.warnings[0]


def test_a_missing_occupancy_means_full_and_zero_means_absent():
    full = parse_material(cif(["Li1 Li 0 0 0 .", "O1 O 0.5 0.5 0.5 ?"]))
    assert full.formula == "LiO"
    absent = parse_material(cif([*TWO_ATOMS, "Cl1 Cl 0.5 0 0 0"]))
    assert absent.formula == "LiO"
    assert len(absent.structure) == 2


@pytest.mark.parametrize("value", ["nan", "inf", "1e300"])
def test_coordinates_that_are_no_place_are_refused(value):
    with pytest.raises(InvalidInput):
        parse_material(cif([f"Li1 Li {value} 0 0 1", "O1 O 0.5 0.5 0.5 1"]))


def test_a_block_without_atoms_before_the_crystal_does_not_matter():
    text = "data_global\n_journal_name_full 'J. Test'\n" + cif(TWO_ATOMS, block="I")
    assert parse_material(text).formula == "LiO"


def test_json_gives_back_the_structure_and_builds_nothing_else():
    structure = parse_material(cif(TWO_ATOMS)).structure
    content = structure.as_dict()
    bomb = {"@module": "pathlib", "@class": "Path", "from_dict": {}}
    content["properties"] = {"x": bomb}
    content["sites"][0]["properties"] = {"x": bomb}
    found = parse_material(json.dumps(content), "json").structure
    assert found == Structure(structure.lattice, structure.species, structure.frac_coords)


def test_json_with_a_singular_cell_or_a_dummy_atom_is_refused():
    content = parse_material(cif(TWO_ATOMS)).structure.as_dict()
    flat = json.loads(json.dumps(content))
    flat["lattice"]["matrix"] = [[1, 0, 0], [1, 0, 0], [0, 0, 1]]
    with pytest.raises(OverlappingSites):
        parse_material(json.dumps(flat), "json")
    content["sites"][0]["species"] = [{"element": "Xx", "occu": 1}]
    with pytest.raises(UnsupportedElement):
        parse_material(json.dumps(content), "json")


@pytest.mark.parametrize("formula", ["Li1e308", "Li9" + "9" * 190, "(" * 60 + "Li" + ")9" * 60, "Li1e999", "Li0"])
def test_formulas_with_impossible_amounts_are_refused(formula):
    with pytest.raises(BadFormula):
        parse_formula(formula)
