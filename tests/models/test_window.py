"""Windows: pymatgen as the oracle, invariants, published values, and bad input."""

from itertools import pairwise
from pathlib import Path

import pytest
from hulls_for_tests import TOY, compositions, random_hulls, toy_hull
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from pymatgen.core import Composition

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.errors import InvalidInput, OutOfRange, UnsupportedElement
from ionscout.datasets.hulls import TableHull, load_hull
from ionscout.datasets.settings import settings
from ionscout.models.thermo.window import check_voltage, practical_limits, window
from ionscout.training.benchmarks.oracle import oracle_window, phase_diagram

HULL = toy_hull()
EXAMPLES = hypothesis_settings(max_examples=60, deadline=None)
needs_data = pytest.mark.skipif(settings().data_dir is None, reason="IONSCOUT_DATA_DIR is not set")


@EXAMPLES
@given(random_hulls(), compositions())
def test_limits_equal_pymatgen(hull, amounts):
    composition = Composition(amounts)
    assume("Li" in amounts)
    mine = window(composition, hull)
    assume(mine.lithium_shift == 0)
    reduction, oxidation = oracle_window(phase_diagram(hull, {*amounts, "Li"}), composition)
    assert mine.reduction_limit == pytest.approx(reduction, abs=1e-6)
    if oxidation is None:
        assert mine.oxidation_limit is None
    else:
        assert mine.oxidation_limit == pytest.approx(oxidation, abs=1e-6)


@EXAMPLES
@given(random_hulls(), compositions())
def test_plateaus_tile_the_voltage_axis_and_lose_lithium_upwards(hull, amounts):
    assume(set(amounts) != {"Li"})
    found = window(Composition(amounts), hull)
    plateaus = found.plateaus
    assert plateaus[0].voltage_low == 0
    assert plateaus[-1].voltage_high is None
    for lower, upper in pairwise(plateaus):
        assert lower.voltage_high == upper.voltage_low
        assert lower.lithium_uptake > upper.lithium_uptake
    assert all(plateau.energy <= 1e-7 for plateau in plateaus)


@EXAMPLES
@given(random_hulls(), compositions())
def test_products_of_a_plateau_hold_the_lithium_taken_up(hull, amounts):
    assume(set(amounts) != {"Li"})
    composition = Composition(amounts)
    found = window(composition, hull)
    unit = parse_formula(found.formula)
    for plateau in found.plateaus:
        lithium = sum(Composition(p.formula)["Li"] * p.amount for p in plateau.products)
        expected = unit["Li"] + plateau.lithium_uptake + found.lithium_shift
        assert lithium == pytest.approx(expected, abs=1e-3)  # the printed formula has four digits


@pytest.mark.parametrize("factor", [2, 5, 16])
def test_a_larger_cell_has_the_same_window(factor):
    one, many = window(parse_formula("Li3PO4"), HULL), window(parse_formula("Li3PO4") * factor, HULL)
    assert one == many


def test_limits_of_lithium_oxide_follow_from_its_formation_energies():
    found = window(parse_formula("Li2O"), HULL)
    # Li2O → Li + ½ Li2O2 : ΔE = ½·4·(−1.6) − 3·(−2.0) eV, for one lithium
    assert found.reduction_limit == 0
    assert found.oxidation_limit == pytest.approx(-3.2 + 6.0)


def test_the_metastable_electrolyte_is_placed_on_the_hull_for_limits_and_left_where_it_is_for_energies():
    found = window(parse_formula("Li6PS5Cl"), HULL)
    lowered = window(parse_formula("Li6PS5Cl"), HULL, energy=-2.0)
    assert (lowered.reduction_limit, lowered.oxidation_limit) == (found.reduction_limit, found.oxidation_limit)
    assert found.energy_above_hull == pytest.approx(-1.15 - (8 * -1.1 + 3 * -1.4 + 2 * -2.1) / 13)
    assert lowered.energy_above_hull == 0
    assert found.decomposition_energy_0V == pytest.approx(lowered.decomposition_energy_0V - found.energy_above_hull)
    assert found.plateau_at(found.reduction_limit + 0.01).energy == pytest.approx(-found.energy_above_hull)
    assert any("meV/atom above" in warning for warning in found.warnings)


def test_decomposition_energy_counts_the_atoms_of_the_electrolyte_only():
    # Li3PS4 + 8 Li → Li3P + 4 Li2S at 0 V
    expected = (4 * -0.8 + 12 * -1.4 - 8 * -1.1) / 8
    assert window(parse_formula("Li3PS4"), HULL).decomposition_energy_0V == pytest.approx(expected)


def test_a_lithium_free_coating_has_no_oxidation_limit():
    found = window(parse_formula("Al2O3"), HULL)
    assert found.oxidation_limit is None
    assert found.reduction_limit > 0
    assert all(plateau.lithium_uptake >= 0 for plateau in found.plateaus)


def test_a_composition_between_two_lithium_contents_has_no_width():
    found = window(parse_formula("Li3Co2O4"), HULL)
    assert found.reduction_limit == found.oxidation_limit
    assert any("no width" in warning for warning in found.warnings)


def test_a_rounded_formula_is_balanced_and_says_so():
    exact, rounded = window(parse_formula("Li3PO4"), HULL), window(parse_formula("Li3.01PO4"), HULL)
    assert rounded.reduction_limit == pytest.approx(exact.reduction_limit)
    assert rounded.oxidation_limit == pytest.approx(exact.oxidation_limit)
    assert rounded.lithium_shift == pytest.approx(-0.01)
    assert any("charge balance" in warning for warning in rounded.warnings)
    assert exact.warnings == ()


def test_a_rounded_formula_beside_a_narrow_intermediate_still_finds_its_window():
    # Li3.03PO4 is nearer to an intermediate of 0.05 lithium, stable over 0.1 V only, than to Li3PO4 with its window.
    intermediate = (20 * 8 * TOY["Li3PO4"] - 0.8) / 161  # reached at 0.8 V
    rows = TOY | {"Li61P20O80": intermediate}
    found = window(parse_formula("Li3.03PO4"), TableHull("narrow", "1", "", list(rows), list(rows.values()), "test"))
    assert any(plateau.voltage_high == pytest.approx(0.8) for plateau in found.plateaus)
    assert found.lithium_shift == pytest.approx(-0.03)
    assert found.reduction_limit == pytest.approx(0.8)


def test_whole_number_formulas_are_taken_literally():
    found = window(parse_formula("Li203O100"), HULL)
    assert found.lithium_shift == 0
    assert found.reduction_limit == found.oxidation_limit


def test_lithium_metal_has_no_window():
    with pytest.raises(InvalidInput, match="reference"):
        window(Composition("Li"), HULL)


def test_an_element_without_data_is_named():
    with pytest.raises(UnsupportedElement, match="Zr"):
        window(parse_formula("Li7La3Zr2O12"), HULL)


@pytest.mark.parametrize("voltage", [-1.01, 8.5, float("nan")])
def test_voltages_of_no_lithium_cell_are_refused(voltage):
    with pytest.raises(OutOfRange, match="outside -1 to 8 V"):
        check_voltage(voltage)


def test_practical_limits_stay_where_products_conduct():
    found = practical_limits(window(parse_formula("Li3PS4"), HULL), lambda formula: False)
    assert found.practical_reduction_limit == found.reduction_limit
    assert found.practical_oxidation_limit == found.oxidation_limit


def test_practical_limits_reach_the_first_limit_of_an_insulating_product():
    found = practical_limits(window(parse_formula("Li3PO4"), HULL), lambda formula: True)
    assert found.practical_reduction_limit == 0  # Li3P and Li2O are stable against lithium
    # Li3PO4 → LiPO3 + …: the layer lasts until one of its lithium compounds is oxidised in turn
    assert found.practical_oxidation_limit is None or found.practical_oxidation_limit > found.oxidation_limit
    assert found.reduction_limit == window(parse_formula("Li3PO4"), HULL).reduction_limit


@needs_data
@pytest.mark.parametrize(
    ("formula", "reduction", "oxidation"),
    [
        # Zhu, He and Mo, ACS Appl. Mater. Interfaces 7, 23685 (2015)
        ("Li3PO4", 0.69, 4.21),
        ("Li7La3Zr2O12", 0.05, 2.91),
        ("Li1.3Al0.3Ti1.7(PO4)3", 2.17, 4.21),
        ("Li3PS4", 1.71, 2.31),
    ],
)
def test_windows_of_zhu_2015(formula, reduction, oxidation):
    found = window(parse_formula(formula), load_hull("mp-2019"))
    assert found.reduction_limit == pytest.approx(reduction, abs=0.03)
    assert found.oxidation_limit == pytest.approx(oxidation, abs=0.06)


@needs_data
def test_decomposition_energy_of_lgps_against_lithium_is_that_of_zhu_2015():
    found = window(parse_formula("Li10GeP2S12"), load_hull("mp-2019"))
    assert found.decomposition_energy_0V == pytest.approx(-1.25, abs=0.01)
    assert {product.formula for product in found.products_0V} == {"Li15Ge4", "Li3P", "Li2S"}


@needs_data
def test_raw_entries_with_the_2020_corrections_give_the_known_window_of_li3ps4():
    hull = load_hull("file", Path(settings().data_dir) / "mp_entries" / "li_x_s_mp_entries.json.gz")
    found = window(parse_formula("Li3PS4"), hull)
    assert (found.reduction_limit, found.oxidation_limit) == pytest.approx((1.71, 2.37), abs=0.01)
