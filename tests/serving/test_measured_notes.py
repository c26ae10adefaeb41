"""A prediction that measurements of the very material contradict says so; one that they bear out says nothing."""

import json
import math
from dataclasses import replace

import pytest
from pymatgen.core import Composition
from test_bad_input import run_cli

from ionscout.datasets.errors import BadData
from ionscout.datasets.settings import settings
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.embedded import cif_text
from ionscout.datasets.sources.reference import ReferenceList, reference_list
from ionscout.datasets.structure import parse_material
from ionscout.models.conductivity.predictor import ConductivityPrediction
from ionscout.serving import measured_notes as notes
from ionscout.serving.answers import ThermodynamicsChoice, answer, load_predictor

FOUND = ConductivityPrediction(
    1e-4, 1e-5, 1e-3, 0.9, 298.15, 0.3, 0.1, True, "template", "conductivity", "0", kind="total"
)
ROW = Measurement("a", "Li6PS5Cl", Composition("Li6PS5Cl"), None, -7.0, kind="total", doi="10.1/a", source="t")


@pytest.fixture(autouse=True)
def embedded_alone(monkeypatch):
    """The measurements that ship, whatever other tables this machine has."""
    monkeypatch.delenv("IONSCOUT_DATA_DIR", raising=False)
    settings.cache_clear()
    notes._references.cache_clear()
    yield
    notes._references.cache_clear()
    settings.cache_clear()


def said(monkeypatch, *rows: Measurement, found: ConductivityPrediction = FOUND, material: str = "Li6PS5Cl"):
    listed = ReferenceList(tuple(rows), ("t",), None)
    monkeypatch.setattr(notes, "reference_list", lambda: listed)
    notes._references.cache_clear()
    return notes.measured_notes(parse_material(material), found)


@pytest.mark.parametrize("value", [-4.0, -3.2, -4.9])
def test_a_measured_value_inside_the_interval_and_near_gets_no_warning(monkeypatch, value):
    assert said(monkeypatch, replace(ROW, log10_conductivity=value)) == []


def test_a_value_outside_the_interval_is_named_with_its_publication(monkeypatch):
    (one,) = said(monkeypatch, ROW)
    assert "the one published conductivity of this composition" in one
    assert "1.0e-07 S/cm (10.1/a)" in one
    narrow = replace(FOUND, lower=9e-5, upper=1.1e-4)
    (near,) = said(monkeypatch, replace(ROW, log10_conductivity=-4.5), found=narrow)
    assert "3.2e-05" in near


def test_a_value_in_a_wide_interval_but_a_decade_off_is_named(monkeypatch):
    assert said(monkeypatch, ROW, found=replace(FOUND, lower=1e-9, upper=1e-1))


def test_a_bound_contradicts_a_prediction_above_it_alone(monkeypatch):
    bound = replace(ROW, censored=True)
    (one,) = said(monkeypatch, bound)
    assert "<1.0e-07" in one
    assert said(monkeypatch, replace(bound, log10_conductivity=-2.0)) == []


def test_other_temperatures_kinds_space_groups_and_compositions_are_not_compared(monkeypatch):
    assert said(monkeypatch, replace(ROW, temperature_K=350.0)) == []
    assert said(monkeypatch, replace(ROW, kind="bulk")) == []
    assert said(monkeypatch, replace(ROW, kind="bulk"), found=replace(FOUND, kind="bulk"))
    assert said(monkeypatch, replace(ROW, kind="unknown"))
    assert said(monkeypatch, ROW, material="Li5.5PS4.5Cl1.5") == []
    tetragonal = replace(ROW, composition=Composition("Li7La3Zr2O12"), space_group=142)
    cubic = parse_material(cif_text("llzo_al"), "cif")
    monkeypatch.setattr(notes, "reference_list", lambda: ReferenceList((tetragonal,), ("t",), None))
    assert cubic.cell.space_group == 230
    assert notes.measured_notes(replace(cubic, composition=tetragonal.composition), FOUND) == []


def test_copies_count_once_and_the_farthest_come_first(monkeypatch):
    rows = [replace(ROW, id=str(k), doi=f"10.1/{k}", log10_conductivity=-6.0 - k / 2) for k in range(5)]
    rows += [replace(rows[0], source="copy"), replace(ROW, id="fine", doi="10.1/f", log10_conductivity=-4.0)]
    (one,) = said(monkeypatch, *rows)
    assert "5 of 6 published conductivities" in one
    assert one.index("10.1/4") < one.index("10.1/3") < one.index("10.1/2")
    assert "and 2 more" in one
    assert "10.1/0" not in one


def test_a_table_that_cannot_be_read_costs_a_warning_not_the_prediction(monkeypatch):
    def broken():
        raise BadData("liverpool has no column temperature; take the original file.")

    monkeypatch.setattr(notes, "reference_list", broken)
    (one,) = notes.measured_notes(parse_material("Li6PS5Cl"), FOUND)
    assert "take the original file" in one


def test_repeats_found_by_lithium_are_those_of_a_full_look():
    references = reference_list()
    for m in references.measurements[::7]:
        slow = [
            row
            for row in references.measurements
            if max(
                abs(row.composition.get_atomic_fraction(el) - m.composition.get_atomic_fraction(el))
                for el in {*row.composition, *m.composition}
            )
            <= 0.002
        ]
        assert references.repeats(m.composition) == slow


def test_li7p3s11_names_both_measurements_and_their_dois():
    predictor = load_predictor()
    wrong, right = (
        answer(predictor, [parse_material(formula)], [298.15])[0] for formula in ("Li7P3S11", "Li10GeP2S12")
    )
    (warning,) = (w for w in wrong.warnings if w.startswith("Measured otherwise"))
    for text in ("1.7e-02 S/cm (10.1039/c3ee41655k)", "3.2e-03 S/cm (10.1002/adma.200401286)"):
        assert text in warning
    assert not any(w.startswith("Measured otherwise") for w in right.warnings)
    assert abs(math.log10(right.conductivity.value) + 1.92) < 1  # 1.2e-2 S/cm: well predicted


def test_shell_and_service_say_it_in_text_and_json(client, monkeypatch, capsys):
    assert any("10.1039/c8ta09170f" in w for w in client.predict(formula="LiTa2PO8", thermodynamics=False).warnings)
    code, out, _ = run_cli(monkeypatch, capsys, "predict", "LiTa2PO8", "--no-thermodynamics", "--json")
    assert code == 0
    assert any("10.1039/c8ta09170f" in w for w in json.loads(out)["warnings"])
    code, _, err = run_cli(monkeypatch, capsys, "predict", "LiTa2PO8", "--no-thermodynamics")
    assert code == 0
    assert "10.1039/c8ta09170f" in " ".join(err)


def test_a_screen_does_not_depend_on_the_tables_of_its_node(monkeypatch):
    predictor = load_predictor()
    material = parse_material("Li7P3S11")
    monkeypatch.setattr(notes, "reference_list", lambda: pytest.fail("the tables were read"))
    (silent,) = answer(predictor, [material], [298.15], [ThermodynamicsChoice(False)], compared=False)
    assert not any("Measured otherwise" in words for words in silent.warnings)
