"""Explanations add up, find what a known model was told, and do not depend on the cell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Element, Lattice, Structure

from ionscout.datasets.sources.embedded import demo_crystals
from ionscout.datasets.structure import Material, material_from_structure, parse_material
from ionscout.models.conductivity.completion import readings
from ionscout.models.conductivity.explanation import MOST_SITES, Explanation, explain, lithium_paths
from ionscout.models.conductivity.occlusion import Occluder, typical_species
from ionscout.models.conductivity.predictor import ConductivityPredictor


@dataclass(frozen=True)
class Answer:
    conductivity: float


class Told:
    """A predictor whose log10 σ is a given function of the material."""

    def __init__(self, law: Callable[[Material], float]):
        self.law = law

    def predict(self, materials: Sequence[Material], temperature_K: float, kind: str) -> list[Answer]:
        return [Answer(10 ** self.law(material)) for material in materials]


def fraction(element: str) -> Callable[[Material], float]:
    return lambda material: material.composition.get_atomic_fraction(Element(element))


def total(found: Explanation) -> float:
    return found.baseline + sum(part.decades for part in found.species)


@pytest.fixture(scope="module")
def shipped() -> ConductivityPredictor:
    return ConductivityPredictor.load()


MANY = "Li1.2Al0.1Ti1.5Ge0.2Sn0.1Si0.1P2.9O12"  # seven elements beside lithium: orders are drawn


@pytest.mark.parametrize("formula", ["Li2O", "Li6PS5Cl", "Li6.4La3Zr1.4Ta0.6O12", MANY])
def test_baseline_and_species_add_up_to_the_prediction(shipped, formula):
    material = parse_material(formula)
    found = explain(shipped, material)
    assert found.prediction == pytest.approx(np.log10(shipped.predict([material])[0].conductivity), abs=1e-5)
    assert total(found) == pytest.approx(found.prediction, abs=1e-5)
    assert found.sites == ()
    assert found.paths is None or found.paths.borrowed_from


def test_a_formula_shows_the_paths_of_its_best_template_marked_as_borrowed():
    found = explain(Told(lambda m: -4.0), parse_material("Li6.5La3Zr1.5Ta0.5O12"))
    assert found.paths.borrowed_from == readings(parse_material("Li6.5La3Zr1.5Ta0.5O12"))[0].template
    assert found.paths.dimension == 3  # a garnet
    assert found.paths_unknown == ""
    assert found.sites == ()  # sites of another crystal have no share in this prediction


def test_a_crystal_shows_its_own_paths():
    found = explain(Told(lambda m: -4.0), parse_material(demo_crystals()[0].cif))
    assert found.paths.borrowed_from == ""
    assert found.paths_unknown == ""


def test_unknown_paths_come_with_the_reason():
    formula = explain(Told(lambda m: -4.0), parse_material("LiPt3Rh4Au2"))
    assert formula.paths is None
    assert "No crystal was given" in formula.paths_unknown
    bare = Structure(Lattice.cubic(4), ["La", "O"], [[0, 0, 0], [0.5] * 3])
    lanthana = material_from_structure(bare, need_lithium=False)
    framework = explain(Told(lambda m: -4.0), replace(lanthana, composition=parse_material("LiLaO2").composition))
    assert framework.paths is None
    assert "no lithium sites" in framework.paths_unknown


def test_a_crystal_adds_up_and_its_sites_say_what_they_leave(shipped):
    found = explain(shipped, parse_material(demo_crystals()[1].cif))
    assert total(found) == pytest.approx(found.prediction, abs=1e-4)
    left = found.prediction - found.baseline - sum(site.decades or 0 for site in found.sites)
    assert found.sites_remainder == pytest.approx(left)
    assert sum(site.sites for site in found.sites) == 58  # every site of the cell belongs to one kind


@pytest.mark.parametrize("formula", ["Li6PS5Cl", MANY])
def test_what_a_law_says_of_one_element_is_found_with_that_element(formula):
    phosphorus = explain(Told(lambda m: 10 * fraction("P")(m) - 4), parse_material(formula))
    real = parse_material(formula).composition.get_atomic_fraction("P")
    typical = typical_species().cations[Element("P")]
    cations = [part for part in phosphorus.species if part.role == "cation"]
    by_name = {part.element: part.decades for part in phosphorus.species}
    # Phosphorus lends what it has more than the typical cation; other cations have less, anions nothing.
    assert by_name["P"] == pytest.approx(10 * real * (1 - typical), abs=1e-6)
    assert all(part.decades < 0 for part in cations if part.element != "P")
    assert all(part.decades == pytest.approx(0, abs=1e-9) for part in phosphorus.species if part.role == "anion")


def test_an_interaction_is_shared_by_those_who_interact():
    found = explain(Told(lambda m: 100 * fraction("I")(m) * fraction("Y")(m)), parse_material("Li3YI6"))
    iodine, yttrium = (next(p.decades for p in found.species if p.element == e) for e in ("I", "Y"))
    assert iodine > 0 < yttrium
    assert iodine + yttrium == pytest.approx(found.prediction - found.baseline)


def test_lithium_is_kept_where_species_are_replaced():
    material = parse_material(demo_crystals()[0].cif)
    occluder = Occluder(material)
    typical = occluder.without(set(occluder.elements()))
    assert typical.composition["Li"] == material.composition["Li"]
    assert typical.composition.num_atoms == pytest.approx(material.composition.num_atoms)
    assert typical.structure.composition["Li"] == pytest.approx(material.structure.composition["Li"])
    assert len(typical.structure) == len(material.structure)
    assert typical.composition["La"] < material.composition["La"] / 3


def test_sites_are_found_by_what_they_do():
    """A law that counts lithium in the crystal must give each lithium site its lithium, and nothing to others."""
    material = parse_material(demo_crystals()[1].cif)
    found = explain(Told(lambda m: 0.1 * m.structure.composition["Li"]), material)
    for site in found.sites:
        expected = 0.1 * site.sites * site.occupancy if site.label.startswith("Li") else 0.0
        assert site.decades == pytest.approx(expected, abs=1e-6), site.label
    assert found.sites_remainder == pytest.approx(found.prediction - found.baseline - 2.0)


def test_the_only_lithium_site_is_not_emptied():
    argyrodite = parse_material(demo_crystals()[2].cif)
    found = explain(Told(lambda m: float("nan") if "Li" not in m.structure.composition else 0.0), argyrodite)
    assert found.sites[0].label == "Li(1)"
    assert found.sites[0].decades is None
    assert all(site.decades == 0 for site in found.sites[1:])


def test_many_sites_are_cut_to_the_first_and_lithium_comes_first():
    rng = np.random.default_rng(1)
    positions = rng.permutation(np.stack(np.meshgrid(*[np.arange(3) / 3] * 3), -1).reshape(-1, 3)) + rng.normal(
        0, 0.02, (27, 3)
    )
    structure = Structure(Lattice.cubic(7.5), ["Li"] * 9 + ["P"] * 2 + ["S"] * 16, positions)
    found = explain(Told(lambda m: -4.0), material_from_structure(structure))
    assert len(found.sites) == MOST_SITES
    assert [site.label.startswith("Li") for site in found.sites] == sorted(
        (site.label.startswith("Li") for site in found.sites), reverse=True
    )


@settings(max_examples=6, deadline=None)
@given(crystal=st.sampled_from([2, 4, 5, 6, 7]), scaling=st.sampled_from([(2, 1, 1), (1, 1, 2)]))
def test_a_supercell_has_the_same_explanation(crystal, scaling):
    law = Told(lambda m: 5 * m.structure.composition.get_atomic_fraction("Li") - 3 * fraction("S")(m))
    material = parse_material(demo_crystals()[crystal].cif)
    one = explain(law, material)
    two = explain(law, material_from_structure(material.structure * scaling))
    assert [part.element for part in one.species] == [part.element for part in two.species]
    np.testing.assert_allclose(
        [part.decades for part in one.species], [part.decades for part in two.species], atol=1e-4
    )
    assert one.paths.dimension == two.paths.dimension
    assert one.paths.percolation == pytest.approx(two.paths.percolation)
    assert len(one.sites) == len(two.sites)


def test_the_dimension_follows_the_hop_distance():
    chains = Structure(Lattice.orthorhombic(3, 4, 5), ["Li", "Cl"], [[0, 0, 0], [0.5] * 3])
    assert [lithium_paths(chains, hop).dimension for hop in (2.5, 3.5, 4.5, 5.5)] == [0, 1, 2, 3]
    assert lithium_paths(chains).percolation == pytest.approx((3, 4, 5))


def test_a_framework_without_lithium_has_no_paths():
    assert lithium_paths(Structure(Lattice.cubic(4), ["La", "O"], [[0, 0, 0], [0.5] * 3])) is None


def test_an_explanation_stops_when_its_time_is_over():
    calls = []

    def check_time() -> None:
        calls.append(1)
        if len(calls) > 2:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        explain(Told(lambda m: -4.0), parse_material(MANY), check_time=check_time)


def test_neighbours_come_with_where_they_were_looked_for():
    found = explain(Told(lambda m: -4.0), parse_material("Li6PS5Cl"), neighbours=3)
    assert found.searched[0] == "embedded"
    assert len(found.neighbours) == 3 <= found.rows_searched
    assert found.neighbours[0].measurement.formula == "Li6PS5Cl"
