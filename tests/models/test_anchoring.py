"""Anchored phases: reactions balance, no energy scale but the hull's own enters, structures are what the table says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition, Lattice, Structure

from ionscout.datasets.errors import BadData, InvalidInput
from ionscout.datasets.hulls.anchored import TABLE, anchored_phases, parse_reaction, read_reactions
from ionscout.datasets.settings import settings as ionscout_settings
from ionscout.models.potential.base import RelaxedStructure
from ionscout.models.potential.chgnet import CHGNetPotential
from ionscout.training.anchoring import GroundState, build, reaction_energy

HEADER = "formula,reaction,delta_E_eV_atom,structure,note\n"
ELEMENTS = ("Li", "Na", "Y", "Zr", "Ta", "Nb", "Si", "Ge", "S", "O", "Cl")
NEW = {row.formula for row in read_reactions()}


def only_known(energies):
    """A hull that has every composition but the new ones."""
    return lambda composition: None if composition.reduced_formula in NEW_REDUCED else energies(composition)


NEW_REDUCED = {Composition(formula).reduced_formula for formula in NEW}


def test_a_reaction_is_read_with_its_coefficients():
    assert parse_reaction("3 LiCl + YCl3 -> Li3YCl6") == {"LiCl": 3, "YCl3": 1, "Li3YCl6": -1}


@pytest.mark.parametrize("text", ["2 LiCl + YCl3 -> Li3YCl6", "LiCl + YCl3", "LiCl -> LiCl -> LiCl", "LiCl + -> LiCl"])
def test_reactions_that_do_not_balance_are_refused(text):
    with pytest.raises(BadData):
        parse_reaction(text)


def test_all_phases_that_the_snapshot_lacks_are_in_the_table():
    expected = "Li3YCl6 LiYCl4 Li2ZrCl6 LiTaCl6 LiNbOCl4 LiTaOCl4 Li2GeS3 Li2SiS3 Li4SiS4 Li2SO3".split
    assert set(expected()) == NEW


@pytest.mark.parametrize("row", read_reactions(), ids=lambda row: row.formula)
def test_each_committed_row_balances_and_has_its_structure(row):
    assert row.references
    structure = Structure.from_file(TABLE.with_name("anchored_structures") / row.structure)
    assert structure.composition.reduced_composition == Composition(row.formula).reduced_composition
    np.fill_diagonal(distances := structure.distance_matrix, np.inf)
    assert distances.min() > 1.3  # Å; the shortest bond is S–O of the sulfite, 1.5
    assert abs(row.delta_e) < 0.25


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=len(ELEMENTS), max_size=len(ELEMENTS)))
def test_a_change_of_the_elemental_references_moves_all_phases_alike(shifts):
    """E → E + Σ fraction · shift is another choice of zero: it must come out of the anchored phases unchanged."""
    shift = dict(zip(ELEMENTS, shifts, strict=True))

    def moved(composition: Composition) -> float:
        return sum(composition.get_atomic_fraction(el) * shift[el.symbol] for el in composition.elements)

    before = anchored_phases(only_known(lambda _: -1.0))
    after = anchored_phases(only_known(lambda c: -1.0 + moved(c)))
    for a, b in zip(before, after, strict=True):
        assert b.energy - a.energy == pytest.approx(moved(a.composition), abs=1e-9)


def test_the_hulls_own_energies_enter_with_their_coefficients(tmp_path):
    table = tmp_path / "anchored.csv"
    table.write_text(HEADER + "Li3YCl6,3 LiCl + YCl3 -> Li3YCl6,0.01,x.cif,\n")
    energies = {"LiCl": -2.0, "YCl3": -2.7}
    (phase,) = anchored_phases(lambda c: energies.get(c.reduced_formula), table)
    assert phase.energy == pytest.approx((3 * 2 * -2.0 + 4 * -2.7) / 10 + 0.01)
    assert phase.provenance == "anchored"


def test_a_phase_that_the_hull_has_is_left_alone(tmp_path):
    table = tmp_path / "anchored.csv"
    table.write_text(HEADER + "Li3YCl6,3 LiCl + YCl3 -> Li3YCl6,0.01,x.cif,\n")
    assert anchored_phases(lambda _: -2.0, table) == []


def test_a_missing_reference_phase_is_named(tmp_path):
    table = tmp_path / "anchored.csv"
    table.write_text(HEADER + "Li3YCl6,3 LiCl + YCl3 -> Li3YCl6,0.01,x.cif,\n")
    with pytest.raises(BadData, match="no LiCl"):
        anchored_phases(lambda _: None, table)


@pytest.mark.parametrize("text", ["formula,energy\nLi2S,1\n", HEADER + "Li2S,Li2S -> Li2S,much,x.cif,\n"])
def test_damaged_tables_are_refused(tmp_path, text):
    table = tmp_path / "anchored.csv"
    table.write_text(text)
    with pytest.raises(BadData):
        read_reactions(table)


def test_reaction_energies_are_per_atom_of_the_new_phase():
    def state(energy: float) -> GroundState:
        cell = Structure(Lattice.cubic(3), ["Li"], [[0, 0, 0]])
        return GroundState("", "", RelaxedStructure(cell, energy, 0.0, 1, True))

    states = {"Li4GeS4": state(-4.0), "Li2S": state(-3.0), "Li2GeS3": state(-4.5)}
    # 9 atoms at −4.0 become 6 at −4.5 and 3 at −3.0: no change
    assert reaction_energy("Li4GeS4 -> Li2GeS3 + Li2S", "Li2GeS3", states) == pytest.approx(0.0)
    states["Li2GeS3"] = state(-4.4)
    assert reaction_energy("Li4GeS4 -> Li2GeS3 + Li2S", "Li2GeS3", states) == pytest.approx(0.1)


def test_chgnet_relaxes_rock_salt_to_its_measured_lattice_constant():
    """LiCl: a = 5.13 Å (measured), PBE 5.15 Å."""
    prototype = {
        "group": "Fm-3m",
        "cell": [4.95, 4.95, 4.95, 90, 90, 90],
        "sites": [["Li", 0, 0, 0], ["Cl", 0.5, 0.5, 0.5]],
    }
    potential = CHGNetPotential()
    start = build(prototype)
    relaxed = potential.relax(start, force=0.02)
    assert relaxed.converged
    assert (4 * relaxed.structure.volume) ** (1 / 3) == pytest.approx(5.14, abs=0.05)
    assert relaxed.energy < potential.energy(start)
    assert relaxed.energy == pytest.approx(potential.energy(relaxed.structure), abs=1e-3)


def test_potentials_refuse_partial_occupancy():
    with pytest.raises(InvalidInput, match="partially occupied"):
        CHGNetPotential().energy(Structure(Lattice.cubic(3), [{"Li": 0.5}], [[0, 0, 0]]))


@pytest.mark.skipif(ionscout_settings().data_dir is None, reason="needs the snapshot")
def test_anchored_lithium_sulfite_agrees_with_its_measured_exchange_enthalpy():
    """Na2SO3 + Li2O → Li2SO3 + Na2O: +1.12 eV from enthalpies of formation (−1101, −598, −1177, −414 kJ/mol)."""
    (row,) = [row for row in read_reactions() if row.formula == "Li2SO3"]
    assert 6 * row.delta_e == pytest.approx(1.12, abs=0.15)
