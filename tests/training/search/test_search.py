"""A whole small search: recorded, resumed after a kill, its result a configuration; trials are really stopped."""

import mlflow
import optuna
import pytest
from optuna.trial import TrialState

from ionscout.datasets.errors import BadData, DataUnavailable
from ionscout.datasets.sources.embedded import Embedded
from ionscout.training.conductivity import TrainingData
from ionscout.training.config import ConductivityConfig, read_config
from ionscout.training.engines import Here
from ionscout.training.overrides import value_at
from ionscout.training.retraining.state import AlreadyRunning
from ionscout.training.search import trials as trials_module
from ionscout.training.search.objective import FoldError
from ionscout.training.search.run import EXPERIMENT, search
from ionscout.training.search.space import SearchSpace
from ionscout.training.search.study import REASON, identity_of, open_study
from ionscout.training.tracking import use_record

pytestmark = pytest.mark.usefixtures("home")  # tests share it, and differ by the names of their studies
CONFIG = read_config(ConductivityConfig, None, "conductivity", ["folds=3"])
SPACE = SearchSpace.model_validate(
    {
        "parameters": {
            "process.noise": {"kind": "float", "low": 0.3, "high": 3.0},
            "process.censored_offset": {"kind": "float", "low": 0.0, "high": 3.0},
        }
    }
)


class Killed(BaseException):
    """Stands for SIGKILL: no `except Exception` sees it."""


@pytest.fixture(scope="module")
def data():
    return TrainingData(Embedded().load()[:40], [], "embedded")


@pytest.fixture
def bowl(monkeypatch):
    """In place of fits: an error that is least at noise 1 and impossible below 0.4; the folds that were asked for."""
    asked = []

    def error(fold, config):
        noise = config.process.noise
        asked.append((noise, fold.number))
        if noise < 0.4:
            raise BadData("The training diverged.")
        return FoldError(10 * (0.5 + (noise - 1) ** 2 + 0.1 * fold.number), 10)

    monkeypatch.setitem(trials_module.ERRORS, "process", error)
    return asked


def found(data, name, trials, **named):
    return search(data, CONFIG, SPACE, Here(), trials=trials, name=name, **named)


def study(home, name):
    return optuna.load_study(study_name=name, storage=f"sqlite:///{home}/mlruns/search/{name}.db")


def recorded(name):
    """The parent runs of a study, and all runs nested in them."""
    use_record()
    runs = mlflow.search_runs(experiment_names=[EXPERIMENT], output_format="list")
    parents = [run for run in runs if run.info.run_name == name]
    ids = {run.info.run_id for run in parents}
    return parents, [run for run in runs if run.data.tags.get("mlflow.parentRunId") in ids]


def test_a_search_of_real_fits_is_recorded_and_its_result_is_a_configuration(data):
    figures = []
    result = found(data, "real", 2, on_figure=figures.append)
    assert (result.trials, result.completed) == (2, 2)
    assert result.score <= result.before
    again = read_config(ConductivityConfig, result.configuration, "conductivity")
    assert {name: value_at(again, name) for name in SPACE.parameters} == result.values
    assert again.folds == 3  # what the user had changed goes into the file as well
    assert "flatters" in result.configuration.read_text()
    assert "flatters" in result.caution
    assert len(figures) == 1
    (parent,), nested = recorded("real")
    assert parent.info.run_id == result.mlflow_run
    assert [run.data.tags["state"] for run in nested] == ["complete", "complete"]
    steps = mlflow.MlflowClient().get_metric_history(nested[0].info.run_id, "mae_C")
    assert [metric.step for metric in steps] == [0, 1, 2]
    names = {file.path for file in mlflow.MlflowClient().list_artifacts(parent.info.run_id)}
    assert {"search.png", "search.json", "configuration.yaml", "space.yaml", "real.yaml"} <= names


def test_it_starts_from_the_configuration_stops_bad_trials_and_gets_better(home, data, bowl):
    result = found(data, "bowl", 25)
    assert bowl[0] == (0.7, 0)
    assert result.before == pytest.approx(0.69)
    assert result.score < 0.63  # the least is 0.6
    assert abs(result.values["process.noise"] - 1) < 0.2
    assert set(result.importances) == set(SPACE.parameters)
    assert result.importances["process.noise"] > 0.8
    assert result.other_folds is not None
    assert result.trials == 25 == result.completed + result.stopped + result.failed
    assert result.stopped > 3
    for trial in study(home, "bowl").get_trials():
        noise = float(f"{trial.params['process.noise']:.3g}")
        if trial.state is TrialState.PRUNED:
            assert trial.last_step < 2
            assert trial.last_step + 1 not in {fold for asked, fold in bowl if asked == noise}
        assert (noise < 0.4) == ("diverged" in trial.user_attrs.get(REASON, ""))


def test_a_gain_that_other_folds_do_not_show_is_called_selection(data, monkeypatch):
    def error(fold, config):
        better = config.process.noise != CONFIG.process.noise and config.seed == CONFIG.seed
        return FoldError(4.0 if better else 5.0, 10)

    monkeypatch.setitem(trials_module.ERRORS, "process", error)
    result = found(data, "selection", 3)
    assert (result.score, result.before, result.other_folds) == (0.4, 0.5, (0.5, 0.5))
    assert "the gain was selection" in result.caution


def test_a_killed_search_tries_again_what_it_was_at_and_keeps_the_count(home, data, bowl):
    def die(done, total):
        if done == 3:
            raise Killed

    with pytest.raises(Killed):
        found(data, "killed", 6, on_trial=die)
    lost = study(home, "killed").ask({"process.noise": optuna.distributions.FloatDistribution(0.3, 3.0)})
    result = found(data, "killed", 6)
    states = [trial.state for trial in study(home, "killed").get_trials()]
    assert TrialState.RUNNING not in states
    assert states.count(TrialState.FAIL) == result.failed + 1
    assert result.trials == 6
    assert float(f"{lost.params['process.noise']:.3g}") in {noise for noise, _ in bowl}
    parents, nested = recorded("killed")
    assert (len(parents), len(nested)) == (1, 6)  # the second run went on with the record of the first
    before = len(bowl)
    assert found(data, "killed", 6).score == result.score  # nothing is left to do but to tell it again
    assert len(bowl) - before <= 2 * CONFIG.folds  # the check on other folds


def test_no_trial_begins_after_the_time(data, bowl):
    with pytest.raises(BadData, match="no trial was begun in time"):
        found(data, "late", 5, seconds=0)
    assert not bowl


def test_a_resumption_with_something_else_is_refused(data, bowl):
    found(data, "other", 1)
    with pytest.raises(BadData, match="begun with another configuration"):
        search(data, CONFIG.model_copy(update={"seed": 5}), SPACE, Here(), trials=2, name="other")
    fewer = TrainingData(data.main[:30], [], "")
    with pytest.raises(BadData, match="begun with another data"):
        search(fewer, CONFIG, SPACE, Here(), trials=2, name="other")
    more_workers = CONFIG.model_copy(update={"workers": 7})
    assert search(data, more_workers, SPACE, Here(), trials=2, name="other").trials == 2


def test_a_study_is_held_by_one_search_and_its_name_is_a_file_name():
    identity = identity_of(data=1)
    with (
        open_study("held", None, identity, 0),
        pytest.raises(AlreadyRunning, match="searched already"),
        open_study("held", None, identity, 0),
    ):
        pass
    with pytest.raises(BadData, match="cannot name a study"), open_study("a/b", None, identity, 0):
        pass
    with pytest.raises(DataUnavailable, match="sqlite:///FILE"), open_study("s", "nosuch://x", identity, 0):
        pass


def test_trials_side_by_side_on_ray_give_the_same_score_as_here(data, cluster):
    there = search(data, CONFIG, SPACE, cluster, trials=3, name="ray")
    assert there.trials == 3
    assert there.before == found(data, "here", 1).before
