"""`ionscout benchmark obelix`: the field's conductivity benchmark, with its baselines refitted in the same run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ionscout.datasets.errors import DataUnavailable
from ionscout.datasets.sources.base import Measurement, content_hash
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
from ionscout.training.leaks import leak_counts, leaks

OFFICIAL = "official test"
PARTS = {
    "all": "All rows",
    "cif": "Rows with CIF",
    "clean": "Clean rows",
    "independent": "Independent rows",
}


def run(
    folder: Path | None,
    config: ConductivityConfig,
    predictor: ConductivityPredictor | None = None,
    on_start: Callable[[int], None] = lambda fits: None,
    on_fit: Callable[[], None] = lambda: None,
) -> dict:
    """Score the champion on the official test part when the folder has it, else by grouped cross-validation.

    Returns `{"split", "rows", "models": {name: {"all"|"cif"|"clean"|"independent": {…}}}}`, see `Scores` for the
    innermost fields; only the official test part has `independent` rows.

    Raises:
        DataUnavailable: when there is no such folder, or it has neither table.
    """
    if folder is not None and not folder.is_dir():
        raise DataUnavailable(
            f"{folder} is not a folder; give the OBELiX folder with train.csv or test.csv, and cifs/."
        )
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
    """Score the given predictor on the official test part; baselines are fitted on the training part beside it.

    What the predictor learned from is taken to be every table that is here; nothing of it was left out for the test.
    """
    measurements = test.load()
    materials = [m.material() for m in measurements]
    graph_only = {path: Calibration(**values) for path, values in predictor.card["graph_only_calibration"].items()}
    predictions = {"champion": _predict(predictor, materials, predictor.calibration)}
    predictions["graph_only"] = _predict(predictor, materials, graph_only)
    training, notes = _training_part(test)
    if training:
        for name, model in (("random_forest", RandomForest()), ("median", Median())):
            held_out = out_of_fold(model, training, 5, 0)
            location = model.fit_predict(training, measurements)
            predictions[name] = (location, np.full(len(location), constant_half_width(held_out, training)))
    data = training_data(test.folder if Obelix(test.folder, "train").has_part() else None)
    hashes = {"main": content_hash(data.main), "extra": content_hash(data.extra)}
    if training and hashes != {key: predictor.card["data_sha256"].get(key) for key in hashes}:
        notes.append(
            f"The champion was trained on {predictor.card['trained_on']}, here are {data.description}: `clean` and "
            "`independent` may miss rows it has seen."
        )
    trained_on = [*data.main, *data.extra]
    overlap = leaks(measurements, trained_on)  # a test row, and what the champion learned that tells about it
    known = seen(fraction_matrix(measurements), fraction_matrix(trained_on))
    told = {id(leak.extra) for leak in overlap}
    leaking = np.array([id(m) in told for m in measurements])
    report = _report(OFFICIAL, measurements, known, predictions, leaking)
    report["rows"] |= {"trained_on": len(trained_on), "overlap_with_trained": leak_counts(overlap)}
    return report | {"notes": notes}


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
    return [], ["No OBELiX train.csv here: the baselines are missing, and `clean` knows the other tables alone."]


def _report(
    split: str,
    measurements: list[Measurement],
    known: np.ndarray,
    predictions: dict,
    leaking: np.ndarray | None = None,
) -> dict:
    label = np.array([m.log10_conductivity for m in measurements])
    censored = np.array([m.censored for m in measurements])
    with_cif = np.array([m.structure is not None for m in measurements])
    parts = {"all": np.ones(len(label), dtype=bool), "cif": with_cif, "clean": ~known}
    if leaking is not None:
        parts["independent"] = ~leaking
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
        _official(report["rows"]) if report["split"] == OFFICIAL else _CROSS_VALIDATED,
        "",
        f"Written by `{command}`.",
    ]
    for part, title in PARTS.items():
        if not any(part in scores for scores in report["models"].values()):
            continue
        lines += ["", f"## {title}", "", "| model | n | MAE P | MAE B | MAE C | RMSE P | Spearman | coverage | width |"]
        lines.append("|---|---|---|---|---|---|---|---|---|")
        for name, scores in report["models"].items():
            s = scores.get(part)
            if s is None:
                continue
            errors = " | ".join(f"{s[k]:.2f}" for k in ("mae_P", "mae_B", "mae_C", "rmse_P", "spearman"))
            lines.append(f"| {name} | {s['n']} | {errors} | {s['coverage_90']:.0%} | {s['width_90']:.1f} |")
    return "\n".join([*lines, "", *report.get("notes", [])]) + "\n"


_CROSS_VALIDATED = (
    "The champion and the graph model also train on the other sources, without the rows that share publication, "
    "composition or value with a held-out row; the baselines are fitted on OBELiX alone, as published. The champion's "
    "interval of a row is calibrated on other folds; the baselines have one width for all rows, from the residuals of "
    "all rows."
)


def _official(rows: dict) -> str:
    found = rows["overlap_with_trained"]
    counts = ", ".join(f"{found.get(reason, 0)} {words}" for reason, words in _REASONS.items())
    return (
        f"The champion is the one that ships: it learned from all {rows['trained_on']} rows of the tables, and nothing "
        f"was left out for this test. Of the {rows['all']} test rows, by the first reason that holds, {counts} with a "
        "row it learned from; *independent* leaves all of these out. The baselines are fitted on OBELiX's training "
        "part alone, as published. The champion's intervals are calibrated on the cross-validation of the training "
        "part; the baselines have one width for all rows, from their residuals there."
    )


_REASONS = {"composition": "share the composition", "publication": "a publication", "value": "elements and value"}
