"""Benchmarks of windows, interfaces and plateaus: what is scored, what is listed, what is refused."""

import json
from pathlib import Path

import pytest

from ionscout.datasets.errors import BadData, UnknownName
from ionscout.datasets.settings import settings
from ionscout.training.benchmarks import interfaces, plateaus, tally, thermo_oracle, windows
from ionscout.training.benchmarks.thermo_report import table, write_report

needs_data = pytest.mark.skipif(settings().data_dir is None, reason="IONSCOUT_DATA_DIR is not set")

# Invented energies and "published" values: the published windows are this hull's own, shifted by known amounts.
ENERGIES = {"Li2O": -2.0, "Li2O2": -1.6, "Li3P": -0.8, "P2O5": -2.3, "Li3PO4": -2.7, "LiPO3": -2.5, "LiFeO2": -1.7}
ENERGIES |= {"Fe2O3": -1.6, "FePO4": -2.3, "LiFePO4": -2.5}


@pytest.fixture
def hull(monkeypatch, tmp_path):
    """A small hull from a file in place of the named one."""
    path = tmp_path / "hull.csv"
    path.write_text("formula,energy_eV_atom\n" + "".join(f"{f},{e}\n" for f, e in ENERGIES.items()))
    from ionscout.datasets.hulls import load_hull

    for module in (windows, interfaces, plateaus):
        monkeypatch.setattr(module, "load_hull", lambda name: load_hull("file", path))
    return load_hull("file", path)


def reference(folder: Path, text: str) -> Path:
    path = folder / "reference.csv"
    path.write_text(text)
    return path


def test_windows_score_the_deviations_and_list_the_rows_without_an_answer(hull, tmp_path):
    found = windows.run(
        reference(tmp_path, "formula,V_red,V_ox,more\nLi2O,0.1,2.7,x\nLi2S,0.0,2.0,\nLi2O2,,,\n"), "any"
    )
    assert (found.reduction.n, found.oxidation.n) == (1, 1)
    assert found.reduction.mae_V == pytest.approx(0.1)
    assert found.oxidation.mae_V == pytest.approx(0.1)  # 2.8 V by hand, see test_window
    assert found.unanswered == 1
    assert "S" in found.rows[1].reason
    assert found.rows[2].reduction_deviation is None
    assert found.rows[2].oxidation_limit is not None


def test_interfaces_take_one_row_for_each_lithium_content(hull, tmp_path):
    head = "A,B_formula_fully_lithiated,dE_rxt_meV_atom_lithiated,dE_rxt_meV_atom_half_lithiated\n"
    found = interfaces.run(reference(tmp_path, head + "Li2O,LiFePO4,-50,-60\nLi2O,NaCl,-1,\nLi3P,Fe2O3,,-5\n"), "any")
    assert [(row.b, row.half_lithiated) for row in found.rows] == [
        ("LiFePO4", False),
        ("LiFePO4", True),
        ("NaCl", False),
        ("Fe2O3", True),
    ]
    assert found.n == 2
    assert found.unanswered == 2
    assert "Cl" in found.rows[2].reason
    assert "no lithium" in found.rows[3].reason
    assert found.rows[0].deviation == pytest.approx(found.rows[0].reaction_energy + 50)
    assert found.rows[0].same_side_of_gate == (found.rows[0].reaction_energy > -100)
    sides = [row.same_side_of_gate for row in found.rows if row.same_side_of_gate is not None]
    assert found.gate_agreement == sum(sides) / 2


def test_plateaus_match_in_lithium_and_products_or_say_why_not(hull, tmp_path):
    text = "formula,V,dn_Li_per_fu,phases\nLi3PO4,0.7,8.0,Li3P+Li2O\nLi2O,2.9,-1.0,LiO2\nLi2O,2.9,-2.0,O2\n"
    found = plateaus.run(reference(tmp_path, text), "any")
    assert [row.matched for row in found.rows] == [True, False, True]
    assert "no LiO2" in found.rows[1].note
    assert found.matched == 2


def test_a_phase_that_displaces_the_published_products_is_named_and_priced(hull, tmp_path):
    found = plateaus.run(reference(tmp_path, "formula,V,dn_Li_per_fu,phases\nLi2O,2.81,-2.0,O2\n"), "any")
    assert found.matched == 1  # above both steps it is the equilibrium
    found = plateaus.run(reference(tmp_path, "formula,V,dn_Li_per_fu,phases\nLi2O,2.81,-1.0,Li2O+O2\n"), "any")
    assert not found.rows[0].matched
    assert "Li2O2" in found.rows[0].note
    assert found.rows[0].cost > 0
    assert "Li2O2" in found.left_out


@pytest.mark.parametrize("module", [windows, interfaces, plateaus])
def test_a_table_without_its_columns_is_refused(hull, module, tmp_path):
    with pytest.raises(BadData, match="lacks the column"):
        module.run(reference(tmp_path, "name,value\nLi2O,1\n"), "any")
    with pytest.raises(BadData, match="cannot be read"):
        module.run(tmp_path / "missing.csv", "any")
    with pytest.raises(BadData, match="no rows"):
        module.run(reference(tmp_path, ",".join(module.COLUMNS) + "\n"), "any")


def test_a_cell_that_is_no_number_is_refused(hull, tmp_path):
    with pytest.raises(BadData, match="'high' in the reference table"):
        windows.run(reference(tmp_path, "formula,V_red,V_ox\nLi2O,0,high\n"), "any")


def test_an_unknown_hull_is_refused(tmp_path):
    with pytest.raises(UnknownName, match="oqmd"):
        windows.run(reference(tmp_path, "formula,V_red,V_ox\nLi2O,0,2.8\n"), "oqmd")


@pytest.mark.parametrize("module", [windows, interfaces, plateaus])
def test_reports_are_json_and_a_page(hull, module, tmp_path):
    rows = {
        windows: "Li2O,0,2.8\n",
        interfaces: "Li2O,LiFePO4,-50,-60\n",
        plateaus: "Li2O,2.9,-2.0,O2\n",
    }
    module.report(reference(tmp_path, ",".join(module.COLUMNS) + "\n" + rows[module]), "any", tmp_path / "out")
    data, page = sorted((tmp_path / "out").iterdir())
    assert json.loads(data.read_text())["hull"] == "file"
    assert page.read_text().startswith("# ")
    assert "Li2O" in page.read_text()


def test_infinite_numbers_become_null_in_json(tmp_path):
    data, _ = write_report("x", {"a": [float("inf"), 1.0]}, "# x", tmp_path)
    assert json.loads(data.read_text()) == {"a": [None, 1.0]}


def test_tables_show_missing_cells_and_escape_bars():
    assert table(["a", "b"], [(None, "x | y"), (True, 0.123456)]).splitlines()[2:] == [
        "| – | x \\| y |",
        "| yes | 0.1235 |",
    ]


@needs_data
def test_targets_on_the_shared_references_hold():
    folder = Path(settings().data_dir).parent / "reference"
    if not folder.is_dir():
        pytest.skip("no reference tables beside the data folder")
    found = windows.run(folder / "windows_zhu2015.csv", "mp-2019")
    assert found.reduction.mae_V <= 0.030
    assert found.oxidation.median_V <= 0.060
    assert interfaces.run(folder / "interfaces_xiao2019.csv", "mp-2019").median_meV_atom <= 10


@needs_data
def test_the_oracle_benchmark_lists_what_lies_beyond_its_tolerance(monkeypatch):
    monkeypatch.setattr(tally, "TOLERANCE", -1.0)
    found = thermo_oracle.run("mp-2019", systems=[("Li P S", 2)])
    assert len(found.cases) == sum(agreement.n for agreement in found.agreements) > 0
    assert "pymatgen" in thermo_oracle.markdown(found)
