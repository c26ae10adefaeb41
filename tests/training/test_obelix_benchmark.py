"""The OBELiX benchmark: its layout is fixed, its baselines are refitted, and nothing seen counts as clean."""

import json
from dataclasses import replace

import pandas as pd
import pytest
from pymatgen.core import Composition

from ionscout.datasets.settings import settings
from ionscout.datasets.sources.embedded import Embedded
from ionscout.datasets.sources.obelix import CONDUCTIVITY
from ionscout.datasets.sources.repeats import fraction_matrix
from ionscout.models.conductivity.network import NetworkConfig
from ionscout.training.benchmarks import obelix
from ionscout.training.conductivity import TrainingData
from ionscout.training.config import ConductivityConfig, read_config
from ionscout.training.folds import seen

FIELDS = {"n", "mae_P", "mae_B", "mae_C", "rmse_P", "spearman", "coverage_90", "width_90"}
SMALL = read_config(ConductivityConfig, None, "conductivity").model_copy(
    update={
        "members": 1,
        "folds": 3,
        "epochs": 2,
        "workers": 1,
        "network": NetworkConfig(width=8, head=16, crystal_layers=1),
    }
)


@pytest.fixture(autouse=True)
def no_other_tables(monkeypatch):
    """The embedded set alone: with all tables beside it this would take minutes."""
    monkeypatch.delenv("IONSCOUT_DATA_DIR", raising=False)
    settings.cache_clear()
    yield
    settings.cache_clear()


def write_obelix(folder, parts: dict[str, slice]) -> None:
    """The embedded set in the clothes of OBELiX, so that the benchmark runs without the real one."""
    rows = Embedded().load()
    (folder / "cifs").mkdir()
    table = []
    for number, m in enumerate(rows):
        cell = m.material().cell
        lattice = (5.0, 6.0, 7.0, 90.0, 90.0, 90.0) if cell is None else cell.lattice
        value = f"{'<' if m.censored else ''}{10**m.log10_conductivity:.3e}"
        formula = m.composition.formula.replace(" ", "")
        table.append([f"r{number}", formula, value, m.family, m.doi or m.id, 1, 1, *lattice])
        if m.structure is not None:
            m.structure.to(filename=str(folder / "cifs" / f"r{number}.cif"))
    columns = ["ID", "Reduced Composition", CONDUCTIVITY, "Family", "DOI", "Space group #", "Z"]
    frame = pd.DataFrame(table, columns=[*columns, "a", "b", "c", "alpha", "beta", "gamma"])
    for name, part in parts.items():
        frame.iloc[part].to_csv(folder / f"{name}.csv", index=False)


def check(report: dict, names: set[str]) -> None:
    assert set(report["models"]) == names
    for parts in report["models"].values():
        assert {"all", "cif"} <= set(parts)
        for scores in parts.values():
            assert set(scores) == FIELDS
            assert scores["mae_C"] <= scores["mae_B"] + 1e-9
    json.dumps(report, allow_nan=False)
    page = obelix.markdown(report, "command")
    assert "random_forest" in page


def test_with_the_training_part_alone_everything_is_cross_validated(tmp_path):
    write_obelix(tmp_path, {"train": slice(0, 60)})
    fits: list[int] = []
    report = obelix.run(tmp_path, SMALL, on_fit=lambda: fits.append(1))
    assert report["split"].startswith("train, 3 folds grouped by DOI")
    assert len(fits) == SMALL.folds * SMALL.members
    check(report, {"champion", "graph_only", "random_forest", "median"})
    assert report["models"]["champion"]["all"]["n"] == 60
    # The embedded rows that would help are the very rows held out: none of them may have trained their own fold.
    assert report["models"]["champion"]["all"]["mae_B"] > 0.3


def test_with_a_test_part_the_shipped_champion_is_scored_and_what_it_knows_is_not_clean(tmp_path):
    write_obelix(tmp_path, {"train": slice(0, 70), "test": slice(70, 100)})
    report = obelix.run(tmp_path, SMALL)
    assert report["split"] == "official test"
    check(report, {"champion", "graph_only", "random_forest", "median"})
    # Every row of this stand-in is in the embedded set that the champion was trained on.
    assert report["rows"]["composition_seen_in_training"] == 30
    assert "clean" not in report["models"]["champion"]
    assert report["rows"]["overlap_with_trained"] == {"composition": 30}
    assert "independent" not in report["models"]["champion"]


def test_rows_of_any_table_that_trained_the_champion_are_not_clean(tmp_path, monkeypatch):
    write_obelix(tmp_path, {"train": slice(0, 70), "test": slice(70, 100)})
    test = obelix.Obelix(tmp_path, "test").load()
    first, second = test[0], test[1]
    assert first.doi != second.doi
    trained = [
        replace(first, id="a", source="liverpool", doi=""),  # the composition, from another table
        replace(first, id="b", source="liverpool", doi=second.doi, composition=Composition("Li9Xe"), formula="Li9Xe"),
    ]
    monkeypatch.setattr(obelix, "training_data", lambda folder: TrainingData(trained[:1], trained[1:], "two rows"))
    report = obelix.run(tmp_path, SMALL)
    alike = sum(m.doi == second.doi for m in test if m is not first)
    same = sum(seen(fraction_matrix([m]), fraction_matrix(trained))[0] for m in test)
    assert report["rows"]["composition_seen_in_training"] == same
    assert report["rows"]["overlap_with_trained"]["publication"] == alike
    assert report["models"]["champion"]["clean"]["n"] == len(test) - same
    assert report["models"]["champion"]["independent"]["n"] == len(test) - same - alike
    assert any("two rows" in note for note in report["notes"])  # not what the weights say they learned from
    page = obelix.markdown(report, "command")
    assert f"{alike} a publication" in page
    assert "nothing was left out for this test" in page
    assert "without the rows that share" not in page  # true of cross-validation alone


def test_a_test_part_without_training_rows_says_what_is_missing(tmp_path, monkeypatch):
    from ionscout.datasets.settings import settings

    write_obelix(tmp_path, {"test": slice(70, 100)})
    monkeypatch.delenv("IONSCOUT_DATA_DIR", raising=False)
    settings.cache_clear()
    try:
        report = obelix.run(tmp_path, SMALL)
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert set(report["models"]) == {"champion", "graph_only"}
    assert "train.csv" in report["notes"][0]


def test_no_table_is_one_sentence(tmp_path):
    from ionscout.datasets.errors import DataUnavailable

    with pytest.raises(DataUnavailable, match=r"train\.csv"):
        obelix.run(tmp_path, SMALL)
    with pytest.raises(DataUnavailable, match="OBELiX folder"):  # a CSV of own measurements is not asked for
        obelix.run(tmp_path / "nonexistent", SMALL)
