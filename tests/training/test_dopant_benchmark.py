"""The dopant benchmark: reading tables, metrics by hand, baselines on one list."""

import pytest

from ionscout.datasets.errors import BadData
from ionscout.models.conductivity.predictor import ConductivityPrediction
from ionscout.training.benchmarks.dopants import FACTS, ReferenceRow, markdown, metrics, read_reference, run

HEADER = "dopant,substituted_site,sigma_ionic_S_cm\n"


class Level:
    """A model that gives every material the same conductivity, and so knows no dopant."""

    version = "level"

    def predict(self, materials, temperature_K=298.15):
        return [
            ConductivityPrediction(1e-4, 1e-5, 1e-3, 0.9, temperature_K, 0.3, 0.1, True, "structure", "level", "1")
            for _ in materials
        ]


@pytest.fixture(scope="module")
def report():
    return run(FACTS, "Li7La3Zr2O12", hull_name="learned", predictor=Level())


def test_the_facts_have_at_least_fifteen_dopants_with_their_site():
    rows, undoped = read_reference(FACTS)
    assert sum(bool(row.sites) for row in rows) >= 15
    assert undoped == pytest.approx(1.63e-6)


def test_sites_are_right_and_the_order_is_better_than_the_baselines_without_any_label(report):
    assert report.ours.site_accuracy >= 0.75
    for name in ("pymatgen_probabilities", "pymatgen_shannon_radii"):
        assert report.ours.site_accuracy > report.baselines[name].site_accuracy
        assert report.prior_only.auc_10x > report.baselines[name].auc_10x
        assert report.prior_only.spearman > report.baselines[name].spearman


def test_the_report_has_the_fields_that_were_agreed(report):
    plain = report.as_dict()
    assert {"n", "site_accuracy", "auc_10x", "recall_at_10", "spearman", "baselines"} <= set(plain)
    assert set(plain["baselines"]) == {"smact_doper", "pymatgen_probabilities", "pymatgen_shannon_radii"}
    assert "Leak" in markdown(report)


def test_tables_are_read_as_laboratories_write_them(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text(
        HEADER + "none,,1e-6\nAl3+,Li site,2e-4\nCe0.1,La/Zr,\nLi7La3Zr2O12,,3e-6\n"
        "Ga,Li+,1e-3\nFe(III),Li1,<1e-7\nTungsten,Zr4+,4E-04\n"
    )
    rows, undoped = read_reference(table)
    assert [(r.dopant, set(r.sites), r.conductivity) for r in rows] == [
        ("Al", {"Li"}, 2e-4), ("Ce", {"La", "Zr"}, None), ("Ga", {"Li"}, 1e-3),
        ("Fe", {"Li"}, 1e-7), ("W", {"Zr"}, 4e-4),
    ]  # fmt: skip
    assert undoped == pytest.approx(3e-6)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dopant,site\nAl,Li\n", "lacks the column substituted_site"),
        (HEADER + "Al,Li,-1e-4\n", "positive number"),
        (HEADER + "Al,Li,fast\n", "positive number"),
        (HEADER + "Alu,Li,1e-4\n", "element symbol"),
        (HEADER, "no dopants"),
    ],
)
def test_bad_tables_get_one_sentence(tmp_path, text, says):
    table = tmp_path / "t.csv"
    table.write_text(text)
    with pytest.raises(BadData, match=says):
        read_reference(table)


def rows(*conductivities):
    return [ReferenceRow(f"E{n}", frozenset({"Li"}), value) for n, value in enumerate(conductivities)]


def test_metrics_by_hand():
    table = rows(1e-3, 1e-4, 1e-6, 1e-7)
    scores = {"E0": 4.0, "E1": 2.0, "E2": 3.0, "E3": 1.0}
    found = metrics(table, 1e-6, scores, {"E0": "Li", "E1": "Zr", "E2": "Li", "E3": None})
    assert found.site_accuracy == 0.5
    assert found.auc_10x == 0.75  # three of the four pairs are in order
    assert found.recall_at_10 == 1.0
    assert found.spearman == pytest.approx(0.8)


def test_a_method_that_lists_nothing_is_worth_a_coin():
    found = metrics(rows(1e-3, 1e-4, *[1e-7] * 28), 1e-6, {}, {})
    assert found.auc_10x == 0.5
    assert found.recall_at_10 == pytest.approx(1 / 3)  # ten of thirty places at random
    assert found.spearman is None
    assert found.site_accuracy == 0.0
