"""Stop trials that do worse than most on the folds so far."""

import numpy as np
from optuna.pruners import BasePruner
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

STARTUP = 5  # completed trials before any is stopped: the median of fewer is luck


class FoldPruner(BasePruner):
    """The median rule on the mean error over the folds so far, which is comparable between trials fold by fold.

    Optuna's own `MedianPruner` takes the best value that a trial had at any step, as suits a loss that falls; here an
    easy first fold would keep a bad trial alive to the end.
    """

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        step = trial.last_step
        if step is None:
            return False
        completed = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        seen = [t.intermediate_values[step] for t in completed if step in t.intermediate_values]
        return len(seen) >= STARTUP and trial.intermediate_values[step] > float(np.median(seen))
