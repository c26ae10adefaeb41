"""The catalogue of electrodes and coatings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition

from ionscout.datasets.electrodes import (
    electrodes,
    find_electrode,
    half_charged,
    load_electrodes,
    material,
)
from ionscout.datasets.errors import BadData, BadFormula, UnknownName

REQUIRED = {
    "anode": "Li InLi Si C Li4Ti5O12",
    "cathode": "LiCoO2 Li3NiMnCoO6 LiNi0.6Mn0.2Co0.2O2 LiNi0.8Mn0.1Co0.1O2 LiNi0.8Co0.15Al0.05O2 LiMn2O4 "
    "LiNi0.5Mn1.5O4 LiFePO4 LiCoPO4 S",
    "coating": "LiNbO3 LiTaO3 Li2ZrO3 Li4Ti5O12 Li3PO4 LiPO3 Li2SiO3 Li3BO3 LiAlO2 LiF Al2O3 ZnO",
}


@pytest.mark.parametrize(("role", "formulas"), REQUIRED.items())
def test_every_material_that_users_were_promised_is_there(role, formulas):
    for formula in formulas.split():
        assert find_electrode(formula, role).role == role


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("LCO", "LiCoO2"),
        ("NMC622", "LiNi0.6Mn0.2Co0.2O2"),
        ("ncm811", "LiNi0.8Mn0.1Co0.1O2"),
        ("NCA", "LiNi0.8Co0.15Al0.05O2"),
        ("LiNi0.333Mn0.333Co0.333O2", "Li3NiMnCoO6"),
        ("Li6Ni2Mn2Co2O12", "Li3NiMnCoO6"),
        ("Graphite", "C"),
        (" lithium metal ", "Li"),
        ("In-Li", "InLi"),
    ],
)
def test_names_aliases_and_formulas_lead_to_the_same_entry(name, formula):
    assert find_electrode(name).formula == formula


def test_voltages_lie_where_lithium_cells_work_and_cathodes_above_anodes():
    assert all(0 <= entry.voltage_low <= entry.voltage_high <= 5 for entry in load_electrodes())
    assert max(e.voltage_high for e in electrodes("anode")) < min(e.voltage_low for e in electrodes("cathode"))


def test_every_entry_names_its_source():
    assert all(entry.source for entry in load_electrodes())


def test_charged_cathodes_have_half_of_their_lithium():
    for entry in electrodes("cathode"):
        assert entry.charged["Li"] == pytest.approx(entry.composition["Li"] / 2)
        assert entry.charged.num_atoms - entry.charged["Li"] == pytest.approx(
            entry.composition.num_atoms - entry.composition["Li"]
        )


def test_charged_anodes_hold_more_lithium():
    for name in ("Si", "graphite", "LTO"):
        entry = find_electrode(name, "anode")
        assert entry.charged.get_atomic_fraction("Li") > entry.composition.get_atomic_fraction("Li")


def test_half_charged_takes_names_and_any_formula():
    assert half_charged("LCO").almost_equals(Composition("Li0.5CoO2"))
    assert half_charged("LiVPO4F").almost_equals(Composition("Li0.5VPO4F"))
    assert half_charged("FePO4").almost_equals(Composition("FePO4"))


def test_one_formula_with_two_roles_is_told_apart():
    assert find_electrode("LTO", "coating").voltage_low > find_electrode("LTO", "anode").voltage_high


def test_formulas_outside_the_catalogue_are_taken_as_they_are():
    assert material("Li6PS5Cl") == Composition("Li6PS5Cl")
    assert material("NMC811") == Composition("LiNi0.8Mn0.1Co0.1O2")
    assert material("Co") == Composition("Co")  # not carbon monoxide, nor an alias in another case


def test_unknown_names_are_answered_with_those_that_exist():
    with pytest.raises(UnknownName, match="LiCoO2"):
        find_electrode("LiFeSO4F")
    with pytest.raises(UnknownName, match="anode"):
        electrodes("separator")
    with pytest.raises(UnknownName, match="cathode"):
        find_electrode("Li", "cathode")
    with pytest.raises(BadFormula):
        material("wonder cathode")


@given(st.text(max_size=12))
def test_any_text_is_found_or_refused_by_name(text):
    try:
        found = find_electrode(text)
    except UnknownName:
        found = None
    assert found is None or found in load_electrodes()


def test_damaged_catalogues_are_refused(tmp_path):
    entry = "{name: X, formula: LiCoO2, role: cathode, voltage: [3, 4], source: none}"
    for text in (f"- {entry}\n- {entry}", "- {name: X}", "[", entry.replace("[3, 4]", "[4, 3]").join(["- ", ""])):
        path = tmp_path / f"{abs(hash(text))}.yaml"
        path.write_text(text)
        with pytest.raises(BadData):
            load_electrodes(path)
