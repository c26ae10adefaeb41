"""Additives that lithium converts."""

import pytest
from hulls_for_tests import toy_hull
from pymatgen.core import Composition

from ionscout.datasets.errors import InvalidInput, UnsupportedElement
from ionscout.datasets.hulls import load_hull
from ionscout.datasets.hulls.base import TableHull
from ionscout.datasets.settings import settings
from ionscout.models.thermo.conversion import conversion
from ionscout.models.thermo.window import window

needs_data = pytest.mark.skipif(settings().data_dir is None, reason="IONSCOUT_DATA_DIR is not set")
# Invented energies (eV/atom) of roughly the right size.
ADDITIVES = {
    "LiF": -3.1, "AlF3": -3.8, "LiAl": -0.2, "Li9Al4": -0.16, "Li3N": -0.4, "LiNO3": -1.0, "Li2O": -2.0,
    "Si3N4": -1.3, "Li2SiN2": -1.1, "Li21Si5": -0.2, "LiSi": -0.25,
}  # fmt: skip
HULL = TableHull("additives", "1", "invented", list(ADDITIVES), list(ADDITIVES.values()), "test")


def atoms(products, symbol):
    return sum(product.amount * Composition(product.formula)[symbol] for product in products)


@pytest.mark.parametrize("formula", ["AlF3", "LiNO3", "Si3N4"])
def test_every_layer_is_balanced(formula):
    additive, found = Composition(formula), conversion(Composition(formula), HULL)
    for layer in (found.excess, found.stoichiometric, *found.steps):
        for element in additive.elements:
            held = additive[element] + (layer.lithium if element.symbol == "Li" else 0)
            assert atoms(layer.products, element.symbol) == pytest.approx(held, abs=1e-6)
        if "Li" not in additive:
            assert atoms(layer.products, "Li") == pytest.approx(layer.lithium, abs=1e-6)


@pytest.mark.parametrize("formula", ["AlF3", "LiNO3", "Si3N4"])
def test_more_lithium_releases_more_energy_per_additive(formula):
    found = conversion(Composition(formula), HULL)
    lithium = [layer.lithium for layer in found.steps]
    energies = [layer.energy_per_formula for layer in found.steps]
    assert lithium == sorted(lithium)
    assert energies == sorted(energies, reverse=True)
    assert found.steps[-1] == found.excess
    assert found.stoichiometric.energy_per_atom == min(layer.energy_per_atom for layer in found.steps)


def test_energies_are_those_of_the_written_reaction():
    found = conversion(Composition("AlF3"), HULL)
    assert {p.formula for p in found.excess.products} == {"LiF", "Li9Al4"}
    energy = 3 * 2 * -3.1 + 13 / 4 * -0.16 - 4 * -3.8
    assert found.excess.energy_per_formula == pytest.approx(energy)
    assert found.excess.energy_per_atom == pytest.approx(energy / (4 + 3 + 9 / 4))


def test_the_onset_is_the_reduction_limit():
    for formula in ("AlF3", "LiNO3", "Si3N4"):
        found = conversion(Composition(formula), HULL)
        assert found.onset == pytest.approx(window(Composition(formula), HULL).reduction_limit, abs=1e-6)


def test_alloys_leak_electrons_and_salts_block_them():
    alloy = conversion(Composition("AlF3"), HULL).excess
    assert not alloy.blocks_electrons
    assert "Li9Al4" in alloy.reason
    salts = conversion(Composition("LiNO3"), HULL).excess
    assert salts.blocks_electrons
    assert {p.formula for p in salts.products} == {"Li2O", "Li3N"}


def test_what_lithium_leaves_alone_has_no_conversion():
    found = conversion(Composition("LiF"), HULL)
    assert not found.reacts
    assert found.steps == ()
    assert found.excess.lithium == found.excess.energy_per_formula == found.onset == 0


def test_an_additive_that_the_hull_does_not_hold_is_said_to_be_placed_on_it():
    assert conversion(Composition("AlF2"), HULL).warnings
    assert not conversion(Composition("AlF3"), HULL).warnings


def test_bad_questions_are_answered_in_one_sentence():
    with pytest.raises(InvalidInput, match=r"\.$"):
        conversion(Composition("Li"), HULL)
    with pytest.raises(UnsupportedElement, match="Cu"):
        conversion(Composition("Cu3N"), toy_hull())


@pytest.mark.parametrize("name", ["learned", pytest.param("mp-2019", marks=needs_data)])
def test_known_conversion_layers_have_their_products(name):
    hull = load_hull(name)
    for formula, salt, metal in [
        ("AlF3", "LiF", "Al"),
        ("InCl3", "LiCl", "In"),
        ("AgF", "LiF", "Ag"),
        ("SbF3", "LiF", "Sb"),
    ]:
        found = conversion(Composition(formula), hull).excess
        assert salt in {product.formula for product in found.products}
        assert atoms(found.products, metal) == pytest.approx(1)
        assert not found.blocks_electrons
    assert conversion(Composition("LiNO3"), hull).excess.blocks_electrons
    nitride = conversion(Composition("Si3N4"), hull)  # Li-Si-N compounds and LixSi
    assert any(set(Composition(p.formula).chemical_system.split("-")) == {"Li", "Si"} for p in nitride.excess.products)
    assert any("N" in Composition(p.formula) for p in nitride.excess.products)
