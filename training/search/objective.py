"""What a trial is judged by: the mean absolute error (protocol C, decades) out of fold, one fold after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ionscout.models.conductivity.predictor import raw_prediction, view_of
from ionscout.training.borrowing import with_borrowed_environments
from ionscout.training.config import ConductivityConfig
from ionscout.training.engines import Here
from ionscout.training.ensembles import start_ensemble
from ionscout.training.examples import Examples
from ionscout.training.folds import grouped_folds
from ionscout.training.gaussian_process import BLOCKS, fit_process
from ionscout.training.readings import ReadRows
from ionscout.training.search.space import Part


@dataclass(frozen=True)
class Fold:
    """One fold, made once for all trials.

    `training` is what the model is fitted to; `test` [k] every reading of the held-out rows, `owner` [k] and `weight`
    [k] the row and share of each; `label` [n] and `censored` [n] the truth.
    """

    number: int
    training: Examples
    test: Examples
    owner: np.ndarray
    weight: np.ndarray
    label: np.ndarray
    censored: np.ndarray


@dataclass(frozen=True)
class FoldError:
    """Summed absolute error (decades) over the held-out rows of a fold."""

    total: float
    rows: int


def make_folds(
    examples: Examples, config: ConductivityConfig, extra: Callable[[Examples], Examples | None], part: Part
) -> list[Fold]:
    """The folds of the cross-validation, with nothing left to do that does not depend on the trial."""
    read = ReadRows.of(examples, examples.materials, config.network.cutoff)
    folds = []
    for number, (train_rows, test_rows) in enumerate(grouped_folds(examples.groups, config.folds, config.seed)):
        training = examples.rows(train_rows).joined(extra(examples.rows(test_rows)))
        training = with_borrowed_environments(training) if part == "process" else training.labelled()
        where = read.of_rows(test_rows)
        folds.append(
            Fold(
                number,
                replace(training, graphs=[]) if part == "process" else training,  # the process does not read them
                read.options.rows(where),
                np.searchsorted(test_rows, read.owner[where]),
                read.weight[where],
                examples.label[test_rows],
                examples.censored[test_rows],
            )
        )
    return folds


def process_error(fold: Fold, config: ConductivityConfig) -> FoldError:
    """Of the Gaussian process alone; networks are not fitted."""
    views = {view_of(material) for material in fold.test.materials}
    processes = {view: fit_process(fold.training, config.process, BLOCKS[view], config.seed) for view in sorted(views)}
    nothing = np.zeros(len(fold.test))
    return _error(fold, raw_prediction(nothing, processes, fold.test.materials, fold.test.features).process)


def network_error(fold: Fold, config: ConductivityConfig) -> FoldError:
    """Of the graph ensemble alone, with the seeds of the cross-validation."""
    seed = config.seed + 1000 * (fold.number + 1)
    ensemble, _ = start_ensemble(fold.training, config, seed, Here()).result()
    return _error(fold, ensemble.predict(fold.test.graphs).location)


ERRORS: dict[Part, Callable[[Fold, ConductivityConfig], FoldError]] = {
    "process": process_error,
    "networks": network_error,
}


def mean_error(errors: Sequence[FoldError]) -> float:
    """Mean absolute error (decades) over the rows of all these folds."""
    return sum(e.total for e in errors) / sum(e.rows for e in errors)


def _error(fold: Fold, location: np.ndarray) -> FoldError:
    error = np.bincount(fold.owner, fold.weight * location, minlength=len(fold.label)) - fold.label
    missed = np.where(fold.censored, np.maximum(0.0, error), np.abs(error))
    return FoldError(float(missed.sum()), len(missed))
