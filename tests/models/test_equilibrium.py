"""Equilibria: mass balance, duality, invariances, and pymatgen as the oracle."""

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hulls_for_tests import compositions, random_hulls, toy_hull
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.errors import InvalidInput, UnsupportedElement
from ionscout.models.thermo.breakpoints import Tangent, segments
from ionscout.models.thermo.equilibrium import chemical_system, decompose, energy_above_hull, hull_energy
from ionscout.training.benchmarks.oracle import phase_diagram

HULL = toy_hull()
EXAMPLES = settings(max_examples=40, deadline=None)


def atoms(products) -> Composition:
    total = Composition()
    for formula, amount in products:
        total += Composition(formula) * amount
    return total


@EXAMPLES
@given(random_hulls(), compositions())
def test_products_hold_the_atoms_of_the_composition(hull, amounts):
    composition = Composition(amounts)
    found = atoms(decompose(composition, hull).products)
    assert all(math.isclose(found[el], composition[el], abs_tol=1e-7) for el in ("Li", "O", "P", "S"))


@EXAMPLES
@given(random_hulls(), compositions())
def test_hull_energy_equals_pymatgen(hull, amounts):
    composition = Composition(amounts)
    expected = phase_diagram(hull, ["Li", "O", "P", "S"]).get_hull_energy_per_atom(composition)
    assert hull_energy(composition, hull) == pytest.approx(expected, abs=1e-8)


@EXAMPLES
@given(random_hulls(), compositions(), st.floats(0.0, 6.0))
def test_chemical_potentials_price_no_phase_below_its_energy(hull, amounts, voltage):
    found = decompose(Composition(amounts), hull, mu={"Li": -voltage})
    system = chemical_system(hull, Composition(amounts), open_elements=["Li"])
    worth = sum(
        found.chemical_potentials[symbol] * row
        for symbols, rows in ((system.closed, system.closed_fractions), (system.open, system.open_fractions))
        for symbol, row in zip(symbols, rows, strict=True)
    )
    assert (system.energies - worth).min() > -1e-8


@EXAMPLES
@given(random_hulls(), compositions(), st.floats(0.1, 20.0))
def test_energy_per_atom_does_not_depend_on_the_formula_unit(hull, amounts, factor):
    composition = Composition(amounts)
    assert hull_energy(composition * factor, hull) == pytest.approx(hull_energy(composition, hull), abs=1e-8)


@EXAMPLES
@given(random_hulls(), compositions(), compositions(), st.floats(0.0, 1.0))
def test_a_mixture_is_never_above_its_parts(hull, first, second, share):
    a, b = (Composition(x).fractional_composition for x in (first, second))
    mixed = Composition({el: share * a[el] + (1 - share) * b[el] for el in ("Li", "O", "P", "S")})
    parts = share * hull_energy(a, hull) + (1 - share) * hull_energy(b, hull)
    assert hull_energy(mixed, hull) <= parts + 1e-8


def test_a_stable_compound_is_its_own_product():
    found = decompose(parse_formula("Li3PS4"), HULL)
    assert [product.formula for product in found.products] == ["Li3PS4"]
    assert found.products[0].amount == pytest.approx(1.0)
    assert energy_above_hull(parse_formula("Li3PS4"), HULL) == pytest.approx(0.0, abs=1e-9)


def test_energy_above_hull_of_a_metastable_compound_is_the_gain_of_its_decomposition():
    # 13 Li6PS5Cl atoms: Li3PS4 (8) + Li2S (3) + LiCl (2)
    products = (8 * -1.1 + 3 * -1.4 + 2 * -2.1) / 13
    assert energy_above_hull(parse_formula("Li6PS5Cl"), HULL) == pytest.approx(-1.15 - products, abs=1e-9)


def test_energy_above_hull_is_unknown_without_an_entry_and_taken_from_the_caller_with_one():
    composition = parse_formula("Li7PS6")
    assert energy_above_hull(composition, HULL) is None
    own = hull_energy(composition, HULL) + 0.03
    assert energy_above_hull(composition, HULL, energy=own) == pytest.approx(0.03, abs=1e-9)


def test_several_elements_can_be_open():
    found = decompose(parse_formula("LiCoO2"), HULL, mu={"Li": -3.0, "O": -0.5})
    assert set(found.uptake) == {"Li", "O"}
    held = atoms(found.products)
    assert held["Co"] == pytest.approx(1.0)
    assert held["Li"] == pytest.approx(1.0 + found.uptake["Li"])
    assert held["O"] == pytest.approx(2.0 + found.uptake["O"])


def test_an_element_without_data_is_named():
    with pytest.raises(UnsupportedElement, match="Xe"):
        decompose(Composition("LiXe"), HULL)


def test_the_reservoir_alone_is_refused():
    with pytest.raises(InvalidInput, match="reservoir"):
        decompose(Composition("Li"), HULL, mu={"Li": -1.0})


def test_answers_do_not_depend_on_what_was_asked_before_or_beside():
    questions = [(f, v) for f in ("Li6PS5Cl", "LiCoO2", "Li3PO4", "Li5PS4Cl2") for v in np.linspace(0, 5, 23)]

    def ask(question):
        formula, voltage = question
        return decompose(parse_formula(formula), HULL, mu={"Li": -voltage}).energy

    forward = [ask(question) for question in questions]
    backward = [ask(question) for question in reversed(questions)][::-1]
    with ThreadPoolExecutor(4) as pool:
        beside = list(pool.map(ask, questions))
    np.testing.assert_allclose(backward, forward, atol=1e-9)
    np.testing.assert_allclose(beside, forward, atol=1e-9)


@EXAMPLES
@given(
    st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=8).map(
        lambda lines: [(round(a, 3), round(b, 3)) for a, b in lines]
    )
)
def test_segments_recover_every_piece_of_a_convex_function(lines):
    """The function is the maximum of some lines; its pieces are known by brute force."""

    def evaluate(x):
        value, slope = max((a * x + b, a) for a, b in lines)
        return Tangent(x, value, slope, None)

    pieces = segments(evaluate, -2.0, 3.0)
    assert pieces[0].low == -2.0
    assert pieces[-1].high == 3.0
    assert all(a.high == b.low for a, b in pairwise(pieces))
    for piece in pieces:
        for x in np.linspace(piece.low, piece.high, 5):
            assert piece.line.at(x) == pytest.approx(evaluate(x).value, abs=1e-7)
    crossings = {
        round((b2 - b1) / (a1 - a2), 9) for a1, b1 in lines for a2, b2 in lines if a1 != a2 and abs(a1 - a2) > 1e-6
    }
    assert all(min(abs(piece.high - x) for x in crossings) < 1e-5 for piece in pieces[:-1])
