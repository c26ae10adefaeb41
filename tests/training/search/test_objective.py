"""A trial's score is the error that the cross-validation reports, and a search of the process fits no network."""

import numpy as np
import pytest

from ionscout.datasets.sources.embedded import Embedded
from ionscout.models.conductivity.network import NetworkConfig
from ionscout.training.config import ConductivityConfig, read_config
from ionscout.training.crossval import cross_validate
from ionscout.training.evaluate import score
from ionscout.training.examples import make_examples
from ionscout.training.search.objective import ERRORS, make_folds, mean_error

CONFIG = read_config(ConductivityConfig, None, "conductivity").model_copy(
    update={
        "members": 1,
        "folds": 2,
        "epochs": 2,
        "workers": 1,
        "network": NetworkConfig(width=8, head=16, crystal_layers=1),
    }
)


def nothing_more(held_out):
    return None


@pytest.fixture(scope="module")
def rows():
    measurements = Embedded().load()
    crystals = [m for m in measurements if m.structure is not None][:40]
    return make_examples([*crystals, *[m for m in measurements if m.structure is None][:20]], CONFIG.network.cutoff)


@pytest.mark.parametrize(("part", "graph_weight"), [("process", 0.0), ("networks", 1.0)])
def test_the_score_is_that_of_the_cross_validation(rows, part, graph_weight):
    whole, _ = cross_validate(rows, CONFIG)
    expected = score(whole.joined(graph_weight)[0], rows.label, rows.censored)
    folds = make_folds(rows, CONFIG, nothing_more, part)
    errors = [ERRORS[part](fold, CONFIG) for fold in folds]
    assert sum(e.rows for e in errors) == len(rows)
    assert mean_error(errors) == pytest.approx(expected.mae_C, abs=1e-4)


def test_the_score_changes_with_the_process_alone(rows, monkeypatch):
    def refuse(*arguments, **named):
        raise AssertionError("a network was fitted")

    monkeypatch.setattr("ionscout.training.ensembles.fit_network", refuse)
    fold = make_folds(rows, CONFIG, nothing_more, "process")[0]
    noisier = CONFIG.model_copy(update={"process": CONFIG.process.model_copy(update={"noise": 3.0})})
    before, after = ERRORS["process"](fold, CONFIG), ERRORS["process"](fold, noisier)
    assert before.total != after.total
    assert before == ERRORS["process"](fold, CONFIG)


def test_rows_that_overlap_with_a_fold_are_chosen_by_the_fold(rows):
    asked = []

    def choose(held_out):
        asked.append(len(held_out))
        return rows.rows(np.arange(3))

    folds = make_folds(rows, CONFIG, choose, "networks")
    assert asked == [len(fold.label) for fold in folds]
    assert [len(fold.training) for fold in folds] == [len(rows) - n + 3 for n in asked]
