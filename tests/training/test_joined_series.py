"""Series over all tables: nothing of a fold trains it, and what is missing is named."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from ionscout.datasets.sources.embedded import Embedded
from ionscout.serving.cli import app
from ionscout.training.benchmarks import conductivity_page, joined_series
from ionscout.training.benchmarks.joined_series import HELD_OUT, OUT_OF_FOLD, PROCESS, markdown, run
from ionscout.training.benchmarks.series import find_series, series_rules
from ionscout.training.conductivity import TrainingData
from ionscout.training.config import ConductivityConfig, read_config
from ionscout.training.leaks import leaks

CONFIG = read_config(ConductivityConfig, None, "conductivity").model_copy(update={"folds": 3})


@pytest.fixture(scope="module")
def rows():
    return [replace(m, structure=None) for m in Embedded().load()]  # series need no crystals, which take seconds


@pytest.fixture
def fits(monkeypatch):
    """Every fit of the process as (training rows, asked rows); it answers -5 for all."""
    seen = []

    def fit_predict(variant, training, test, config):
        seen.append((training.measurements, test.measurements))
        return np.full(len(test), -5.0)

    monkeypatch.setattr(joined_series.ablations, "fit_predict", fit_predict)
    return seen


def test_what_trains_a_fold_tells_nothing_about_the_members_it_is_asked_for(rows, fits):
    run(CONFIG, data=TrainingData(rows[:40], rows[40:], "embedded"))
    assert fits
    for training, asked in fits:
        assert training
        assert leaks(training, asked) == []


def test_held_out_series_are_asked_for_whole(rows, fits):
    steps = []
    report = run(CONFIG, lambda done, of: steps.append((done, of)), TrainingData(rows, [], "embedded"))
    assert steps == [(k, 6) for k in range(1, 7)]
    assert len(report["training_rows"][HELD_OUT]) == 3
    held_out = [{m.id for m in asked} for _, asked in fits[-3:]]
    whole = [{rows[i].id for i in series.rows} for series in find_series(rows)]
    assert all(sum(bool(members & asked) for asked in held_out) == 1 for members in whole)


def test_every_rule_is_scored_or_named_and_the_threshold_is_stated(rows, fits):
    report = run(CONFIG, data=TrainingData(rows, [], "embedded"))
    scored = [s["name"] for s in report["ordering"][OUT_OF_FOLD][PROCESS]["series"]]
    assert sorted([*scored, *report["without_rows"]]) == sorted(rule.name for rule in series_rules())
    assert report["without_rows"]
    page = markdown(report, "command")
    assert "from 67% of its pairs" in page
    for name in [*scored, *report["without_rows"]]:
        assert name in page
    # A model that says the same of everything puts half of the pairs right, and no series.
    flat = report["ordering"][HELD_OUT][PROCESS]
    assert (flat["right"], flat["pair_share"]) == (0, pytest.approx(0.5))


def test_the_page_on_one_table_names_the_series_it_lacks():
    names = [rule.name for rule in series_rules()]
    said = conductivity_page._absent(set(names[2:]))
    assert all(name in said for name in names[:2])
    assert "series.md" in said
    assert names[0] not in conductivity_page._absent(set(names))


def test_the_command_writes_page_and_json_and_prints_json(rows, fits, tmp_path, monkeypatch):
    table = TrainingData(rows, [], "embedded (74)")
    monkeypatch.setattr(joined_series, "training_data", lambda: table)
    done = CliRunner().invoke(app, ["benchmark", "series", "--out", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == json.loads((tmp_path / "series.json").read_text())
    assert "embedded (74)" in (tmp_path / "series.md").read_text()
