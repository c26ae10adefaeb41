"""`ionscout search conductivity`: find better hyper-parameters, record every trial, write what was found."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import mlflow
import optuna
import yaml
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

from ionscout.datasets.errors import BadData
from ionscout.datasets.sources.base import content_hash
from ionscout.training import tracking
from ionscout.training.conductivity import TrainingData, extra_rows
from ionscout.training.config import ConductivityConfig, read_config
from ionscout.training.engines import Engine
from ionscout.training.examples import Examples, make_examples
from ionscout.training.overrides import flat, nested, value_at
from ionscout.training.search.figures import search_figure
from ionscout.training.search.objective import ERRORS, make_folds, mean_error
from ionscout.training.search.space import Part, SearchSpace
from ionscout.training.search.study import AS_IT_IS, REASON, as_it_is, counted, identity_of, open_study, search_folder
from ionscout.training.search.trials import Trials

EXPERIMENT = "conductivity-search"
FEWEST = 8  # completed trials from which importances are worked out: a forest on fewer shows the noise
CAUTION = (
    "The winner was selected on these folds, so its score flatters; only a training and the gate "
    "(ionscout retrain conductivity --config FILE) say whether it is better."
)
NO_GAIN = "On folds of another seed it is no better than before: the gain was selection."


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        score, before: mean absolute errors (protocol C, decades) out of fold, of the winner and of the configuration
            before the search (None where that lies outside the space).
        other_folds: both errors on folds of another seed, which the winner was not selected on: the same rows, but
            other company. None where the configuration before won.
        importances: share of the variance of the error by parameter; empty where too few trials completed.
        configuration: the file with what was found; `--config` takes it.
    """

    name: str
    part: Part
    trials: int
    completed: int
    stopped: int
    failed: int
    best: int
    score: float
    before: float | None
    other_folds: tuple[float, float] | None
    values: dict[str, Any]
    importances: dict[str, float]
    configuration: Path
    mlflow_run: str
    caution: str = CAUTION

    def as_dict(self) -> dict:
        return asdict(self) | {"configuration": str(self.configuration)}


def search(
    data: TrainingData,
    config: ConductivityConfig,
    space: SearchSpace,
    engine: Engine,
    *,
    trials: int,
    name: str,
    url: str | None = None,
    seconds: float | None = None,
    output: Path | None = None,
    on_trial: Callable[[int, int], None] = lambda done, total: None,
    on_figure: Callable[[Any], object] = lambda figure: None,
) -> SearchResult:
    """Search the space until the study has `trials` trials in all; the same call goes on after a kill.

    Args:
        config: what is searched around; its values are the first trial where they lie in the space.
        seconds: after so long no further trial begins.
        output: for the found configuration; None: beside the study.
        on_figure: given the figure (history and importances).

    Raises:
        BadData: no trial has a score, or the study was begun with something else; FitStopped: a worker was lost.
    """
    identity = identity_of(
        data=[content_hash(data.main), content_hash(data.extra)],
        configuration=config.model_dump(mode="json", exclude={"workers"}),
        search_space=space.model_dump(mode="json"),
    )
    base = space.during(config)
    with open_study(name, url, identity, config.seed) as study, _recorded(study, config, space, data) as run_id:
        if not study.get_trials(deepcopy=False) and (place := space.present(config)) is not None:
            study.enqueue_trial(place, user_attrs={AS_IT_IS: True})
        main = make_examples(data.main, config.network.cutoff)
        choose = extra_rows(make_examples(data.extra, config.network.cutoff) if data.extra else None)
        folds = make_folds(main, base, choose, space.part)
        Trials(study, space, base, space.part, folds, engine).run(trials, seconds, on_trial)
        result = _result(study, space, config, output, run_id)
        if result.before is not None and result.score < result.before:
            after, before = _on_other_folds(main, choose, base, space, study, engine)
            caution = f"{NO_GAIN} {CAUTION}" if after >= before else CAUTION
            result = replace(result, other_folds=(after, before), caution=caution)
        figure = search_figure(counted(study), result.before, result.importances)
        _record(result, figure)
        on_figure(figure)
    return result


@contextmanager
def _recorded(study: optuna.Study, config: ConductivityConfig, space: SearchSpace, data: TrainingData) -> Iterator[str]:
    """The parent run of all trials, opened again by a search that goes on; its id."""
    begun = study.user_attrs.get("mlflow_run")
    with tracking.run(EXPERIMENT, study.study_name, flat(config), resume=begun) as active:
        study.set_user_attr("mlflow_run", active.info.run_id)
        if active.info.run_id != begun:
            tracking.log_config(config)
            tracking.log_measurements(data.main, "main", f"grouped-{config.folds}-fold-seed-{config.seed}")
            mlflow.log_text(yaml.safe_dump(space.model_dump(mode="json"), sort_keys=False), "space.yaml")
        yield active.info.run_id


def _result(
    study: optuna.Study, space: SearchSpace, config: ConductivityConfig, output: Path | None, run_id: str
) -> SearchResult:
    done = counted(study)
    states = [t.state for t in done]
    if TrialState.COMPLETE not in states:
        reason = next((t.user_attrs[REASON] for t in done if REASON in t.user_attrs), "no trial was begun in time")
        raise BadData(f"No trial has a score ({reason}); widen --timeout or change the space.")
    best, before = study.best_trial, as_it_is(study)
    found = space.suggest(optuna.trial.FixedTrial(best.params), config)
    path = output or search_folder() / f"{study.study_name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        _found(found, f"trial {best.number} of {len(done)} of the study '{study.study_name}'", study.best_value)
    )
    return SearchResult(
        name=study.study_name,
        part=space.part,
        trials=len(done),
        completed=states.count(TrialState.COMPLETE),
        stopped=states.count(TrialState.PRUNED),
        failed=states.count(TrialState.FAIL),
        best=best.number,
        score=study.best_value,
        before=None if before is None or before.value is None else float(before.value),
        other_folds=None,
        values={name: value_at(found, name) for name in space.parameters},
        importances=_importances(study),
        configuration=path,
        mlflow_run=run_id,
    )


def _found(found: ConductivityConfig, which: str, score: float) -> str:
    """The fields in which the found configuration differs from the shipped one, as a file."""
    shipped = flat(read_config(ConductivityConfig, None, "conductivity"))
    different = {name: value for name, value in flat(found).items() if shipped.get(name) != value}
    return (
        f"# Found by `ionscout search conductivity` on {date.today()}: {which}.\n"
        f"# Its mean absolute error, {score:.3f} decades (protocol C), flatters: it was selected on these folds.\n"
        + yaml.safe_dump(nested(different), sort_keys=False)
    )


def _importances(study: optuna.Study) -> dict[str, float]:
    completed = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(completed) < FEWEST or len({t.value for t in completed}) < 2:
        return {}
    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))


def _on_other_folds(
    main: Examples,
    choose: Callable[[Examples], Examples | None],
    base: ConductivityConfig,
    space: SearchSpace,
    study: optuna.Study,
    engine: Engine,
) -> tuple[float, float]:
    """Errors of the winner and of the configuration before, on folds of the next seed."""
    seed = base.seed + 1
    winner = space.suggest(optuna.trial.FixedTrial(study.best_trial.params), base)
    both = [config.model_copy(update={"seed": seed}) for config in (winner, base)]
    shared = [engine.share(fold) for fold in make_folds(main, both[1], choose, space.part)]
    started = [[engine.submit(ERRORS[space.part], fold, config) for fold in shared] for config in both]
    first, second = (mean_error([error.result() for error in errors]) for errors in started)
    return first, second


def _record(result: SearchResult, figure: Any) -> None:
    scores = {"mae_C_best": result.score, "mae_C_before": result.before}
    if result.other_folds is not None:
        scores |= dict(zip(("mae_C_best_other_folds", "mae_C_before_other_folds"), result.other_folds, strict=True))
    mlflow.log_metrics({name: value for name, value in scores.items() if value is not None})
    mlflow.log_dict(result.as_dict(), "search.json")
    mlflow.log_figure(figure, "search.png")
    mlflow.log_artifact(str(result.configuration))
