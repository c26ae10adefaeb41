"""The embedded set: enough of every family, citations, and structures whose chemistry is right."""

import csv
import math
from collections import Counter
from functools import cache
from importlib.resources import files

import numpy as np
import pytest
from pymatgen.analysis.molecule_structure_comparator import CovalentRadius
from pymatgen.core import Composition, Species, Structure

from ionscout.datasets.embedded.build import build_structure, load_facts, write_cif
from ionscout.datasets.errors import BadData
from ionscout.datasets.sources.embedded import Embedded, cif_text, demo_crystals
from ionscout.datasets.structure import Material, parse_material

FACTS = {crystal.id: crystal for crystal in load_facts()}
FAMILIES_WITH_CRYSTALS = {
    "garnet", "NASICON", "perovskite", "LGPS", "thio-LISICON", "LISICON", "argyrodite", "halide", "anti-perovskite",
    "phosphate", "borohydride", "nitride", "poor",
}  # fmt: skip
ANIONS = {"O": -2, "S": -2, "F": -1, "Cl": -1, "Br": -1, "I": -1, "N": -3}
OXIDATION = {
    "Li": 1, "Ba": 2, "Sr": 2, "Zn": 2, "Al": 3, "Ga": 3, "La": 3, "Y": 3, "Er": 3, "In": 3, "Sc": 3, "Ti": 4, "Zr": 4,
    "Hf": 4, "Ge": 4, "Si": 4, "Sn": 4, "C": 4, "P": 5, "Ta": 5, "Nb": 5, "B": 3, "H": -1,
} | ANIONS  # fmt: skip
# Shannon radii of the anions at their usual coordination, Å (Acta Crystallogr. A 32, 751 (1976)).
ANION_RADIUS = {"O": 1.38, "S": 1.84, "F": 1.33, "Cl": 1.81, "Br": 1.96, "I": 2.20, "N": 1.46}
# Mean bond of the first shell (Å) and its number of anions, as known from many crystals of the kind.
BONDS = {
    ("P", "O"): (1.50, 1.60, {4}),
    ("P", "S"): (1.98, 2.10, {3, 4}),  # 3 in P2S6, where the fourth neighbour is phosphorus
    ("Si", "O"): (1.58, 1.68, {4}),
    ("Ge", "O"): (1.70, 1.92, {4, 6}),
    ("Ge", "S"): (2.15, 2.28, {4}),
    ("Sn", "S"): (2.33, 2.46, {4}),
    ("C", "O"): (1.25, 1.32, {3}),
    ("Al", "O"): (1.70, 1.82, {4}),
    ("Al", "Cl"): (2.08, 2.18, {4}),
    ("Al", "N"): (1.84, 1.98, {4}),
    ("Ti", "O"): (1.90, 2.00, {6}),
    ("Nb", "O"): (1.94, 2.06, {6}),
    ("Ta", "O"): (1.94, 2.06, {6}),
    ("Zr", "O"): (2.02, 2.16, {6}),
    ("Hf", "O"): (2.02, 2.16, {6}),
    ("La", "O"): (2.45, 2.80, {8, 12}),
    ("Y", "Cl"): (2.56, 2.70, {6}),
    ("Er", "Cl"): (2.54, 2.70, {6}),
    ("Y", "Br"): (2.70, 2.86, {6}),
    ("In", "Cl"): (2.44, 2.58, {6}),
    ("Sc", "Cl"): (2.42, 2.56, {6}),
    ("Zr", "Cl"): (2.40, 2.56, {6}),
}
# g/cm³: measured or X-ray densities that the papers and handbooks give.
DENSITIES = {
    "li2o": 2.01, "lif": 2.64, "licl": 2.07, "li2co3": 2.10, "lialo2_gamma": 2.61, "linbo3": 4.63, "litao3": 7.45,
    "llzo_cubic": 5.1, "llzo_tetragonal": 5.1, "lgps": 2.0, "latp": 2.93, "ltp": 2.95, "li3ps4_beta": 1.87,
    "li6ps5cl": 1.86, "li3ycl6": 2.45, "li3po4_gamma": 2.43, "libh4": 0.67, "li3n": 1.29,
}  # fmt: skip


@cache
def material(crystal: str) -> Material:
    return parse_material(cif_text(crystal), "cif")


@cache
def measurements():
    return Embedded().load()


def shell(structure: Structure, index: int) -> tuple[str, np.ndarray] | None:
    """Anion and distances of the first coordination shell of a site; None for anions."""
    neighbours = structure.get_neighbors(structure[index], 3.4)
    bonds = sorted(
        (n.nn_distance, max((el.symbol for el in n.species), key=lambda s: n.species[s]))
        for n in neighbours
        if sum(x for el, x in n.species.items() if el.symbol in ANIONS) > 0.5
    )
    if not bonds:
        return None
    nearest = bonds[0][0]
    return bonds[0][1], np.array([d for d, _ in bonds if d < 1.25 * nearest])


def expected_bond(species: Composition, anion: str, coordination: int) -> float:
    total = 0.0
    for element, share in species.items():
        charge = OXIDATION[element.symbol]
        radii = element.data["Shannon radii"][str(charge)]
        roman = {"II": 2, "III": 3, "IV": 4, "VI": 6, "VIII": 8, "XII": 12}
        known = {roman[k]: k for k in radii if k in roman}
        label = known[min(known, key=lambda cn: abs(cn - coordination))]
        total += share * Species(element.symbol, charge).get_shannon_radius(label, spin="", radius_type="ionic")
    return total / species.num_atoms + ANION_RADIUS[anion]


def test_the_set_has_the_promised_size_and_families():
    rows = measurements()
    assert len(rows) >= 75
    assert len({row.id for row in rows}) == len(rows)
    assert len({row.formula for row in rows}) >= 60
    assert len(FACTS) >= 40
    assert {row.family for row in rows if row.structure is not None} >= FAMILIES_WITH_CRYSTALS


def test_values_are_conductivities_at_room_temperature():
    for row in measurements():
        assert -18 <= row.log10_conductivity <= 0, row.id
        assert 293 <= row.temperature_K <= 303.5, row.id
        assert row.activation_energy_eV is None or 0.05 < row.activation_energy_eV < 1.5, row.id


def test_every_row_has_a_reference_and_extrapolations_are_marked():
    text = (files("ionscout.datasets.embedded") / "measurements.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    for row in rows:
        assert len(row["reference"]) > 15, row["id"]
        assert row["doi"] == "" or row["doi"].startswith("10."), row["id"]
        assert row["extrapolated"] in {"true", "false"}
        assert row["note"] or row["extrapolated"] == "false", f"{row['id']} is extrapolated and does not say how"
        assert "as cited in" not in row["reference"] or row["via"], row["id"]


def test_every_crystal_has_a_measurement_of_its_own_composition():
    used = Counter()
    for row in csv.DictReader((files("ionscout.datasets.embedded") / "measurements.csv").open(encoding="utf-8")):
        if row["structure"]:
            used[row["structure"]] += 1
            measured, crystal = Composition(row["formula"]), Composition(FACTS[row["structure"]].formula)
            assert measured.fractional_composition.almost_equals(crystal.fractional_composition, rtol=0, atol=1e-3)
    assert set(used) == set(FACTS)


@pytest.mark.parametrize("crystal", FACTS)
def test_the_cif_is_what_the_facts_give(crystal):
    assert cif_text(crystal) == write_cif(FACTS[crystal])


@pytest.mark.parametrize("crystal", FACTS)
def test_the_cif_parses_without_warning_to_the_stated_formula(crystal):
    read, facts = material(crystal), FACTS[crystal]
    built, stated = build_structure(facts), Composition(facts.formula)
    assert read.warnings == ()
    assert read.structure is not None
    assert len(read.structure) == len(built)
    for element in set(stated.elements) | set(read.composition.elements):
        assert read.composition.get_atomic_fraction(element) == pytest.approx(
            stated.get_atomic_fraction(element), abs=1e-3
        )
    assert read.structure.volume == pytest.approx(built.volume, rel=1e-4)


@pytest.mark.parametrize("crystal", FACTS)
def test_the_crystal_is_charge_balanced(crystal):
    composition = Composition(FACTS[crystal].formula)
    states = OXIDATION | {"li3p": {"P": -3}, "li4p2s6": {"P": 4}}.get(crystal, {})
    charge = sum(amount * states[el.symbol] for el, amount in composition.items())
    assert abs(charge) / composition.num_atoms < 0.005


@pytest.mark.parametrize("crystal", FACTS)
def test_no_two_atoms_sit_on_top_of_each_other(crystal):
    structure = material(crystal).structure
    occupancy = np.array([site.species.num_atoms for site in structure])
    radius = np.array(
        [
            sum(CovalentRadius.radius[el.symbol] * x for el, x in s.species.items()) / s.species.num_atoms
            for s in structure
        ]
    )
    first, second, _, distance = structure.get_neighbor_list(2.0)
    crowded = occupancy[first] + occupancy[second] > 1.1
    assert np.all(distance[crowded] > 0.5 * (radius[first] + radius[second])[crowded])


@pytest.mark.parametrize("crystal", FACTS)
def test_ions_of_one_sign_keep_their_distance(crystal):
    structure = material(crystal).structure
    occupancy = np.array([site.species.num_atoms for site in structure])
    major = [max(site.species, key=lambda el, s=site.species: s[el]).symbol for site in structure]
    for i, j, _, distance in zip(*structure.get_neighbor_list(3.4), strict=True):
        if occupancy[i] + occupancy[j] <= 1.1 or "H" in (major[i], major[j]):
            continue
        if major[i] in ANIONS and major[j] in ANIONS:
            # 15 % below contact: edges of small polyhedra; the edge of a carbonate triangle is shorter still
            limit = 2.2 if crystal == "li2co3" else 0.85 * (ANION_RADIUS[major[i]] + ANION_RADIUS[major[j]])
            assert distance > limit, f"{major[i]}–{major[j]} {distance:.2f} Å"
        elif major[i] not in ANIONS and major[j] not in ANIONS:
            lithium = (major[i], major[j]).count("Li")
            limit = {2: 1.5, 1: 2.2, 0: 2.5}[lithium]  # lithium pairs: split sites of fast conductors
            assert distance > limit or crystal in {"li4p2s6", "li3p"}, f"{major[i]}–{major[j]} {distance:.2f} Å"


@pytest.mark.parametrize("crystal", [c for c in FACTS if "H" not in Composition(FACTS[c].formula) and c != "li3p"])
def test_shortest_bonds_agree_with_shannon_radii(crystal):
    structure = material(crystal).structure
    for index, site in enumerate(structure):
        symbols = {el.symbol for el in site.species}
        if symbols & set(ANIONS) or site.species.num_atoms <= 0.5:
            continue
        found = shell(structure, index)
        assert found is not None, f"{site.species_string} has no anion within 3.4 Å"
        anion, bonds = found
        expected = expected_bond(site.species, anion, len(bonds))
        assert bonds[0] == pytest.approx(expected, rel=0.2), f"{site.species_string}–{anion} {bonds[0]:.2f} Å"


@pytest.mark.parametrize("crystal", FACTS)
def test_coordination_polyhedra_are_those_of_the_elements(crystal):
    structure = material(crystal).structure
    for index, site in enumerate(structure):
        element = max(site.species, key=lambda el: site.species[el])
        if element.symbol in ANIONS or site.species[element] < 0.74 * site.species.num_atoms:
            continue
        found = shell(structure, index)
        limits = BONDS.get((element.symbol, found[0])) if found else None
        if limits is None:
            continue
        low, high, numbers = limits
        assert low <= found[1].mean() <= high, f"{site.species_string}–{found[0]} {found[1].mean():.3f} Å"
        assert len(found[1]) in numbers, f"{site.species_string} has {len(found[1])} {found[0]} neighbours"


@pytest.mark.parametrize("crystal", [c for c in FACTS if "BH4" in FACTS[c].formula or "H12" in FACTS[c].formula])
def test_borohydride_groups_are_tetrahedra(crystal):
    structure = material(crystal).structure
    for site in structure:
        if "B" in {el.symbol for el in site.species}:
            bonds = [n.nn_distance for n in structure.get_neighbors(site, 1.6) if "H" in n.species.as_dict()]
            assert len(bonds) == 4
            assert all(1.0 < bond < 1.25 for bond in bonds)


@pytest.mark.parametrize(("crystal", "density"), DENSITIES.items())
def test_densities_are_the_known_ones(crystal, density):
    assert material(crystal).structure.density == pytest.approx(density, rel=0.03)


def test_partial_occupancy_is_kept():
    disordered = [c for c in FACTS if not material(c).structure.is_ordered]
    assert len(disordered) >= 25
    species = {site.species_string for site in material("llzo_al").structure}
    assert any("Al" in s and "Li" in s for s in species)


def test_a_wrong_wyckoff_letter_and_a_wrong_formula_are_refused():
    from dataclasses import replace

    facts = FACTS["li3ycl6"]
    moved = replace(facts, sites=(replace(facts.sites[0], xyz=(0.34, 0.01, 0.0)), *facts.sites[1:]))
    with pytest.raises(BadData, match="6g"):
        build_structure(moved)
    with pytest.raises(BadData, match="occupancies"):
        build_structure(replace(facts, formula="Li2YCl6"))


def test_demo_crystals_start_with_disordered_garnet_and_have_measured_values():
    crystals = demo_crystals()
    assert len(crystals) >= 5
    assert len({c.measurement.family for c in crystals}) >= 5
    first = parse_material(crystals[0].cif).structure
    assert first.get_space_group_info()[1] == 230
    assert not first.is_ordered
    for crystal in crystals:
        assert not crystal.measurement.censored
        assert math.isfinite(crystal.measurement.log10_conductivity)
        read = parse_material(crystal.cif).composition.fractional_composition
        assert read.almost_equals(crystal.measurement.composition.fractional_composition, rtol=0, atol=1e-3)


def test_the_card_counts_what_is_there():
    card, rows = Embedded().card(), measurements()
    for family, count in Counter(row.family for row in rows).items():
        crystals = len({r.structure.formula for r in rows if r.family == family and r.structure is not None})
        assert f"| {family} | {count} | {crystals} |" in card
    assert f"{len(rows)} measurements" in card
    assert f"{len(FACTS)} crystals" in card
