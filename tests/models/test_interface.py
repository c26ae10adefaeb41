"""Interface reactions: pymatgen as the oracle, invariants of the mixing line, degenerate pairs, published values."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hulls_for_tests import compositions, random_hulls, toy_hull
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pymatgen.core import Composition

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.errors import BadFormula, InvalidInput, NoLithium, OutOfRange, UnsupportedElement
from ionscout.datasets.hulls import load_hull
from ionscout.datasets.settings import settings
from ionscout.models.thermo.equilibrium import decompose, hull_energy, stated_formula
from ionscout.models.thermo.interface import half_delithiated, interface
from ionscout.models.thermo.matrix import interface_matrix
from ionscout.training.benchmarks.oracle import grand_diagram, oracle_interface, oracle_open_interface, phase_diagram
from ionscout.training.benchmarks.thermo_oracle import SYSTEMS, run

HULL = toy_hull()
EXAMPLES = hypothesis_settings(max_examples=40, deadline=None)
needs_data = pytest.mark.skipif(settings().data_dir is None, reason="IONSCOUT_DATA_DIR is not set")
PAIRS = [("Li3PS4", "LiCoO2"), ("Li6PS5Cl", "Li0.5CoO2"), ("Li3PO4", "Li3PS4"), ("Al2O3", "LiCoO2"), ("Li2S", "P2O5")]


def ask(a: str, b: str, voltage: float | None = None):
    return interface(parse_formula(a), parse_formula(b), HULL, voltage=voltage)


@EXAMPLES
@given(random_hulls(), compositions(), compositions())
def test_closed_energies_equal_pymatgen(hull, first, second):
    a, b = Composition(first), Composition(second)
    assume(max(abs(a.get_atomic_fraction(el) - b.get_atomic_fraction(el)) for el in ("Li", "O", "P", "S")) > 1e-6)
    oracle = oracle_interface(phase_diagram(hull, ["Li", "O", "P", "S"]), a, b)
    assert interface(a, b, hull).reaction_energy == pytest.approx(min(oracle.worst, 0), abs=1e-6)


@EXAMPLES
@given(random_hulls(), compositions(), compositions(), st.floats(0.0, 6.0))
def test_energies_at_a_voltage_equal_pymatgen(hull, first, second, voltage):
    a, b = Composition(first), Composition(second)
    assume(set(first) != {"Li"})
    diagram = phase_diagram(hull, ["Li", "O", "P", "S"])
    grand = grand_diagram(diagram, voltage)
    mine = interface(a, b, hull, voltage=voltage)
    assert mine.reaction_energy == pytest.approx(oracle_open_interface(diagram, grand, a, b).worst, abs=1e-6)
    total = oracle_open_interface(diagram, grand, a, b, total=True).worst
    assert mine.total_reaction_energy == pytest.approx(min(total, 0), abs=1e-6)


@EXAMPLES
@given(random_hulls(), compositions(), compositions(), st.one_of(st.none(), st.floats(0.0, 6.0)))
def test_no_mixing_ratio_is_worse_than_the_reported_one(hull, first, second, voltage):
    """A second construction: the equilibrium of many mixtures, one by one."""
    a, b = Composition(first), Composition(second)
    found = interface(a, b, hull, voltage=voltage)
    mu = None if voltage is None else {"Li": -voltage}
    closed = [sum(n for el, n in c.items() if mu is None or el.symbol != "Li") for c in (a, b)]
    ends = [decompose(c, hull, mu=mu).energy for c in (a, b)]
    for share in np.linspace(0, 1, 21):
        mixed = Composition({el: share * a[el] / closed[0] + (1 - share) * b[el] / closed[1] for el in set(a) | set(b)})
        energy = decompose(mixed, hull, mu=mu).energy - share * ends[0] - (1 - share) * ends[1]
        assert energy >= found.reaction_energy - 1e-7


@pytest.mark.parametrize(("a", "b"), PAIRS)
@pytest.mark.parametrize("voltage", [None, 0.0, 2.5, 4.2])
def test_exchanging_the_reactants_mirrors_the_mixing_line(a, b, voltage):
    one, other = ask(a, b, voltage), ask(b, a, voltage)
    assert one.reaction_energy == pytest.approx(other.reaction_energy, abs=1e-8)
    assert [k.mixing_ratio for k in one.kinks] == pytest.approx(
        [1 - k.mixing_ratio for k in other.kinks[::-1]], abs=1e-7
    )
    assert [k.energy for k in one.kinks] == pytest.approx([k.energy for k in other.kinks[::-1]], abs=1e-8)


@pytest.mark.parametrize(("a", "b"), PAIRS)
@pytest.mark.parametrize("voltage", [None, 2.5, 4.2])
def test_every_reaction_is_balanced_and_carries_its_energy(a, b, voltage):
    """A third construction: the energy from the printed reaction alone, term by term."""
    for kink in ask(a, b, voltage).kinks:
        left, right = (side.split(" + ") for side in kink.reaction.split(" → "))
        count, energy = Composition(), 0.0
        atoms = 0.0
        for sign, side in ((-1, left), (1, right)):
            for term in side:
                amount, formula = term.split(" ")
                unit = Composition(formula)
                count = Composition(
                    {el: count[el] + sign * float(amount) * unit[el] for el in {*count, *unit}}, allow_negative=True
                )
                if formula == "Li" and voltage is not None:
                    energy += sign * float(amount) * -voltage
                    continue
                energy += sign * float(amount) * hull_energy(unit, HULL) * unit.num_atoms
                if sign < 0:
                    atoms += float(amount) * sum(n for el, n in unit.items() if voltage is None or el.symbol != "Li")
        assert all(abs(n) < 2e-3 for n in count.values())  # coefficients are printed with four digits
        assert energy / atoms == pytest.approx(kink.total_energy, abs=5e-3)


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_the_curve_is_convex_and_starts_and_ends_at_zero(a, b):
    kinks = ask(a, b).kinks
    assert (kinks[0].mixing_ratio, kinks[-1].mixing_ratio) == (0, 1)
    assert kinks[0].energy == pytest.approx(0, abs=1e-9)
    assert kinks[-1].energy == pytest.approx(0, abs=1e-9)
    slopes = [
        (right.energy - left.energy) / (right.mixing_ratio - left.mixing_ratio) for left, right in pairwise(kinks)
    ]
    assert all(low < high for low, high in pairwise(slopes))


def test_per_electrolyte_atom_is_the_same_reaction_over_fewer_atoms():
    found = ask("Li3PS4", "LiCoO2")
    expected = found.reaction_energy / found.mixing_ratio
    assert found.reaction_energy_per_electrolyte_atom == pytest.approx(expected, abs=1e-6)


def test_formula_units_do_not_matter():
    one, many = ask("Li3PS4", "LiCoO2"), ask("Li12P4S16", "Li6Co6O12")
    assert one.reaction_energy == pytest.approx(many.reaction_energy, abs=1e-9)
    assert one.mixing_ratio == pytest.approx(many.mixing_ratio, abs=1e-8)


@pytest.mark.parametrize("voltage", [None, 4.0])
def test_a_solid_does_not_react_with_itself(voltage):
    found = ask("LiCoO2", "LiCoO2", voltage)
    assert found.reaction_energy == 0
    assert [kink.mixing_ratio for kink in found.kinks] == [0, 1]


def test_a_cathode_and_its_charged_form_differ_only_in_the_reservoirs_lithium_at_a_voltage():
    found = ask("LiCoO2", "Li0.5CoO2", 4.0)
    assert found.reaction_energy == 0
    assert found.decomposition_energy_a <= 0


def test_lithium_metal_reacts_in_the_closed_system():
    found = ask("Li3PS4", "Li")
    assert {product.formula for product in found.products} == {"Li2S", "Li3P"}
    assert found.reaction_energy == pytest.approx((4 * 3 * -1.4 + 4 * -0.8 - 8 * -1.1) / 16)


def test_lithium_metal_at_a_voltage_is_the_reservoir():
    with pytest.raises(InvalidInput, match="reservoir"):
        ask("Li3PS4", "Li", 1.0)
    with pytest.raises(InvalidInput, match="reservoir"):
        ask("Li", "Li3PS4", 1.0)


def test_a_voltage_of_no_lithium_cell_is_refused():
    with pytest.raises(OutOfRange, match="-1 to 8 V"):
        ask("Li3PS4", "LiCoO2", 9.0)


def test_an_element_without_data_is_named():
    with pytest.raises(UnsupportedElement, match="Nb"):
        ask("LiNbO3", "LiCoO2")


@pytest.mark.parametrize(
    ("cathode", "charged"),
    [
        ("LiCoO2", "Li0.5CoO2"),
        ("LiFePO4", "Li0.5FePO4"),
        ("LiMn2O4", "Li0.5Mn2O4"),
        ("Li2Mn4O8", "Li0.5Mn2O4"),
        ("LiNi0.8Co0.15Al0.05O2", "Li0.5Ni0.8Co0.15Al0.05O2"),
    ],
)
def test_half_delithiated_cathodes_keep_half_of_their_lithium(cathode, charged):
    assert half_delithiated(cathode) == Composition(charged)


@pytest.mark.parametrize(
    ("written", "stated"),
    [
        ("Li12P4S16", "Li3PS4"),
        ("Li2O2", "Li2O2"),
        ("LiTi2P3O12", "LiTi2(PO4)3"),
        ("Li0.5Mn2O4", "Li0.5Mn2O4"),
        ("Li6.4La3Zr1.4Ta0.6O12", "Li6.4La3Zr1.4Ta0.6O12"),
    ],
)
def test_answers_refer_to_the_formula_as_a_paper_would_write_it(written, stated):
    assert Composition(stated_formula(parse_formula(written))) == Composition(stated)


def test_a_cathode_without_lithium_cannot_be_delithiated():
    with pytest.raises(NoLithium):
        half_delithiated("CoO2")
    with pytest.raises(BadFormula):
        half_delithiated("LiQq")


def test_a_matrix_keeps_the_errors_of_its_cells_and_answers_the_others():
    rows = [parse_formula(f) for f in ("Li3PS4", "LiNbO3")]
    columns = [parse_formula(f) for f in ("LiCoO2", "Li3PO4", "LiCoO2")]
    seen = []
    found = interface_matrix(rows, columns, HULL, progress=lambda done, everything: seen.append((done, everything)))
    assert found.rows == ("Li3PS4", "LiNbO3")
    assert re.search("Nb", found.cells[1][0].error)
    assert found.cells[0][0] == found.cells[0][2]
    assert found.cells[0][0].interface.reaction_energy == pytest.approx(ask("Li3PS4", "LiCoO2").reaction_energy)
    assert np.isnan(found.reaction_energies[1]).all()
    assert not np.isnan(found.reaction_energies[0]).any()
    assert seen[-1] == (6, 6)


@needs_data
@pytest.mark.parametrize("system", range(8))
def test_engine_equals_pymatgen_on_the_snapshot(system):
    elements, _ = SYSTEMS[system]
    result = run("mp-2019", seed=system, systems=[(elements, 6)])
    assert result.cases == ()
    assert sum(agreement.n for agreement in result.agreements) >= 20


@needs_data
def test_interfaces_of_xiao_2019():
    # Joule 3, 1252 (2019), Table 1: Li7La3Zr2O12 with lithiated and half-lithiated LiMn2O4, in meV/atom
    garnet, spinel = parse_formula("Li7La3Zr2O12"), parse_formula("LiMn2O4")
    hull = load_hull("mp-2019")
    assert 1000 * interface(garnet, spinel, hull).reaction_energy == pytest.approx(-63, abs=5)
    assert 1000 * interface(garnet, half_delithiated(spinel), hull).reaction_energy == pytest.approx(-102, abs=5)
