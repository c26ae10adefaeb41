"""Run trials side by side: the study stays in this process, workers only fit folds."""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any

import mlflow
import numpy as np
import optuna
from optuna.trial import TrialState

from ionscout.datasets.errors import BadData
from ionscout.training.config import ConductivityConfig
from ionscout.training.engines import Engine
from ionscout.training.overrides import value_at
from ionscout.training.search.objective import ERRORS, Fold, FoldError, mean_error
from ionscout.training.search.space import Part, SearchSpace
from ionscout.training.search.study import REASON, counted

# What hyper-parameters can do to a fit: a divergence, a matrix that is not positive definite, an overflow.
IMPOSSIBLE = (BadData, np.linalg.LinAlgError, ArithmeticError)


@dataclass
class _Running:
    trial: optuna.Trial
    config: ConductivityConfig
    errors: list[FoldError] = field(default_factory=list)


@dataclass
class Trials:
    """The trials of one search.

    Args:
        base: the configuration that trials change, as it is fitted while searching.
        folds: as `make_folds` makes them for `part`.
    """

    study: optuna.Study
    space: SearchSpace
    base: ConductivityConfig
    part: Part
    folds: list[Fold]
    engine: Engine

    def run(self, total: int, seconds: float | None, on_trial: Callable[[int, int], None]) -> None:
        """Go on until the study has `total` trials that count, or no time is left to start another.

        Args:
            on_trial: told how many are done, of how many.

        Raises:
            FitStopped: a worker was lost; the same search can go on.
        """
        shared = [self.engine.share(fold) for fold in self.folds]
        end = None if seconds is None else time.monotonic() + seconds
        running: dict[Future[FoldError], _Running] = {}
        done = len(counted(self.study))
        on_trial(done, total)
        while True:
            while (
                done + len(running) < total
                and len(running) < self.engine.workers
                and (end is None or time.monotonic() < end)
            ):
                trial = self.study.ask()
                one = _Running(trial, self.space.suggest(trial, self.base))
                running[self._start(one, shared)] = one
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                one = running.pop(future)
                if self._goes_on(one, future):
                    running[self._start(one, shared)] = one
                else:
                    done += 1
                    on_trial(done, total)

    def _start(self, one: _Running, shared: list[Any]) -> Future[FoldError]:
        return self.engine.submit(ERRORS[self.part], shared[len(one.errors)], one.config)

    def _goes_on(self, one: _Running, future: Future[FoldError]) -> bool:
        """Take in the error of a fold; False when the trial is over, recorded and told."""
        try:
            one.errors.append(future.result())
        except IMPOSSIBLE as error:
            one.trial.set_user_attr(REASON, str(error))
            self._tell(one, TrialState.FAIL)
            return False
        one.trial.report(mean_error(one.errors), len(one.errors) - 1)
        if len(one.errors) == len(self.folds):
            self._tell(one, TrialState.COMPLETE)
            return False
        if one.trial.should_prune():
            self._tell(one, TrialState.PRUNED)
            return False
        return True

    def _tell(self, one: _Running, state: TrialState) -> None:
        with mlflow.start_run(run_name=f"trial {one.trial.number}", nested=True):
            mlflow.log_params({name: value_at(one.config, name) for name in self.space.parameters})
            mlflow.set_tag("state", state.name.lower())
            for step in range(len(one.errors)):
                mlflow.log_metric("mae_C", mean_error(one.errors[: step + 1]), step)
        value = mean_error(one.errors) if state is TrialState.COMPLETE else None
        self.study.tell(one.trial, value, state=state)
