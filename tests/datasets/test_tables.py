"""Extra tables: every fault that they are known for is repaired, dropped or flagged, and counted."""

import csv
import math

import pytest

from ionscout.datasets.errors import BadData, DataUnavailable
from ionscout.datasets.settings import settings
from ionscout.datasets.sources.cleaning import RULES, clean_number
from ionscout.datasets.sources.conductivity_1011 import Conductivity1011
from ionscout.datasets.sources.laskowski import Laskowski
from ionscout.datasets.sources.liverpool import Liverpool

needs_data = pytest.mark.skipif(settings().data_dir is None, reason="IONSCOUT_DATA_DIR is not set")


def write(path, columns, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


@pytest.fixture
def liverpool(tmp_path):
    columns = ["ID", "composition", "source", "temperature", "target", "log_target", "family", "ChemicalFamily"]
    rows = [
        ["1", "Li5La3Ta1.8Zr0.2 O12", "10.1/A", "25", "2.00E-06", "-5.69897", "Garnet", "Oxides"],
        ["2", "Li5La3Ta1.8Zr0.2O12", "10.1/A", "150", "3.00E-04", "-3.52288", "Garnet", "Oxides"],
        ["3", "Li1.2Sc0.2Hf1.8(PO4)3", "10.1/b", "300", "4.00E-03", "-2.39794", "NASICON", "#N/A"],
        ["4", "Li6.5La3Hf1.5Nb0.5O12", "10.1/c", "303", "5.00E-04", "-3.30103", "Garnet", "#N/A"],
        ["5", "Li1.4Ga0.4Ge1.6(PO4)", "10.1/d", "25", "1.00E-05", "-5", "NASICON", "#N/A"],
        ["6", "Li3.2Ge0.2P0.8S4", "Some Journal 1965", "25", "1.00E-04", "-2", "Other", "#N/A"],
        ["7", "Li3.2Ge0.2P0.8S4", "Some Journal 1965", "25", "1.00E-04", "-4", "Other", "#N/A"],
        ["8", "Li3.2Ge0.2P0.8S4", "10.1/e", "25", "1.01E-04", "-3.99568", "Other", "#N/A"],
        ["9", "Li3.2Ge0.2P0.8S4", "10.1/f", "25", "5.00E-07", "-6.30103", "Thio-LISICON", "#N/A"],
        ["9", "LiF", "Some Journal 1965", "351", "2.65E-09", "-8.576754", "Rocksalt", "#N/A"],
    ]
    return write(tmp_path / "liverpool.csv", columns, rows)


def test_liverpool_temperatures_become_kelvin_and_doubtful_ones_go(liverpool):
    clean = Liverpool(liverpool).clean()
    rows = {m.id: m for m in clean.measurements}
    assert sorted(rows) == ["1", "2", "3", "7", "9", "9, line 11"]
    assert [rows[i].temperature_K for i in ("1", "2", "3")] == pytest.approx([298.15, 423.15, 573.15])
    assert rows["1"].formula == "Li5La3Ta1.8Zr0.2O12"
    assert rows["1"].doi == "10.1/a"
    assert rows["1"].family == "garnet"
    assert rows["7"].reference == "some journal 1965"
    assert rows["7"].doi == "10.1/e"
    assert rows["7"].family == ""
    expected = {
        "formula characters": 1, "kelvin or celsius": 1, "charge imbalance": 1, "columns disagree": 1, "repeat": 1,
        "contradictory": 2, "name given twice": 1,
    }  # fmt: skip
    assert {rule: clean.report.count(rule) for rule in expected} == expected
    assert (clean.report.rows_read, clean.report.rows_kept) == (10, 6)


@pytest.fixture
def laskowski(tmp_path):
    columns = [
        "formula",
        "sigma_RT_S_cm",
        "Ea_eV",
        "space_group",
        "space_group_number",
        "unlabelled",
        "icsd_id",
        "reference_number",
    ]
    rows = [
        ["Li3.6Sn0.6P0.4S4", "2.0E−5", "0.41", "Pnma", "62", "", "", "7"],
        ["Li3.5Sn0.5P05S4", "3.0E-5", "-", "Pnma", "62", "", "", "7"],
        ["LiGeTi(P04)3", "4E-7", "", "", "", "", "", "8"],
        ["Li3Dy3Te2O12", "<1E10", "", "Ia3d", "230", "", "", "9"],
        ["Li3Ho3Te2O12", "<1E-10", "1.3", "Ia3d", "230", "", "", "9"],
        ["Li 6.4 La 2.75 Y0.25Zr1.4Ta0.6", "", "0.33", "", "", "", "", "10"],
        ["O12", "", "", "", "", "", "", ""],
        ["Li6.3La3Zr1.3Ta0.6W0.05O1", "", "0.31", "", "", "", "", "10"],
        ["SiO2", "", "", "", "", "", "", ""],
        ["LiB8O12F", "2.0E-22", "1.4", "", "", "", "", "11"],
        ["Na3PS4", "1E-4", "0.3", "", "", "", "", "12"],
        ["Li4Si0.9Ti0.1O4", "n.a.", "0.5", "", "", "", "", "13"],
        ["Li4Si0.8Ti0.2O4", "5E-9", "25", "", "", "", "", "13"],
        ["Li2Xx4O3", "5E-9", "", "", "", "", "", "13"],
        ["Li3UO5", "5E-9", "", "", "", "", "", "13"],
        ["Li3.6Sn0.6P0.4S4", "2.02E-5", "", "Pnma", "62", "", "", "14"],
        ["Li7La3Hf2O12", "7.5", "", "", "", "", "", "15"],
        ["Li6.8La3Hf1.8Nb0.2O12", "2.9E-2", "", "", "", "", "", "15"],
    ]
    obelix = write(
        tmp_path / "train.csv", ["ID", "Laskowski ID", "DOI"], [["a", "7.0", "10.2/Seven"], ["b", "", "10.2/x"]]
    )
    return Laskowski(write(tmp_path / "laskowski.csv", columns, rows), obelix)


def test_laskowski_cells_are_repaired_dropped_and_counted(laskowski):
    clean = laskowski.clean()
    rows = {m.formula: m for m in clean.measurements}
    expected = {
        "no value": 1, "formula over two lines": 1, "formula characters": 1, "missing decimal point": 1,
        "zero read for O": 1, "number characters": 1, "bound without its minus": 1, "upper bound": 2,
        "beyond measurement": 1, "charge imbalance": 1, "no lithium": 1, "unsupported element": 1,
        "unreadable formula": 1, "unreadable number": 1, "implausible energy": 1, "repeat": 1,
        "beyond any solid": 1, "beyond any oxide": 1,
    }  # fmt: skip
    assert {rule: clean.report.count(rule) for rule in expected} == expected
    assert rows["Li3Dy3Te2O12"].censored
    assert rows["Li3Dy3Te2O12"].log10_conductivity == pytest.approx(-10)
    assert rows["LiB8O12F"].censored
    assert rows["LiB8O12F"].log10_conductivity == pytest.approx(-15)
    assert rows["Li3.6Sn0.6P0.4S4"].doi == "10.2/seven"
    assert rows["Li3.6Sn0.6P0.4S4"].space_group == 62
    assert rows["LiGeTi(PO4)3"].doi == ""
    assert rows["LiGeTi(PO4)3"].reference == "laskowski:8"


def test_rows_with_only_an_activation_energy_are_kept_without_a_conductivity(laskowski):
    rows = {m.formula: m for m in laskowski.load()}
    for formula, energy in (("Li6.4La2.75Y0.25Zr1.4Ta0.6O12", 0.33), ("Li4Si0.9Ti0.1O4", 0.5)):
        assert math.isnan(rows[formula].log10_conductivity)
        assert rows[formula].activation_energy_eV == energy
    assert rows["Li4Si0.8Ti0.2O4"].activation_energy_eV is None  # 25 eV; its conductivity stays
    assert rows["Li4Si0.8Ti0.2O4"].log10_conductivity == pytest.approx(math.log10(5e-9))


@pytest.fixture
def table_1011(tmp_path, liverpool):
    columns = ["Formula", "Cond", "log_cond", "Temp", "Family", "DOI"]
    rows = [
        ["Li5La3Ta1.8Zr0.2O12", "0.0003", "-3.52288", "150.0", "Halide", "10.1/A"],
        ["Li1.2Sc0.2Hf1.8(PO4)3", "0.004", "-2.39794", "300.0", "LISICON", "10.1/b"],
        ["Li1.3Sc0.3Hf1.7(PO4)3", "0.002", "-2.69897", "300.0", "LISICON", "10.1/g|10.1/h"],
        ["Li3.2Ge0.2P0.8S4", "0.0002", "-3.69897", "110.0", "Sulfide", "10.1/e"],
        ["Li3.3Ge0.3P0.7S4", "2e-6", "-5.69897", "213.215979", "Sulfide", "10.1/e"],
        ["Li5La3Ta1.8Zr0.2O12", "3e-6", "-5.52288", "150.0", "Garnet", "10.1/a"],
        ["Li6.5La3Hf1.5Nb0.5O12", "0.0005", "-3.30103", "303.0", "Garnet", "10.1/c"],
        ["Li2ZnGeS4", "1e-9", "-3", "298.15", "Halide", "formula again"],
        ["Li2ZnSnS4", "", "-3", "298.15", "Halide", "formula again"],
        ["LiScSnS4", "1e-9", "-9", "298.15", "Halide", "LiScSnS4"],
    ]
    return Conductivity1011(write(tmp_path / "t.csv", columns, rows), liverpool)


def test_celsius_in_the_kelvin_column_is_told_from_real_cold_and_from_real_300_K(table_1011):
    clean = table_1011.clean()
    kelvins = {(m.formula, round(m.temperature_K, 2)) for m in clean.measurements}
    assert kelvins == {
        ("Li5La3Ta1.8Zr0.2O12", 423.15),
        ("Li1.2Sc0.2Hf1.8(PO4)3", 573.15),  # Liverpool has it at 300 °C
        ("Li1.3Sc0.3Hf1.7(PO4)3", 300.0),  # Liverpool does not have it
        ("Li3.2Ge0.2P0.8S4", 383.15),  # nobody measures at 110.0 K
        ("Li3.3Ge0.3P0.7S4", 213.22),  # read off an Arrhenius plot
        ("LiScSnS4", 298.15),
    }
    expected = {
        "celsius in kelvin": 5, "kelvin or celsius": 1, "power of ten": 1, "columns disagree": 1,
        "unreadable number": 1, "family label": 4, "no publication": 1,
    }  # fmt: skip
    assert {rule: clean.report.count(rule) for rule in expected} == expected
    assert {m.family for m in clean.measurements} == {""}
    assert {m.doi for m in clean.measurements if m.formula == "Li1.3Sc0.3Hf1.7(PO4)3"} == {"10.1/h"}


def test_without_liverpool_only_the_cold_shows_celsius(table_1011, tmp_path):
    alone = Conductivity1011(table_1011.path, tmp_path / "missing.csv").clean()
    assert alone.report.count("celsius in kelvin") == 3
    assert alone.report.count("power of ten") == 0


@pytest.mark.parametrize("fixture", ["laskowski", "table_1011"])
def test_cards_and_reports_account_for_every_row(fixture, request):
    source = request.getfixturevalue(fixture)
    clean = source.clean()
    assert clean.report.rows_kept == len(clean.measurements) == len({m.id for m in clean.measurements})
    dropped = sum(r.count for r in clean.report.rules if r.action == "dropped")
    assert clean.report.rows_read - clean.report.rows_kept <= dropped
    for rule in clean.report.rules:
        assert RULES[rule.rule] == (rule.action, rule.meaning)
        assert rule.count > 0
        assert f"| {rule.rule} | {rule.action} | {rule.count} |" in source.card()
    assert "Licence" in source.card()
    assert "Known faults" in source.card()


@pytest.mark.parametrize(
    ("cell", "value", "bound"),
    [("1.2E−4", 1.2e-4, False), ("<1E-10", 1e-10, True), ("1,5e-3", 1.5e-3, False), ("2.3 × 10-5", 2.3e-5, False)],
)
def test_number_cells(cell, value, bound):
    number = clean_number(cell)
    assert (number.value, number.bound) == (pytest.approx(value), bound)


@pytest.mark.parametrize("cell", ["", "-", "n.a.", "nan", "inf", "1.2.3"])
def test_what_is_no_number_is_refused(cell):
    with pytest.raises(BadData):
        clean_number(cell)


def test_a_missing_file_and_a_wrong_layout_say_what_to_do(tmp_path):
    with pytest.raises(DataUnavailable, match="IONSCOUT_DATA_DIR"):
        Liverpool(tmp_path / "none.csv").load()
    assert not Liverpool(tmp_path / "none.csv").available()
    with pytest.raises(BadData, match="composition"):
        Liverpool(write(tmp_path / "wrong.csv", ["a", "b"], [["1", "2"]])).load()


@needs_data
def test_the_real_tables_have_the_faults_they_are_known_for():
    liverpool, laskowski, table = Liverpool().clean(), Laskowski().clean(), Conductivity1011().clean()
    assert table.report.count("celsius in kelvin") >= 55
    assert table.report.count("family label") >= 100
    assert table.report.count("columns disagree") >= 20
    assert table.report.count("no lithium") == 1
    assert laskowski.report.count("upper bound") >= 30
    assert laskowski.report.count("no value") >= 30
    assert laskowski.report.count("missing decimal point") == 1
    assert sum(m.activation_energy_eV is not None for m in laskowski.measurements) >= 300
    assert sum(bool(m.doi) for m in laskowski.measurements) >= 300
    for clean, least in ((liverpool, 500), (laskowski, 500), (table, 550)):
        assert least <= len(clean.measurements) < clean.report.rows_read
        for m in clean.measurements:
            assert 100 < m.temperature_K < 1200
            assert m.composition["Li"] > 0
            assert math.isnan(m.log10_conductivity) or -15 <= m.log10_conductivity <= 0
