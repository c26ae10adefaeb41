"""Series are found by formula and space group alone, scored by pairs, and held out whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pymatgen.core import Composition

from ionscout.datasets.settings import settings
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.embedded import Embedded
from ionscout.training.benchmarks.ordering import score_predictions, score_series, score_series_held_out
from ionscout.training.benchmarks.series import Series, find_series, rules_without_rows, series_groups, series_rules
from ionscout.training.folds import grouped_folds, publications

GERMANIUM = Series(name="Ge", source="x", line=("Li6PS5I", "Li6.7P0.3Ge0.7S5I"), step=0.1)
HALIDES = Series.model_validate({"name": "X", "source": "x", "levels": [["Li6PS5Cl", "Li6PS5Br"], ["Li6PS5I"]]})
PHASES = Series.model_validate(
    {
        "name": "LLZO",
        "source": "x",
        "levels": [[{"formula": "Li7La3Zr2O12", "space_groups": [g]}] for g in (230, 142)],
    }
)


def row(
    formula: str, value: float = -5.0, doi: str = "", group: int | None = None, kelvin: float = 298.15
) -> Measurement:
    return Measurement(
        formula, formula, Composition(formula), None, value, temperature_K=kelvin, doi=doi, space_group=group
    )


def germanium(x: float) -> str:
    return f"Li{6 + x:.4f}P{1 - x:.4f}Ge{x:.4f}S5I"


@given(st.floats(0.01, 0.69), st.floats(0.1, 20))
def test_a_composition_on_the_line_is_placed_whatever_its_formula_unit(x, times):
    formula = Composition({el: amount * times for el, amount in Composition(germanium(x)).items()})
    measurement = Measurement("a", "a", formula, None, -5.0)
    assert GERMANIUM.heights([measurement])[0] == pytest.approx(x / 0.7, abs=1e-3)


@pytest.mark.parametrize(
    "formula", ["Li6PS5Br", "Li6.4P0.6Si0.4S5I", "Li6.4P0.6Ge0.4S5Br", "Li5.6PS4.6I1.4", "Li7GeS5I"]
)
def test_what_lies_beside_or_beyond_the_line_is_no_member(formula):
    assert np.isnan(GERMANIUM.heights([row(formula)])[0])


def test_a_falling_line_is_the_rising_one_turned():
    rows = [row(germanium(x)) for x in (0.1, 0.4, 0.6)]
    falling = GERMANIUM.model_copy(update={"direction": "falling"})
    np.testing.assert_allclose(falling.heights(rows), -GERMANIUM.heights(rows))


def test_space_groups_tell_the_members_of_a_phase_series():
    rows = [row("Li7La3Zr2O12", group=g) for g in (230, 142, None, 15)]
    np.testing.assert_array_equal(PHASES.heights(rows), [0, -1, np.nan, np.nan])


def test_pairs_are_counted_and_ties_are_half():
    rows = [row("Li6PS5Cl"), row("Li6PS5Br"), row("Li6PS5I")]
    found = find_series(rows, [HALIDES])

    def share(*values: float) -> float:
        return score_predictions(np.array(values), rows, found).series[0].share

    assert share(-2, -3, -6) == 1
    assert share(-3, -2, -6) == 1  # within a level nothing is compared
    assert share(-2, -7, -6) == 0.5
    assert share(-5, -5, -5) == 0.5
    assert share(-9, -8, -1) == 0


def test_repeats_are_one_point_with_their_median():
    rows = [row("Li6PS5Cl", v) for v in (-3.0, -3.1, -9.0)] + [row("Li6PS5I", -6.0)]
    (series,) = score_predictions(
        np.array([m.log10_conductivity for m in rows]), rows, find_series(rows, [HALIDES])
    ).series
    assert (series.rows, series.points, series.pairs) == (4, 2, 1)
    assert series.measured_share == 1
    assert series.measured_span == pytest.approx(2.9)


def test_steps_smaller_than_the_rule_compares_are_left_out():
    rows = [row(germanium(x)) for x in (0.1, 0.12, 0.5)]
    (series,) = score_predictions(np.array([-5.0, -6.0, -3.0]), rows, find_series(rows, [GERMANIUM])).series
    assert series.pairs == 2
    assert series.share == 1


def test_hot_rows_and_lonely_members_make_no_series():
    assert find_series([row("Li6PS5Cl"), row("Li6PS5I", kelvin=400.0)], [HALIDES]) == []
    assert find_series([row("Li6PS5Cl"), row("Li6PS5Br")], [HALIDES]) == []
    report = score_series(lambda materials: np.zeros(len(materials)), [row("LiCl")])
    assert report.total == report.right == 0


def test_a_model_is_asked_for_the_members_alone():
    rows = [row("Li6PS5Cl"), row("LiCl"), row("Li6PS5I")]
    asked = []

    def predict(materials):
        asked.extend(m.formula for m in materials)
        return np.array([-3.0 if "Cl" in m.formula else -6.0 for m in materials])

    report = score_series(predict, rows, [HALIDES])
    assert asked == ["Li6PS5Cl", "Li6PS5I"]
    assert report.right == report.total == report.pair_share == 1
    assert report.series[0].span == pytest.approx(3)
    assert report.as_dict()["series"][0]["right"] is True


def test_folds_hold_out_a_series_and_its_publications_whole():
    rows = [
        row("Li6PS5Cl", doi="a"), row("Li7La3Zr2O12", doi="a"), row("Li6PS5I", doi="b"), row("Li3PS4", doi="b"),
        *(row(f"Li{n}Cl", doi=f"d{n}") for n in range(2, 12)),
    ]  # fmt: skip
    groups = series_groups(rows, publications(rows))
    assert len(set(groups[:4])) == 1
    assert len(set(groups)) == 11
    assert all(groups[i] != groups[0] for i in range(4, len(rows)))
    for training, test in grouped_folds(groups, 5, 0):
        assert not set(groups[training]) & set(groups[test])


def test_held_out_predictions_never_see_the_series():
    rows = [row("Li6PS5Cl", doi="a"), row("Li6PS5I", doi="b"), *(row(f"Li{n}Cl", doi=f"d{n}") for n in range(2, 12))]

    def fit_predict(training, test):
        assert not ({0, 1} & set(training) and {0, 1} & set(test))
        return np.array([-3.0 if rows[i].formula == "Li6PS5Cl" else -6.0 for i in test])

    report = score_series_held_out(fit_predict, rows, 5, 0)
    assert (report.right, report.total) == (1, 1)


def test_a_rule_is_levels_or_a_line():
    with pytest.raises(ValidationError, match="levels, or a line"):
        Series(name="x", source="y")
    with pytest.raises(ValidationError, match="levels, or a line"):
        Series.model_validate({"name": "x", "source": "y", "levels": [["LiCl"]]})


def test_there_are_more_than_ten_rules_each_with_its_paper():
    rules = series_rules()
    assert len(rules) >= 20
    assert len({rule.name for rule in rules}) == len(rules)
    assert all(rule.source.startswith("10.") for rule in rules)


def test_rules_that_find_nothing_are_named():
    assert rules_without_rows([]) == [rule.name for rule in series_rules()]
    absent = rules_without_rows([row("Li6PS5Cl"), row("Li6PS5I")])
    assert "argyrodite Li6PS5X, chloride and bromide above iodide" not in absent
    assert "halides Li3YX6, bromide above chloride" in absent


def test_the_embedded_measurements_have_series_in_the_declared_order():
    rows = Embedded().load()
    report = score_predictions(np.array([m.log10_conductivity for m in rows]), rows)
    assert report.total >= 5
    assert report.pair_share > 0.8


@pytest.mark.skipif(settings().data_dir is None, reason="needs IONSCOUT_DATA_DIR")
def test_the_declared_orders_are_those_of_the_measurements():
    from ionscout.datasets.sources.obelix import Obelix, default_folder

    rows = Obelix(default_folder(), "train")
    table = [
        rows._measurement(r, None) for _, r in rows._table().iterrows()
    ]  # without the crystals, which take seconds
    report = score_predictions(np.array([m.log10_conductivity for m in table]), table)
    assert report.total >= 15
    assert all(series.measured_share >= 0.8 for series in report.series)
    assert all(series.measured_span > 0 for series in report.series)
