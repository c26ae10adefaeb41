"""scikit-learn regressors stacked on fixed descriptions of a material, and on what the trained networks make of it."""

from collections.abc import Callable

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.model_selection import GridSearchCV, GroupKFold

from ionscout.training.ablations import with_transport
from ionscout.training.borrowing import with_borrowed_environments
from ionscout.training.config import ConductivityConfig
from ionscout.training.crossval import OutOfFold
from ionscout.training.ensembles import ensemble_of
from ionscout.training.examples import Examples
from ionscout.training.folds import grouped_folds

COMPONENTS = 32  # principal components of an embedding, so that its hundreds of columns do not drown all others
TREES = 200
INNER = 3  # folds by publication inside the training rows, that choose the size of leaves
BLOCKS = ("fractions", "cell", "environment", "transport")


def out_of_fold(
    examples: Examples,
    extra: Callable[[Examples], Examples | None],
    config: ConductivityConfig,
    oof: OutOfFold,
    process: np.ndarray,
    on_fit: Callable[[], None] = lambda: None,
) -> dict[str, list[np.ndarray]]:
    """log10 σ at 298.15 K of every row [n] by stacks that saw no row of its publication, alone and in the mean with
    the process.

    Args:
        oof: of the same rows and configuration; its networks give their embedding.
        process [n]: out-of-fold answers of the Gaussian process.
    """
    found = {name: np.empty(len(examples)) for name in (*_regressors(config), WITH_NETWORKS)}
    asked = with_transport(examples)
    for fold, (train_rows, test_rows) in enumerate(grouped_folds(examples.groups, config.folds, config.seed)):
        training = examples.rows(train_rows).joined(extra(examples.rows(test_rows))).labelled()
        training = with_transport(with_borrowed_environments(training))
        test = asked.rows(test_rows)
        label = training.label - config.process.censored_offset * training.censored
        seen, shown = _columns(training, test)
        chosen = {}
        for name, search in _regressors(config).items():
            # the size of leaves is chosen by publications of the training rows alone
            chosen[name] = search.fit(seen, label, groups=training.groups).best_estimator_
            found[name][test_rows] = chosen[name].predict(shown)
            on_fit()
        networks = ensemble_of(config.network, oof.histories[fold])
        more = _reduced(networks.predict(training.graphs).embedding, networks.predict(test.graphs).embedding)
        fitted = clone(chosen[TREES_ALONE]).fit(np.hstack([seen, more[0]]), label)
        found[WITH_NETWORKS][test_rows] = fitted.predict(np.hstack([shown, more[1]]))
        on_fit()
    alone = {name: [prediction] for name, prediction in found.items()}
    return alone | {f"{name}, mean with the process": [(p + process) / 2] for name, p in found.items()}


FITS = 3  # times `on_fit` is called a fold
TREES_ALONE = "extra trees on all descriptors"
WITH_NETWORKS = "extra trees, on the networks' embedding too"


def _regressors(config: ConductivityConfig) -> dict[str, GridSearchCV]:
    inner = GroupKFold(INNER)
    trees = ExtraTreesRegressor(TREES, max_features=0.3, random_state=config.seed, n_jobs=config.workers)
    boosting = HistGradientBoostingRegressor(loss="absolute_error", learning_rate=0.05, random_state=config.seed)
    how = {"cv": inner, "scoring": "neg_mean_absolute_error"}
    return {
        TREES_ALONE: GridSearchCV(trees, {"min_samples_leaf": [1, 3]}, **how),
        "gradient boosting on all descriptors": GridSearchCV(boosting, {"max_leaf_nodes": [8, 24]}, **how),
    }


def _columns(training: Examples, test: Examples) -> tuple[np.ndarray, np.ndarray]:
    """All descriptors of both; the composition's embedding by the principal components of the training rows."""
    embeddings = _reduced(training.features["embedding"], test.features["embedding"])
    blocks = [[rows.features[name] for name in BLOCKS] for rows in (training, test)]
    seen, shown = (np.hstack([first, *rest]) for first, rest in zip(embeddings, blocks, strict=True))
    return seen, shown


def _reduced(training: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scaled = PCA(min(COMPONENTS, *training.shape), random_state=0).fit(training)
    return scaled.transform(training), scaled.transform(test)
