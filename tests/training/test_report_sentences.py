"""Sentences of the README say what the reports say, also where that is not flattering."""

from ionscout.training.benchmarks.coverage import strays_sentence
from ionscout.training.benchmarks.readme import limits_bullet, pretraining_sentence, series_sentence, tables_sentence


def scores(p: float) -> dict:
    errors = {"mae_P": p, "mae_B": p - 0.2, "mae_C": p - 0.2}
    return {"all": errors, "cif": errors}


def model_report(champion: float, process: float) -> dict:
    part = {"n": 30, "mae_C": 0.5, "coverage_90": 0.9}
    return {
        "rows": {"cif": 254},
        "levers": {"process as shipped": scores(1.0), "without rows of other tables": scores(1.25)},
        "models": {
            "champion": scores(champion),
            "process": scores(process),
            "graph_ensemble": scores(1.2),
            "random_forest": scores(1.5),
        },
        "families": {"garnet": part | {"mae_C": 0.3}, "NASICON": part, "all others": part | {"mae_C": 1.5}},
    }


def test_a_family_outside_the_bounds_is_named_with_the_side():
    said = strays_sentence({"garnet": {"coverage_90": 0.973}, "a": {"coverage_90": 0.79}, "b": {"coverage_90": 0.9}})
    assert "garnet (97.3%: intervals wider than needed)" in said
    assert "a (79.0%: intervals too narrow)" in said
    assert "b (" not in said


def test_a_family_at_the_bound_is_within_and_small_families_are_no_family():
    assert strays_sentence({"a": {"coverage_90": 0.97}, "all others": {"coverage_90": 0.5}}).startswith("All families")


def test_networks_that_do_not_help_are_said_not_to():
    graphs = {"scores": {"full": scores(1.0), "without rows of other tables": scores(1.1)}}
    assert "do not improve the champion on P: 1.177" in tables_sentence(model_report(1.177, 1.169), graphs)
    said = tables_sentence(model_report(1.1, 1.169), graphs)
    assert "process improve the champion on P: 1.100" in said.replace("\n", " ")
    assert "worth 20.0 to 23.8 % to the process and 9.1 to 11.1 % to the" in said.replace("\n", " ")


def test_limits_list_families_from_the_best_to_the_worst():
    said = limits_bullet(model_report(1.2, 1.1)).replace("\n ", "")
    assert "garnet 0.30 (30 rows), NASICON 0.50 (30 rows), all others 1.50" in said
    assert "20.0 to 23.1 % better than the random forest" in said


def test_a_pretraining_that_gains_nothing_is_said_to():
    report = {
        "pretraining": {"a": {"crystals": 1234}},
        "networks": {"random": scores(1.2), "a": scores(1.1)},
        "joined": {"random": scores(1.2), "a": scores(1.3)},
    }
    said = pretraining_sentence(report).replace("\n", " ")
    assert "1,234 other crystals" in said
    assert "gains 10.0 %" in said
    assert "nothing for the champion" in said


def test_series_without_rows_are_not_counted():
    models = {"process": {"right": 2}, "random_forest": {"right": 1}}
    said = series_sentence({"rules": 4, "without_rows": ["x"], "ordering": {"out of fold": models}})
    assert said.replace("\n", " ").startswith("Of 3 series")
    assert "2 (out of fold; the forest 1)" in said
