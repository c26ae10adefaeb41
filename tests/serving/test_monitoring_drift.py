"""Drift: silent on what looks like the training data, loud on what does not, and undecided on little data."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from test_bad_input import run_cli
from test_monitoring_log import REQUEST, prediction

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.embedded.build import load_facts
from ionscout.datasets.errors import BadData
from ionscout.datasets.observations.checking import Report
from ionscout.datasets.observations.records import NewCampaign
from ionscout.datasets.observations.source import Observations
from ionscout.datasets.observations.store import ObservationStore
from ionscout.datasets.sources.user import UserTable
from ionscout.serving.monitoring.coverage import Observation, Pair, coverage_drift, matched
from ionscout.serving.monitoring.drift import ReferenceProfile, input_drift
from ionscout.serving.monitoring.log import PredictionLog, logged, read_log
from ionscout.serving.monitoring.report import markdown, monitoring_report, observations_of

FORMULAS = [facts.formula for facts in load_facts()]
SODIUM = ["Na3Zr2Si2PO12", "NaAlO2", "Na3PS4", "Na3SbS4", "Na2ZrCl6", "NaTi2P3O12", "NaAlCl4"]


@pytest.fixture(scope="module")
def profile():
    return ReferenceProfile.of(map(parse_formula, FORMULAS))


def drawn(count, seed):
    return [str(formula) for formula in np.random.default_rng(seed).choice(FORMULAS, count)]


def test_inputs_like_the_training_data_are_no_drift(profile):
    verdicts = [input_drift(drawn(100, seed), [True] * 100, profile).verdict for seed in range(12)]
    assert verdicts.count("ok") >= 11  # at a level of 1 % one false alarm in a dozen is already rare


def test_other_chemistry_is_drift_and_is_named(profile):
    found = input_drift(SODIUM * 10, [False] * 70, profile)
    assert found.verdict == "drift"
    assert found.out_of_domain == 1.0
    assert found.unseen_elements.keys() >= {"Na"}
    assert found.shifts[0].element in {"Li", "Na"}
    assert found.median_distance > found.training_median_distance
    assert "Na" in found.reason


def test_a_few_strange_inputs_among_many_are_watched_not_alarmed(profile):
    found = input_drift([*drawn(200, 3), "Li3LuCl6"], [True] * 201, profile)
    assert found.verdict == "watch"
    assert found.unseen_elements == {"Lu": 1}


def test_little_data_decides_nothing(profile):
    assert input_drift(SODIUM, [False] * 7, profile).verdict == "too few"
    assert coverage_drift([]).verdict == "too few"
    assert coverage_drift([Pair(-3, -4, -2, 0.9, 5.0)] * 19).verdict == "too few"


def test_the_latest_inputs_count(profile):
    formulas = [*(SODIUM * 400), *drawn(2000, 5)]
    assert input_drift(formulas, [True] * len(formulas), profile).inputs == 2000
    assert input_drift(formulas, [True] * len(formulas), profile).verdict == "ok"


def test_the_same_inputs_give_the_same_report(profile):
    assert input_drift(drawn(80, 1), [True] * 80, profile) == input_drift(drawn(80, 1), [True] * 80, profile)


def test_a_log_without_a_readable_formula_is_refused(profile):
    with pytest.raises(BadData, match="No logged formula"):
        input_drift(["?"] * 40, [True] * 40, profile)
    with pytest.raises(BadData, match="at least three"):
        ReferenceProfile.of([parse_formula("Li2O")])


def pairs(count, sigma, seed, bias=0.0):
    errors = np.random.default_rng(seed).normal(bias, sigma, count)
    return [Pair(-4.0, -4.0 - 1.645, -4.0 + 1.645, 0.9, -4.0 + error) for error in errors]  # 90 % of N(0, 1)


def test_intervals_that_keep_their_promise_are_no_drift():
    verdicts = [coverage_drift(pairs(200, 1.0, seed)).verdict for seed in range(40)]
    assert verdicts.count("drift") <= 2


def test_intervals_that_are_too_narrow_are_drift():
    found = coverage_drift(pairs(100, 2.0, 0))
    assert found.verdict == "drift"
    assert found.observed_upper < found.nominal
    assert found.inside == sum(pair.inside for pair in pairs(100, 2.0, 0))


def test_a_biased_model_shows_its_bias():
    found = coverage_drift(pairs(100, 1.0, 0, bias=2.0))
    assert found.verdict == "drift"
    assert found.bias == pytest.approx(2.0, abs=0.3)


def test_a_late_change_does_not_drown_in_a_long_past():
    found = coverage_drift([*pairs(2000, 0.7, 0), *pairs(50, 3.0, 1)])
    assert found.p_value > 0.01 > found.recent_p_value
    assert found.verdict == "drift"


def test_wide_intervals_are_no_alarm():
    assert coverage_drift([Pair(-4, -9, 1, 0.9, -4)] * 100).verdict == "ok"


def test_a_bound_is_broken_only_by_an_interval_above_it():
    assert Pair(-4, -6, -2, 0.9, -5.0, censored=True).inside
    assert Pair(-9, -12, -6, 0.9, -5.0, censored=True).inside
    assert not Pair(-3, -4, -2, 0.9, -5.0, censored=True).inside
    assert coverage_drift([Pair(-9, -12, -6, 0.9, -5.0, censored=True)] * 30).bias is None


def test_observations_meet_the_last_prediction_of_their_composition(tmp_path):
    log = PredictionLog(tmp_path)
    bulk = prediction("Li6PS5Cl", 1e-1)
    bulk.conductivity.kind = "bulk"
    said = [prediction("Li6PS5Cl", 1e-9), prediction("LiCl"), prediction("Li6PS5Cl", 1e-3), bulk]
    log.write([REQUEST] * 4, said, 1.0)
    seen = [
        Observation(parse_formula("Li12P2S10Cl2"), -2.5),  # the same composition, written otherwise
        Observation(parse_formula("Li6PS5Cl"), -2.5, temperature_K=400.0),  # another temperature
        Observation(parse_formula("Li2O"), -2.5),  # never predicted
    ]
    (pair,) = matched(read_log(tmp_path), seen)
    assert (pair.value, pair.observed, pair.inside) == (-3, -2.5, True)


def logged_at(hour, value, version="old"):
    line = logged(REQUEST, prediction("Li6PS5Cl", value), 1.0)
    return line.model_copy(update={"time": f"2026-01-01T{hour:02}:00:00.000+00:00", "model": version})


def at(hour):
    return datetime(2026, 1, 1, hour, tzinfo=UTC)


def test_an_observation_is_held_against_the_model_that_had_not_seen_it():
    said = [logged_at(8, 1e-9), logged_at(10, 1e-6), logged_at(14, 1e-3, "retrained on it")]
    (pair,) = matched(said, [Observation(parse_formula("Li6PS5Cl"), -2.9, received=at(12))])
    assert pair.value == -6
    assert not pair.inside
    assert (
        matched(said, [Observation(parse_formula("Li6PS5Cl"), -2.9, received=at(7))]) == []
    )  # nobody had predicted it
    (pair,) = matched(said, [Observation(parse_formula("Li6PS5Cl"), -2.9)])  # nobody noted when
    assert pair.value == -3


def test_the_last_prediction_is_the_last_in_time_not_in_the_files():
    said = [logged_at(10, 1e-6), logged_at(8, 1e-9)]  # two processes, a file each
    (pair,) = matched(said, [Observation(parse_formula("Li6PS5Cl"), -5.5, received=at(12))])
    assert pair.value == -6


def test_the_store_says_when_a_measurement_came_in_and_a_table_does_not(profile, tmp_path):
    store = ObservationStore(str(tmp_path / "campaigns.sqlite"))
    for name in ("first", "second"):
        store.create(NewCampaign(name, ("Li6PS5Cl",)))
    for name, value in (("second", 1e-3), ("first", 2e-3)):
        store.observe(name, Report("Li6PS5Cl", key=f"{value}", value=value, unit="S/cm"))
    store.observe("first", Report("Li6PS5Cl", key="melted", failed=True, reason="melted"))
    seen = observations_of(Observations(store))
    assert [round(10**o.log10_conductivity, 6) for o in seen] == [1e-3, 2e-3]  # as they came, whatever the campaign
    assert all(o.received.tzinfo is not None for o in seen)
    said = [logged_at(8, 1e-3)]
    timed = monitoring_report(said, profile, "the bundled crystals", seen)
    assert (timed.untimed, timed.coverage.pairs) == (0, 2)
    assert "time of receipt" not in markdown(timed)
    csv = tmp_path / "observations.csv"
    csv.write_text("formula,conductivity_S_cm\nLi6PS5Cl,1e-3\n")
    untimed = monitoring_report(said, profile, "the bundled crystals", observations_of(UserTable(csv)))
    assert (untimed.untimed, untimed.coverage.pairs) == (1, 1)
    assert "Without a time of receipt: 1 (" in markdown(untimed)


def test_the_report_has_both_and_a_page(profile, tmp_path):
    log = PredictionLog(tmp_path)
    for formula in drawn(60, 2):
        log.write([REQUEST], [prediction(formula)], 20.0)
    csv = tmp_path / "observations.csv"
    csv.write_text("formula,conductivity_S_cm\n" + "".join(f"{f},1e-9\n" for f in sorted(set(FORMULAS))[:30]))
    found = monitoring_report(
        list(read_log(tmp_path)), profile, "the bundled crystals", observations_of(UserTable(csv))
    )
    assert found.inputs.verdict == "ok"
    assert found.coverage.verdict in {"drift", "too few"}
    assert found.as_dict()["drifted"] == (found.coverage.verdict == "drift")
    page = markdown(found)
    assert "## Inputs: ok" in page
    assert f"## Intervals: {found.coverage.verdict}" in page


def test_the_command_reports_as_json_and_as_a_page(monkeypatch, capsys, tmp_path):
    monkeypatch.delenv("IONSCOUT_DATA_DIR", raising=False)
    from ionscout.datasets.settings import settings

    settings.cache_clear()
    monkeypatch.setattr("ionscout.training.measurements.Obelix.load", _no_data)
    log = PredictionLog(tmp_path / "log")
    log.write([REQUEST] * 40, [prediction(formula) for formula in drawn(40, 4)], 5.0)
    out = tmp_path / "reports"
    code, printed, err = run_cli(
        monkeypatch, capsys, "monitor", "report", "--log", str(tmp_path / "log"), "--out", str(out), "--json"
    )
    settings.cache_clear()
    assert code == 0, err
    report = json.loads(printed)
    assert report["predictions"] == 40
    assert report["coverage"] is None
    assert json.loads((out / "monitoring.json").read_text()) == report
    assert (out / "monitoring.md").read_text().startswith("# Monitoring")
    code, _, err = run_cli(monkeypatch, capsys, "monitor", "report", "--log", str(tmp_path / "none"))
    assert code == 1
    assert "no prediction log" in err[0]


def _no_data(self):
    from ionscout.datasets.errors import DataUnavailable

    raise DataUnavailable("not here")
