"""`ionscout benchmark conductivity`: accuracy, levers, families, intervals, series and learning curve, in one run."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ionscout.datasets.errors import DataUnavailable
from ionscout.datasets.sources.repeats import fraction_matrix
from ionscout.training import ablations, graph_levers, stacks
from ionscout.training.baselines import Median, RandomForest, constant_half_width, out_of_fold
from ionscout.training.benchmarks.learning_curve import SHARES, learning_curve
from ionscout.training.benchmarks.ordering import score_predictions, score_series_held_out
from ionscout.training.conductivity import MAIN, energy_scores, extra_rows, training_data
from ionscout.training.config import ConductivityConfig
from ionscout.training.crossval import Honest, OutOfFold, cross_validate, nested
from ionscout.training.evaluate import score
from ionscout.training.examples import Examples, make_examples
from ionscout.training.folds import grouped_folds, seen

FEWEST_ROWS = 20  # of a family that gets a line of its own
BINS = 4  # of novelty, equally full
FOREST = "random_forest"


@dataclass(frozen=True)
class _Run:
    """One seed of the folds: what the champion and its parts say, and the published forest's answers [n]."""

    seed: int
    oof: OutOfFold
    champion: Honest
    graph: Honest
    process: Honest
    forest: np.ndarray
    median: np.ndarray
    levers: dict[str, np.ndarray]


def run(
    config: ConductivityConfig, seeds: int = 2, on_step: Callable[[int, int], None] = lambda done, of: None
) -> dict:
    """Fit everything anew on the same DOI-grouped folds, once for each seed of the folds; scores are means over them.

    Activation energy, ordering, learning curve, trained graphs and stacks are of fold seed 0 alone.

    Raises:
        DataUnavailable: when OBELiX is not there.
    """
    data = training_data()
    if data.main[0].source != MAIN:
        raise DataUnavailable("The OBELiX training part is missing; set IONSCOUT_DATA_DIR.")
    examples = make_examples(data.main, config.network.cutoff)
    extra = extra_rows(make_examples(data.extra, config.network.cutoff))
    once = 1 + len(SHARES) + graph_levers.FEW * len(graph_levers.LEVERS) + stacks.FITS
    steps = _Steps(on_step, config.folds * (seeds * (config.members + len(ablations.VARIANTS)) + once))
    runs = [_run(examples, extra, config.model_copy(update={"seed": seed}), steps) for seed in range(seeds)]
    first = runs[0]
    predict = _fit_predict(examples, extra, config)
    masks = row_masks(examples, config)
    held_out = score_series_held_out(predict, data.main, config.folds, 0)
    steps.many(config.folds)
    forest_held_out = score_series_held_out(_forest(data.main), data.main, config.folds, 0)
    return {
        "split": f"OBELiX train.csv, {config.folds} folds grouped by DOI, fold seeds 0 to {seeds - 1}",
        "trained_on": data.description,
        "rows": {part: int(mask.sum()) for part, mask in masks.items()},
        "models": _models(runs, examples, masks),
        "levers": {name: mean_scores([r.levers[name] for r in runs], examples, masks) for name in first.levers},
        "graphs_and_stacks": {
            name: mean_scores(predictions, examples, masks)
            for name, predictions in _graphs_and_stacks(first, examples, extra, config, steps).items()
        },
        "families": _families(runs, examples),
        "novelty": _novelty(runs, examples),
        "intervals": _intervals(runs, examples),
        "activation_energy": energy_scores(first.oof, data.main),
        "ordering": {
            "out of fold": {
                "champion": score_predictions(first.champion.location, data.main).as_dict(),
                FOREST: score_predictions(first.forest, data.main).as_dict(),
            },
            "whole series held out": {"process": held_out.as_dict(), FOREST: forest_held_out.as_dict()},
        },
        "learning_curve": learning_curve(predict, data.main, config.folds, 0, on_fit=steps.one).as_dict(),
    }


class _Steps:
    """Counts finished fits for a progress bar."""

    def __init__(self, report: Callable[[int, int], None], total: int):
        self.report, self.total, self.done = report, total, 0

    def one(self) -> None:
        self.many(1)

    def many(self, count: int) -> None:
        self.done += count
        self.report(min(self.done, self.total), self.total)


def _run(examples: Examples, extra: Callable, config: ConductivityConfig, steps: _Steps) -> _Run:
    oof, _ = cross_validate(examples, config, extra, steps.one)
    levers = ablations.out_of_fold(examples, extra, config, on_fit=steps.one)
    forest = out_of_fold(RandomForest(config.seed), examples.measurements, config.folds, config.seed)
    median = out_of_fold(Median(), examples.measurements, config.folds, config.seed)
    return _Run(config.seed, oof, nested(oof), nested(oof, 1.0), nested(oof, 0.0), forest, median, levers)


def _graphs_and_stacks(
    first: _Run, examples: Examples, extra: Callable, config: ConductivityConfig, steps: _Steps
) -> dict[str, list[np.ndarray]]:
    """On the first seed of the folds alone: each of these trains for minutes."""
    config = config.model_copy(update={"seed": first.seed})
    graphs = graph_levers.out_of_fold(examples, extra, config, first.oof, on_fit=steps.one)
    process = first.process.location
    return (
        graphs
        | {"Gaussian process": [process]}
        | stacks.out_of_fold(examples, extra, config, first.oof, process, steps.one)
    )


def _fit_predict(examples: Examples, extra: Callable, config: ConductivityConfig) -> Callable:
    """The process as shipped, on any rows: for the learning curve and for series held out whole."""

    def predict(train_rows: np.ndarray, test_rows: np.ndarray) -> np.ndarray:
        test = examples.rows(test_rows)
        training = examples.rows(train_rows).joined(extra(test))
        return ablations.fit_predict(ablations.VARIANTS[0], training, test, config)

    return predict


def _forest(measurements: list) -> Callable:
    def predict(train_rows: np.ndarray, test_rows: np.ndarray) -> np.ndarray:
        training, test = ([measurements[i] for i in rows] for rows in (train_rows, test_rows))
        return RandomForest(0).fit_predict(training, test)

    return predict


def row_masks(examples: Examples, config: ConductivityConfig) -> dict[str, np.ndarray]:
    """All rows, rows with CIF, and rows whose composition no training row of their fold (seed 0) has."""
    matrix = fraction_matrix(examples.measurements)
    known = np.zeros(len(examples), dtype=bool)
    for train, test in grouped_folds(examples.groups, config.folds, 0):
        known[test] = seen(matrix[test], matrix[train])
    measured = np.array([m.structure is not None for m in examples.measurements])
    return {"all": np.ones(len(examples), dtype=bool), "cif": measured, "clean": ~known}


def _models(runs: list[_Run], examples: Examples, masks: dict[str, np.ndarray]) -> dict:
    chosen: dict[str, Callable[[_Run], np.ndarray]] = {
        "champion": lambda r: r.champion.location,
        "graph_ensemble": lambda r: r.graph.location,
        "process": lambda r: r.process.location,
        FOREST: lambda r: r.forest,
        "median": lambda r: r.median,
    }
    return {name: mean_scores([pick(r) for r in runs], examples, masks) for name, pick in chosen.items()}


def mean_scores(predictions: list[np.ndarray], examples: Examples, masks: dict[str, np.ndarray]) -> dict:
    """MAE under the three protocols and Spearman, mean over the seeds, for each part of the rows."""
    table = {}
    for part, mask in masks.items():
        scores = [score(p, examples.label, examples.censored, rows=mask) for p in predictions]
        names = ("mae_P", "mae_B", "mae_C", "rmse_P", "spearman")
        table[part] = {name: float(np.mean([getattr(s, name) for s in scores if s])) for name in names}
    return table


def _covered(location: np.ndarray, half: np.ndarray, examples: Examples) -> np.ndarray:
    error = location - examples.label
    return np.where(examples.censored, error <= half, np.abs(error) <= half)


def _error(location: np.ndarray, examples: Examples) -> np.ndarray:
    """Absolute error [n] under protocol C."""
    error = location - examples.label
    return np.where(examples.censored, np.maximum(0.0, error), np.abs(error))


def _part(runs: list[_Run], examples: Examples, masks: list[np.ndarray]) -> dict:
    """Error, coverage and median width over a mask a run."""
    rows = list(zip(runs, masks, strict=True))
    return {
        "n": int(np.mean([mask.sum() for _, mask in rows])),
        "mae_C": float(np.mean([_error(r.champion.location, examples)[m].mean() for r, m in rows])),
        f"mae_C_{FOREST}": float(np.mean([_error(r.forest, examples)[m].mean() for r, m in rows])),
        "coverage_90": float(
            np.mean([_covered(r.champion.location, r.champion.half_width, examples)[m].mean() for r, m in rows])
        ),
        "median_width_90": float(np.mean([2 * np.median(r.champion.half_width[m]) for r, m in rows])),
    }


def _families(runs: list[_Run], examples: Examples) -> dict:
    family = np.array([m.family or "unnamed" for m in examples.measurements])
    names, counts = np.unique(family, return_counts=True)
    large = [
        str(n) for n, count in sorted(zip(names, counts, strict=True), key=lambda x: -x[1]) if count >= FEWEST_ROWS
    ]
    masks = {name: family == name for name in large} | {"all others": ~np.isin(family, large)}
    return {name: _part(runs, examples, [mask] * len(runs)) for name, mask in masks.items()}


def _novelty(runs: list[_Run], examples: Examples) -> list[dict]:
    """Parts of equal size by novelty (the share of the prior variance that the training data leaves)."""
    edges = [np.quantile(r.oof.novelty, np.linspace(0, 1, BINS + 1)) for r in runs]
    bins = []
    for k in range(BINS):
        masks = [
            (r.oof.novelty >= e[k]) & ((r.oof.novelty < e[k + 1]) | (k == BINS - 1))
            for r, e in zip(runs, edges, strict=True)
        ]
        ends = {"from": float(np.mean([e[k] for e in edges])), "to": float(np.mean([e[k + 1] for e in edges]))}
        bins.append(ends | _part(runs, examples, masks))
    return bins


def _intervals(runs: list[_Run], examples: Examples) -> dict:
    everything = [np.ones(len(examples), dtype=bool)] * len(runs)
    constant = [2 * constant_half_width(r.forest, examples.measurements) for r in runs]
    whole = _part(runs, examples, everything)
    width = float(np.mean(constant))
    return {
        "all": whole,
        "constant_width_forest": width,
        "narrower_than_forest": 1 - whole["median_width_90"] / width,
        "in_domain": _part(runs, examples, [r.champion.in_domain for r in runs]),
        "outside": _part(runs, examples, [~r.champion.in_domain for r in runs]),
    }
