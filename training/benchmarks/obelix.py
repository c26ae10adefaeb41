"""`ionscout benchmark obelix`: the field's conductivity benchmark, with its baselines refitted in the same run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ionscout.datasets.errors import DataUnavailable
from ionscout.datasets.sources.base import Measurement, content_hash
from ionscout.datasets.sources.embedded import Embedded
from ionscout.datasets.sources.obelix import Obelix
from ionscout.datasets.sources.repeats import fraction_matrix
from ionscout.models.conductivity.predictor import Calibration, ConductivityPredictor
from ionscout.training.baselines import Median, RandomForest, constant_half_width, out_of_fold
from ionscout.training.conductivity import extra_rows, training_data
from ionscout.training.config import ConductivityConfig
from ionscout.training.crossval import cross_validate, nested
from ionscout.training.evaluate import score
from ionscout.training.examples import make_examples
from ionscout.training.folds import grouped_folds, publications, seen


def run(
    folder: Path | None,
    config: ConductivityConfig,
    predictor: ConductivityPredictor | None = None,
    on_start: Callable[[int], None] = lambda fits: None,
    on_fit: Callable[[], None] = lambda: None,
) -> dict:
    """Score the champion on the official test part when the folder has it, else by grouped cross-validation.

    Returns `{"split", "rows", "models": {name: {"all"|"cif"|"clean": {…}}}}`, see `Scores` for the innermost fields.

    Raises:
        DataUnavailable: when the folder has neither table.
    """
    test = Obelix(folder, "test")
    if test.has_part():
        return score_test(test, predictor or ConductivityPredictor.load())
    return cross_validated(Obelix(folder, "train"), config, on_start, on_fit)


def cross_validated(
    source: Obelix, config: ConductivityConfig, on_start: Callable[[int], None], on_fit: Callable[[], None]
) -> dict:
    """Fit everything anew on the same grouped folds of the training part."""
    data = training_data(source.folder)
    measurements = data.main
    on_start(config.members * config.folds)
    examples = make_examples(measurements, config.network.cutoff)
    extra = make_examples(data.extra, config.network.cutoff)
    oof, _ = cross_validate(examples, config, extra_rows(extra), on_fit)
    champion, graph = nested(oof), nested(oof, 1.0)
    predictions = {
        "champion": (champion.location, champion.half_width),
        "graph_only": (graph.location, graph.half_width),
    }
    for name, model in (("random_forest", RandomForest(config.seed)), ("median", Median())):
        location = out_of_fold(model, measurements, config.folds, config.seed)
        predictions[name] = (location, np.full(len(location), constant_half_width(location, measurements)))
    known = np.zeros(len(measurements), dtype=bool)
    matrix = fraction_matrix(measurements)
    for train, test in grouped_folds(publications(measurements), config.folds, config.seed):
        known[test] = seen(matrix[test], matrix[train])  # embedded rows that overlap are left out of the fold
    return _report(f"train, {config.folds} folds grouped by DOI, seed {config.seed}", measurements, known, predictions)


def score_test(test: Obelix, predictor: ConductivityPredictor) -> dict:
    """Score the given predictor on the official test part; baselines are fitted on the training part beside it."""
    measurements = test.load()
    materials = [m.material() for m in measurements]
    graph_only = {path: Calibration(**values) for path, values in predictor.card["graph_only_calibration"].items()}
    predictions = {"champion": _predict(predictor, materials, predictor.calibration)}
    predictions["graph_only"] = _predict(predictor, materials, graph_only)
    training, notes = _training_part(test)
    if training and content_hash(training) != predictor.card["data_sha256"]["main"]:
        notes.append("The champion was trained on another train.csv than this one: `clean` may miss rows it has seen.")
    if training:
        for name, model in (("random_forest", RandomForest()), ("median", Median())):
            held_out = out_of_fold(model, training, 5, 0)
            location = model.fit_predict(training, measurements)
            predictions[name] = (location, np.full(len(location), constant_half_width(held_out, training)))
    trained_on = fraction_matrix(training + Embedded().load())
    known = seen(fraction_matrix(measurements), trained_on)
    return _report("official test", measurements, known, predictions) | {"notes": notes}


def _predict(predictor: ConductivityPredictor, materials: list, calibration: dict) -> tuple[np.ndarray, np.ndarray]:
    """log10 σ and half-width of the interval, [n] each, with the given calibrations."""
    answers = predictor.predict(materials, calibration=calibration)
    centre = np.log10([a.conductivity for a in answers])
    return centre, np.log10([a.upper for a in answers]) - centre


def _training_part(test: Obelix) -> tuple[list[Measurement], list[str]]:
    for folder in (test.folder, None):
        try:
            return Obelix(folder, "train").load(), []
        except DataUnavailable:
            continue
    return [], ["No OBELiX train.csv here: the baselines are missing, and `clean` knows the embedded set alone."]


def _report(split: str, measurements: list[Measurement], known: np.ndarray, predictions: dict) -> dict:
    label = np.array([m.log10_conductivity for m in measurements])
    censored = np.array([m.censored for m in measurements])
    with_cif = np.array([m.structure is not None for m in measurements])
    parts = {"all": np.ones(len(label), dtype=bool), "cif": with_cif, "clean": ~known}
    models: dict = {}
    for name, (location, half_width) in predictions.items():
        scores = {part: score(location, label, censored, half_width, rows) for part, rows in parts.items()}
        models[name] = {part: s.as_dict() for part, s in scores.items() if s is not None}
    return {
        "split": split,
        "rows": {"all": len(label), "cif": int(with_cif.sum()), "composition_seen_in_training": int(known.sum())},
        "models": models,
    }


def markdown(report: dict, command: str) -> str:
    """The report as a page: one table for each set of rows."""
    lines = [
        "# OBELiX: room-temperature conductivity",
        "",
        f"Split: {report['split']}. Rows: {report['rows']['all']}, with CIF {report['rows']['cif']}; "
        f"{report['rows']['composition_seen_in_training']} have a composition that also occurs in the training rows "
        "(left out of *clean*). Errors in decades of conductivity; protocols P, B, C differ in what they do with upper "
        "bounds and must not be compared with each other. Width: mean full width of the 90 % interval.",
        "",
        "The champion and the graph model also train on the other sources, without the rows that share publication, "
        "composition or value with a held-out row; the baselines are fitted on OBELiX alone, as published. The "
        "champion's interval of a row is calibrated on other folds; the baselines have one width for all rows, from "
        "the residuals of all rows.",
        "",
        f"Written by `{command}`.",
    ]
    for part, title in (("all", "All rows"), ("cif", "Rows with CIF"), ("clean", "Clean rows")):
        lines += ["", f"## {title}", "", "| model | n | MAE P | MAE B | MAE C | RMSE P | Spearman | coverage | width |"]
        lines.append("|---|---|---|---|---|---|---|---|---|")
        for name, scores in report["models"].items():
            s = scores.get(part)
            if s is None:
                continue
            errors = " | ".join(f"{s[k]:.2f}" for k in ("mae_P", "mae_B", "mae_C", "rmse_P", "spearman"))
            lines.append(f"| {name} | {s['n']} | {errors} | {s['coverage_90']:.0%} | {s['width_90']:.1f} |")
    return "\n".join([*lines, "", *report.get("notes", [])]) + "\n"
