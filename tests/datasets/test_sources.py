"""Readers of measurements: bounds stay bounds, layouts are recognised, bad rows are named."""

import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

from ionscout.datasets.errors import BadData, DataUnavailable
from ionscout.datasets.settings import settings
from ionscout.datasets.sources.base import content_hash, normal_doi
from ionscout.datasets.sources.obelix import CONDUCTIVITY, Obelix, parse_conductivity
from ionscout.datasets.sources.user import UserTable

CIF = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.13), ["Li", "Cl"], [[0, 0, 0], [0.5] * 3]).to(fmt="cif")
ROWS = [
    ("aa1", "LiCl", "<1E-10", "chlorides", "10.1/A"),
    ("aa2", "Li3PS4", "1.6e-4", "thio-LISICON", "10.1/b"),
    ("aa3", "Li6PS5Cl", "1.9E-3", "argyrodites", "10.1/b"),
]


def table() -> pd.DataFrame:
    columns = ["ID", "Reduced Composition", CONDUCTIVITY, "Family", "DOI"]
    rows = pd.DataFrame(ROWS, columns=columns)
    lattice = {"a": 5.0, "b": 5.0, "c": 5.0, "alpha": 90.0, "beta": 90.0, "gamma": 90.0}
    return rows.assign(**{"Space group #": 225, "Z": 4}, **lattice)


@pytest.fixture
def folder(tmp_path):
    table().iloc[:2].to_csv(tmp_path / "train.csv", index=False)
    table().iloc[2:].to_csv(tmp_path / "test.csv", index=False)
    (tmp_path / "cifs").mkdir()
    (tmp_path / "cifs" / "aa1.cif").write_text(CIF)
    return tmp_path


def test_obelix_keeps_bounds_structures_and_cells(folder):
    first, second = Obelix(folder, "train").load()
    assert first.censored
    assert first.log10_conductivity == -10
    assert first.structure is not None
    assert first.family == "halide"
    assert first.doi == "10.1/a"
    assert not second.censored
    assert second.structure is None
    assert second.cell.atoms == 32
    assert second.material().cell.space_group == 225


def test_obelix_gives_bulk_beside_total_where_both_are_reported(folder):
    rows = table().assign(**{"IC (Total)": [None, 1.6e-4, None], "IC (Bulk)": [None, 1.6e-3, 1.9e-3]})
    rows.to_csv(folder / "train.csv", index=False)
    unknown, both, bulk = Obelix(folder, "train").load()
    assert (unknown.kind, both.kind, bulk.kind) == ("unknown", "total", "bulk")
    assert both.log10_bulk == pytest.approx(both.log10_conductivity + 1)
    assert unknown.log10_bulk is None
    assert bulk.log10_bulk is None  # the label itself


def test_the_layout_of_the_published_package_is_read_too(tmp_path):
    table().to_csv(tmp_path / "all.csv", index=False)
    table().iloc[[2]].to_csv(tmp_path / "test.csv", index=False)
    (tmp_path / "all_randomized_cifs").mkdir()
    (tmp_path / "all_randomized_cifs" / "aa1.cif").write_text(CIF)
    assert [m.id for m in Obelix(tmp_path, "train").load()] == ["aa1", "aa2"]
    assert [m.id for m in Obelix(tmp_path, "test").load()] == ["aa3"]
    assert Obelix(tmp_path, "train").load()[0].structure is not None


def test_a_missing_part_is_known_without_reading_it(tmp_path, folder):
    assert Obelix(folder, "test").has_part()
    (folder / "test.csv").unlink()
    assert not Obelix(folder, "test").has_part()
    with pytest.raises(DataUnavailable, match=r"test\.csv"):
        Obelix(folder, "test").load()


def test_a_table_without_its_columns_is_refused(tmp_path):
    (tmp_path / "train.csv").write_text("ID,formula\n1,LiCl\n")
    with pytest.raises(BadData, match="columns"):
        Obelix(tmp_path).load()


@pytest.mark.parametrize("text", ["-1e-3", "0", "nan", "inf", "fast", ""])
def test_what_is_no_conductivity_is_refused(text):
    with pytest.raises(BadData):
        parse_conductivity(text)


def test_user_rows_name_the_line_that_is_wrong(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("formula,conductivity_S_cm\nLi3PS4,1e-4\nNaCl,1e-5\n")
    with pytest.raises(BadData, match="line 3"):
        UserTable(path).load()
    path.write_text("formula,conductivity_S_cm,temperature_K\nLi3PS4,1e-4,25\n")
    with pytest.raises(BadData, match="°C"):
        UserTable(path).load()


def test_user_rows_may_have_structures(tmp_path):
    (tmp_path / "cifs").mkdir()
    (tmp_path / "cifs" / "x.cif").write_text(CIF)
    (tmp_path / "mine.csv").write_text("formula,conductivity_S_cm,structure\nLiCl,<1e-9,x.cif\n")
    (row,) = UserTable(tmp_path / "mine.csv").load()
    assert row.structure is not None
    assert row.censored


def test_a_formula_that_is_not_the_structure_is_refused(tmp_path):
    (tmp_path / "cifs").mkdir()
    (tmp_path / "cifs" / "x.cif").write_text(CIF)
    (tmp_path / "mine.csv").write_text("formula,conductivity_S_cm,structure\nLi3PS4,1e-4,x.cif\n")
    with pytest.raises(BadData, match="holds LiCl"):
        UserTable(tmp_path / "mine.csv").load()


@pytest.mark.parametrize("text", ["10.1/AbC ", "https://doi.org/10.1/abc", "doi.org/10.1/ABC"])
def test_one_paper_has_one_doi(text):
    assert normal_doi(text) == "10.1/abc"


def test_the_hash_sees_content_and_not_order(folder):
    rows = Obelix(folder, "train").load()
    assert content_hash(rows) == content_hash(rows[::-1])
    assert content_hash(rows) != content_hash(rows[:1])


@pytest.mark.skipif(settings().data_dir is None, reason="needs IONSCOUT_DATA_DIR")
def test_the_real_training_part_has_its_published_size():
    rows = Obelix(part="train").load()
    assert len(rows) == 478
    assert sum(m.structure is not None for m in rows) == 254
    assert sum(m.censored for m in rows) == 29
    assert {m.log10_conductivity for m in rows if m.censored} == {-10.0, -8.0}
