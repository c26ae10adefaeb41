"""Bare formulas are read through the cells of their relatives; what has a cell is left as it is."""

import pytest

from ionscout.datasets.sources.embedded import demo_crystals
from ionscout.datasets.structure import parse_material
from ionscout.models.conductivity.completion import readings


def test_a_crystal_is_read_as_it_is():
    material = parse_material(demo_crystals()[0].cif)
    (only,) = readings(material)
    assert only.material is material
    assert (only.weight, only.template) == (1.0, "")


@pytest.mark.parametrize("formula", ["Li6.5La3Zr1.5Ta0.5O12", "Li5.5PS4.5Cl1.5", "Li1.3Al0.3Ti1.7P3O12"])
def test_a_formula_with_relatives_borrows_their_cells(formula):
    options = readings(parse_material(formula))
    assert 1 <= len(options) <= 3
    assert sum(option.weight for option in options) == pytest.approx(1.0)
    for option in options:
        assert option.template
        assert option.material.structure is None  # positions are not borrowed
        assert option.material.composition == parse_material(formula).composition


def test_the_borrowed_garnet_cell_is_a_garnet_cell():
    cell = readings(parse_material("Li6.5La3Zr1.5Ta0.5O12"))[0].material.cell
    assert cell.space_group == 230
    assert 12.7 < cell.lattice[0] < 13.2
    assert cell.atoms == pytest.approx(8 * 23.5, rel=0.02)


def test_a_formula_without_relatives_stays_bare():
    (only,) = readings(parse_material("LiPt3Rh4Au2"))
    assert only.template == ""
    assert only.material.cell is None
