"""Ordered cells and defect reactions, with a potential whose energies can be added up by hand."""

import numpy as np
import pytest
from hosts import crystal, formula

from ionscout.datasets.errors import InvalidInput
from ionscout.models.potential.base import RelaxedStructure
from ionscout.training.active.defects import defect_energies
from ionscout.training.active.ions import Ion
from ionscout.training.active.lithium_sites import LITHIUM_CONTACT
from ionscout.training.active.reservoirs import Reservoirs, prototypes
from ionscout.training.active.supercell import ordered_cell

ATOMS = {"Li": -1.0, "O": -5.0, "La": -4.0, "Zr": -8.0, "Cl": -2.0, "Mg": -1.5, "Al": -3.0, "Ga": -2.0, "P": -5.0}


class Additive:
    """Energy is a sum over atoms, so that a defect reaction, whose atoms balance, must come out as zero."""

    name, version = "additive", "1"

    def energy(self, structure):
        return sum(ATOMS[site.specie.symbol] for site in structure) / len(structure)

    def relax(self, structure, *, force=0.05, steps=300):
        return RelaxedStructure(structure, self.energy(structure), 0.0, 0, True)


@pytest.mark.parametrize("name", ["llzo_cubic", "li3ocl", "li6ps5cl", "ltp"])
def test_ordered_cells_are_neutral_and_keep_lithium_apart(name):
    host = crystal(name)
    cell = ordered_cell(host)
    assert cell.structure.is_ordered
    assert len(cell.structure) >= 40
    assert sum(host.states[s.specie.symbol] for s in cell.structure) == pytest.approx(0)
    lithium = [s.frac_coords for s in cell.structure if s.specie.symbol == "Li"]
    distance = cell.structure.lattice.get_all_distances(lithium, lithium)
    np.fill_diagonal(distance, np.inf)
    assert distance.min() >= LITHIUM_CONTACT


@pytest.mark.parametrize(
    ("name", "ion"), [("li3ocl", Ion("Al", 3)), ("llzo_cubic", Ion("Ga", 3)), ("llzo_cubic", Ion("Mg", 2))]
)
def test_the_atoms_of_every_defect_reaction_balance(name, ion):
    found = defect_energies(crystal(name), ion, Reservoirs(Additive()))
    assert found
    for defect in found:
        assert defect.relative == pytest.approx(0.0, abs=1e-6)
        assert defect.reaction == pytest.approx(0.0, abs=1e-6)


def test_both_energies_are_given_for_every_site():
    sites = {
        d.placement.host_ion.symbol
        for d in defect_energies(crystal("llzo_cubic"), Ion("Ga", 3), Reservoirs(Additive()))
    }
    assert {"Li", "Zr"} <= sites


def test_prototypes_have_the_stoichiometry_of_the_salt():
    for ion, anion in [(Ion("Li", 1), Ion("O", -2)), (Ion("Zr", 4), Ion("O", -2)), (Ion("La", 3), Ion("O", -2)),
                       (Ion("Y", 3), Ion("Cl", -1)), (Ion("Mg", 2), Ion("S", -2))]:  # fmt: skip
        structures = list(prototypes(ion, anion))
        assert structures
        for structure in structures:
            amounts = structure.composition
            assert amounts[ion.symbol] * ion.charge + amounts[anion.symbol] * anion.charge == pytest.approx(0)
            assert structure.distance_matrix[np.triu_indices(len(structure), 1)].min() > 1.5


def test_a_cation_without_a_simple_salt_has_no_reservoir():
    assert Reservoirs(Additive()).energy(Ion("W", 6), Ion("O", -2)) is None


def test_a_bare_formula_has_no_cell():
    with pytest.raises(InvalidInput, match="structure file"):
        ordered_cell(formula("Li5B7S13"))
