"""Damaged formula cells are read as what was meant, and torn ones are told by their charge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition

from ionscout.datasets.errors import BadFormula
from ionscout.datasets.sources.formulas import charge_imbalance, clean_formula


@pytest.mark.parametrize(
    ("cell", "meant", "repair"),
    [
        ("Li 3.4 Si 0.4 P 0.6 S  4", "Li3.4Si0.4P0.6S4", "formula characters"),
        ("Li₇La₃Zr₂O₁₂", "Li7La3Zr2O12", "formula characters"),
        ("β-Li3PS4", "Li3PS4", "formula characters"),
        ("Li1.2[Al0.2Ti1.8][PO4]3", "Li1.2Al0.2Ti1.8P3O12", "formula characters"),
        ("Li6{La2[CaNb2]O12}", "Li6La2CaNb2O12", "formula characters"),
        ("Li6,4La3Zr1,4Ta0,6O12", "Li6.4La3Zr1.4Ta0.6O12", "formula characters"),
        ("Li3.5Ge0.5P05S4", "Li3.5Ge0.5P0.5S4", "missing decimal point"),
        ("LiSn2(P04)3", "LiSn2(PO4)3", "zero read for O"),
        ("Li1+xAlxGe2-x(PO4)3, x=0.4", "Li1.4Al0.4Ge1.6(PO4)3", "x notation"),
        ("Li7−xPS6−xBrx (x = 1)", "Li6PS5Br", "x notation"),
        ("Li10-2xMgxP3S12; x=0.5", "Li9Mg0.5P3S12", "x notation"),
        ("Li1+xYxZr2-x(PO4)3, x=0", "LiZr2(PO4)3", "x notation"),
    ],
)
def test_a_damaged_cell_is_read_as_it_was_meant(cell, meant, repair):
    clean = clean_formula(cell)
    assert clean.composition.almost_equals(Composition(meant))
    assert clean.repairs == (repair,)


def test_a_sound_formula_is_left_alone():
    clean = clean_formula("Li6.5La3Zr1.5Ta0.5O12")
    assert clean.text == "Li6.5La3Zr1.5Ta0.5O12"
    assert clean.repairs == ()


@pytest.mark.parametrize("cell", ["", "-", "Li7La3Zr2O12)", "Li3PS4 x=0.2", "Li1-xAlxO2, x=2", "Lithium", "Ti0."])
def test_what_is_no_formula_is_refused(cell):
    with pytest.raises(BadFormula):
        clean_formula(cell)


@pytest.mark.parametrize(
    "formula",
    [
        "Li7La3Zr2O12", "Li10GeP2S12", "Li6PS5Cl", "Li3YCl6", "Li1.3Al0.3Ti1.7P3O12", "LiBH4", "Li2B12H12", "Li3N",
        "Li3P", "Li8GeP4", "LiIO3", "LiClO4", "Li2SO4", "Li2OHCl", "Li3Fe2P3O12", "LiV2(PO4)3", "Li4P2S6", "LiNO3",
        "Li2.9PO3.3N0.46", "Li3Nd3Te2O12", "Li0.34La0.55TiO3", "Li2CO3",
    ],
)  # fmt: skip
def test_real_electrolytes_are_neutral(formula):
    assert charge_imbalance(Composition(formula)) < 0.05


@pytest.mark.parametrize(
    "formula", ["Li10GePS12", "LiCdCl4", "Li6.4La3Zr1.4Ta0.6O1", "Li1.3Al0.3Ti1.7PO4", "LiOCl3", "Li2OHBrF", "La0.6Li"]
)
def test_torn_and_misread_formulas_are_not(formula):
    assert charge_imbalance(Composition(formula)) >= 0.1


@given(st.floats(0.1, 20))
def test_the_imbalance_does_not_depend_on_the_formula_unit(factor):
    composition = Composition("Li10GePS12")
    assert charge_imbalance(composition * factor) == pytest.approx(charge_imbalance(composition), rel=1e-6)


@given(st.floats(0, 1).map(lambda x: round(x, 2)))
def test_x_notation_keeps_an_aliovalent_series_neutral(x):
    assert charge_imbalance(clean_formula(f"Li1+xAlxTi2-x(PO4)3, x={x}").composition) < 1e-6
