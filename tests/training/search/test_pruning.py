"""The pruner compares a trial with the others on the same folds."""

import optuna
import pytest

from ionscout.training.search.pruning import STARTUP, FoldPruner


@pytest.fixture
def study():
    """Completed trials whose errors are 1.0 to 1.4; the first of three folds is easy for all of them."""
    study = optuna.create_study(pruner=FoldPruner())
    for number in range(STARTUP):
        trial = study.ask()
        for fold, offset in enumerate((-0.5, 0.1, 0.0)):
            trial.report(1.0 + 0.1 * number + offset, fold)
        study.tell(trial, 1.0 + 0.1 * number)
    return study


def test_a_trial_worse_than_the_median_is_stopped_at_any_fold(study):
    trial = study.ask()
    trial.report(0.65, 0)
    assert not trial.should_prune()
    trial.report(1.35, 1)  # its easy first fold is far below 1.3, which must not save it
    assert trial.should_prune()


def test_a_trial_better_than_the_median_goes_on(study):
    trial = study.ask()
    for fold, value in enumerate((0.69, 1.29, 1.19)):
        trial.report(value, fold)
        assert not trial.should_prune()


def test_nothing_is_stopped_before_enough_trials_are_complete():
    study = optuna.create_study(pruner=FoldPruner())
    for _ in range(STARTUP - 1):
        trial = study.ask()
        trial.report(0.1, 0)
        study.tell(trial, 0.1)
    trial = study.ask()
    assert not trial.should_prune()
    trial.report(9.0, 0)
    assert not trial.should_prune()
