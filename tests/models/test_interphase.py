"""Electronic character of phases, classes of interphases, practical windows."""

import pytest
from hulls_for_tests import TOY, toy_hull
from pymatgen.core import Composition

from ionscout.datasets.band_gaps import materials_project_gap, tabulated_gap
from ionscout.datasets.composition import parse_formula
from ionscout.datasets.electrodes import find_electrode
from ionscout.datasets.errors import InvalidInput, NoLithium, OutOfRange, UnsupportedElement
from ionscout.datasets.hulls import load_hull
from ionscout.datasets.hulls.base import TableHull
from ionscout.datasets.settings import settings
from ionscout.models.thermo.electronic import deciding, electronic_character, reduced_state
from ionscout.models.thermo.interphase import cathode_interphase, lithium_interphase
from ionscout.models.thermo.practical import practical_window

needs_data = pytest.mark.skipif(settings().data_dir is None, reason="IONSCOUT_DATA_DIR is not set")
HULL = toy_hull()
# A germanium and a zirconium system beside the toy: invented energies of roughly the right size.
EXTENDED = TOY | {
    "GeS2": -0.5, "Li4GeS4": -1.05, "Li15Ge4": -0.2, "LiGe": -0.25, "GeP": -0.1,
    "ZrO2": -3.7, "Li2ZrO3": -2.95, "Zr3O": -1.6,
}  # fmt: skip
WENZEL = {
    "Li7La3Zr2O12": {"stable", "SEI"},
    "Li3OCl": {"stable"},
    "Li3PS4": {"SEI"},
    "Li7P3S11": {"SEI"},
    "Li6PS5Cl": {"SEI"},
    "Li2PO2N": {"SEI"},
    "Li10GeP2S12": {"MCI"},
    "Li1.5Al0.5Ge1.5(PO4)3": {"MCI"},
    "Li1.3Al0.3Ti1.7(PO4)3": {"MCI"},
    "Li0.33La0.56TiO3": {"MCI"},
    "Li3InCl6": {"MCI"},
    "Li10SnP2S12": {"MCI"},
}


def extended_hull() -> TableHull:
    return TableHull("extended toy", "1", "invented", list(EXTENDED), list(EXTENDED.values()), "test")


@pytest.mark.parametrize(
    ("formula", "kind"),
    [
        ("Li", "metal"), ("In", "metal"), ("C", "metal"), ("Ge", "metal"), ("La", "metal"),
        ("Li15Ge4", "alloy"), ("TiAl", "alloy"), ("Li13In3", "alloy"), ("Li3Bi", "alloy"), ("LiB", "alloy"),
        ("Zr3O", "reduced oxide"), ("LiTiO2", "reduced oxide"), ("Ti6O", "reduced oxide"), ("NbO", "reduced oxide"),
        ("Ti3P", "reduced compound"), ("TiN", "reduced compound"),
        ("WO2", "conductor"), ("Fe3O4", "conductor"),
        ("Li2O", "insulator"), ("Li2S", "insulator"), ("Li3P", "insulator"), ("LiCl", "insulator"),
        ("Li3N", "insulator"), ("La2O3", "insulator"), ("P", "insulator"), ("NiO", "insulator"),
        ("O2", "gas"), ("N2", "gas"), ("CO2", "gas"), ("ClO2", "gas"),
    ],
)  # fmt: skip
def test_known_phases_have_their_electronic_character(formula, kind):
    found = electronic_character(formula)
    assert found.kind == kind
    assert found.conducts == (kind not in ("insulator", "gas"))
    assert found.blocks == (kind == "insulator")
    assert formula in found.reason


@pytest.mark.parametrize(
    ("formula", "state"),
    [("LiTiO2", 3), ("Li4Ti5O12", None), ("TiO2", None), ("Ti2O3", 3), ("Zr3O", 2 / 3), ("Nb12O29", 4.83),
     ("LiTi2(PO4)3", None), ("Li3Ti2(PO4)3", None), ("TiP2O7", None), ("LiNbO3", None), ("Li7La3Zr2O12", None),
     ("Li2CO3", None), ("TiN", 3), ("Ti3P", 1), ("TiP2", None), ("Li2ZrCl6", None), ("ZrCl3", None),
     ("NiTiO3", None), ("Li2Ti6PbO14", None), ("LiTiVO4", None),
     ("LaTiO3", 3), ("Sc2Ti2O7", None)],
)  # fmt: skip
def test_oxidation_states_below_an_empty_shell_are_found(formula, state):
    found = reduced_state(Composition(formula))
    assert found is None if state is None else found == pytest.approx(state, abs=0.01)


def test_every_tabulated_gap_names_its_source():
    gap = tabulated_gap(Composition("Li4S2"))
    assert gap is not None
    assert gap.source
    assert gap.kind == "PBE"


def test_a_gap_given_by_the_hull_decides_and_is_named():
    table = {"Li2SiN2": -1.0, "LiSi2N3": -1.0}
    hull = TableHull("gaps", "1", "invented", list(table), list(table.values()), "test", [3.0, 0.1])
    assert electronic_character("Li2SiN2", hull).blocks
    found = electronic_character("LiSi2N3", hull)
    assert found.conducts
    assert "gaps" in found.source


def test_unknown_compounds_are_judged_by_the_predicted_gap():
    found = electronic_character("Li3ScCl6", toy_hull())
    assert found.blocks
    assert found.band_gap > 2
    assert found.source != "rule"


def test_conductors_decide_and_gases_never_do():
    oxygen, metal, salt = (electronic_character(formula) for formula in ("O2", "Co", "LiF"))
    assert deciding([oxygen, metal, salt]) == (metal,)
    assert deciding([oxygen, salt]) == (salt,)


def test_insulating_products_make_an_sei():
    found = lithium_interphase(parse_formula("Li3PS4"), HULL)
    assert found.interphase_class == "SEI"
    assert set(found.deciding_products) == {"Li2S", "Li3P"}
    assert found.driving_force < -0.05
    assert found.decomposition_energy_0V < found.driving_force  # counted without the lithium taken up
    assert "Li2S" in found.reason


def test_an_alloy_among_the_products_makes_an_mci():
    found = lithium_interphase(parse_formula("Li10GeP2S12"), extended_hull())
    assert found.interphase_class == "MCI"
    assert found.deciding_products == ("Li15Ge4",)
    assert {product.formula for product in found.products} == {"Li2S", "Li3P", "Li15Ge4"}
    assert len(found.characters) == len(found.products)


def test_what_lithium_does_not_reduce_is_stable():
    found = lithium_interphase(parse_formula("Li2O"), HULL)
    assert found.interphase_class == "stable"
    assert found.driving_force == 0
    assert found.products == ()
    assert found.deciding_products == ()


def test_driving_forces_within_the_threshold_are_stable_with_a_warning():
    hull = extended_hull()
    strict = lithium_interphase(parse_formula("Li2ZrO3"), hull, threshold=0.0)
    assert strict.interphase_class == "MCI"
    assert 0 > strict.driving_force > -0.1
    loose = lithium_interphase(parse_formula("Li2ZrO3"), hull, threshold=0.1)
    assert loose.interphase_class == "stable"
    assert loose.warnings
    assert strict.products == loose.products


def test_coatings_without_lithium_have_a_class_too():
    found = lithium_interphase(parse_formula("P2O5"), HULL)
    assert found.interphase_class == "SEI"
    assert {product.formula for product in found.products} == {"Li2O", "Li3P"}


def test_cells_and_formula_units_have_one_class():
    one, four = (lithium_interphase(Composition(formula), HULL) for formula in ("Li3PS4", "Li12P4S16"))
    assert one == four


def test_cathodes_are_taken_as_made_or_charged():
    electrolyte, cathode = parse_formula("Li3PS4"), find_electrode("LCO").composition
    made = cathode_interphase(electrolyte, cathode, HULL)
    charged = cathode_interphase(electrolyte, cathode, HULL, charged=True)
    assert charged.driving_force < made.driving_force < -0.05
    assert charged.against == "Li0.5CoO2"
    assert made.interphase_class in ("SEI", "MCI")
    assert cathode_interphase(electrolyte, cathode, HULL, voltage=4.0).interphase_class in ("SEI", "MCI")


def test_reactants_are_no_products_of_their_interphase():
    found = cathode_interphase(parse_formula("Li3PO4"), parse_formula("LiCoO2"), HULL)
    assert not {"Li3PO4", "LiCoO2"} & {product.formula for product in found.products}


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: lithium_interphase(parse_formula("Li"), HULL), InvalidInput),
        (lambda: lithium_interphase(parse_formula("Li3YCl6"), HULL), UnsupportedElement),
        (lambda: lithium_interphase(parse_formula("Li3PS4"), HULL, threshold=-0.1), InvalidInput),
        (lambda: lithium_interphase(parse_formula("Li3PS4"), HULL, threshold=float("nan")), InvalidInput),
        (lambda: cathode_interphase(parse_formula("Li3PS4"), parse_formula("CoO2"), HULL, charged=True), NoLithium),
        (lambda: cathode_interphase(parse_formula("Li3PS4"), parse_formula("CoO2"), HULL, voltage=9), OutOfRange),
    ],
)
def test_bad_questions_are_answered_in_one_sentence(call, error):
    with pytest.raises(error, match=r"\.$"):
        call()


def test_practical_windows_reach_to_lithium_where_everything_insulates():
    found = practical_window(parse_formula("Li3PS4"), HULL)
    assert found.reduction_limit > 0.5
    assert found.practical_reduction_limit == 0
    assert "Li3P" in found.practical_reduction_reason
    assert found.practical_oxidation_limit is None or found.practical_oxidation_limit >= found.oxidation_limit


def test_practical_windows_end_where_a_conductor_forms():
    found = practical_window(parse_formula("Li10GeP2S12"), extended_hull())
    assert 0 < found.practical_reduction_limit <= found.reduction_limit
    assert "Ge" in found.practical_reduction_reason
    assert found.practical_reduction_limit == pytest.approx(
        max(
            p.voltage_high
            for p in found.plateaus
            if any("Ge" in q.formula and "S" not in q.formula for q in p.products)
        )
    )


def test_gas_evolution_ends_the_practical_window():
    found = practical_window(parse_formula("LiCl"), HULL)
    assert found.practical_oxidation_limit == found.oxidation_limit
    assert "Cl2" in found.practical_oxidation_reason


@pytest.mark.parametrize("hull", ["learned", pytest.param("mp-2019", marks=needs_data)])
def test_at_least_eleven_of_twelve_known_classes_are_right(hull):
    found = {
        formula: lithium_interphase(parse_formula(formula), load_hull(hull)).interphase_class for formula in WENZEL
    }
    assert sum(found[formula] in right for formula, right in WENZEL.items()) >= 11, found


@needs_data
def test_gaps_of_the_materials_project_are_found_by_composition():
    gap = materials_project_gap(Composition("Li14P2N8"))
    assert gap is not None
    assert gap.value > 2
    assert "Materials Project" in gap.source
    assert materials_project_gap(Composition("Li17P2N8")) is None
