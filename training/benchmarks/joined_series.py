"""`ionscout benchmark series`: the order of every series that any table has, out of fold and with series held out.

`conductivity.md` scores series on OBELiX's rows, as it scores everything; some series of `series.yaml` are measured in
the other tables alone. Here all tables are one list that is split as a whole.
"""

from collections.abc import Callable

import numpy as np

from ionscout.training import ablations
from ionscout.training.benchmarks.conductivity import FOREST
from ionscout.training.benchmarks.joined_folds import forest, joined, joined_folds
from ionscout.training.benchmarks.ordering import RIGHT, score_predictions, threshold_sentence
from ionscout.training.benchmarks.series import find_series, rules_without_rows, series_groups, series_rules
from ionscout.training.benchmarks.thermo_report import table
from ionscout.training.conductivity import TrainingData, training_data
from ionscout.training.config import ConductivityConfig

PROCESS = "process"
OUT_OF_FOLD, HELD_OUT = "out of fold", "whole series held out"


def run(
    config: ConductivityConfig,
    on_step: Callable[[int, int], None] = lambda done, of: None,
    data: TrainingData | None = None,
) -> dict:
    """Predict the members of every series by processes and forests that know nothing of their fold.

    Args:
        on_step: told how many folds of all are done.
        data: rows to look for series in; None: all that are here.

    Raises:
        BadData: when there are fewer publications than folds.
    """
    examples, described = joined(training_data() if data is None else data, config)
    splits = {OUT_OF_FOLD: examples.groups, HELD_OUT: series_groups(examples.measurements, examples.groups)}
    found = find_series(examples.measurements)
    report: dict = {
        **described,
        "threshold": RIGHT,
        "rules": len(series_rules()),
        "without_rows": rules_without_rows(examples.measurements),
        "training_rows": {},
        "ordering": {},
    }
    members = np.unique(np.concatenate([series.rows for series in found])) if found else np.zeros(0, dtype=int)
    done = 0
    for split, grouping in splits.items():
        prediction = {model: np.full(len(examples), np.nan) for model in (PROCESS, FOREST)}
        sizes = []
        for training, test in joined_folds(examples, grouping, config.folds):
            sizes.append(len(training))
            asked = np.intersect1d(test, members)
            if len(asked):
                rows = examples.rows(asked)
                prediction[PROCESS][asked] = ablations.fit_predict(ablations.VARIANTS[0], training, rows, config)
                prediction[FOREST][asked] = forest(training.measurements, rows.measurements)
            done += 1
            on_step(done, config.folds * len(splits))
        report["training_rows"][split] = sizes
        report["ordering"][split] = {
            model: score_predictions(values, examples.measurements, found).as_dict()
            for model, values in prediction.items()
        }
    return report


def markdown(report: dict, command: str) -> str:
    """The page."""
    count = report["rules"] - len(report["without_rows"])
    lines = [
        "# Order in real series, all tables",
        "",
        f"{report['split']}; tables: {report['tables']}. Rows that share composition, publication or value with a "
        "held-out row do not train its fold. *Whole series held out*: publications that share a series are one group, "
        f"so that no row of a series, nor of any paper it touches, trains its own prediction. {threshold_sentence()} "
        "The process is the Gaussian process of the champion, whose settings were chosen on OBELiX's folds "
        "([conductivity.md](conductivity.md)); the forest is that of the OBELiX paper, fitted to the same rows as far "
        "as they were measured near 298 K.",
        "",
        "Harder than the same table of conductivity.md, which leaves out rows of the other tables alone: here OBELiX's "
        "own rows are left out too where they are within 0.01 atomic fractions of any held-out row, and neighbours in "
        "many a series are nearer than that. Out of fold the members of one series are answered by different fits, "
        "which then lack different neighbours.",
        "",
        f"Rows are found for {count} of the {report['rules']} rules of `training/benchmarks/series.yaml`"
        + (f"; none for: {'; '.join(report['without_rows'])}." if report["without_rows"] else "."),
        "",
        f"Written by `{command}`.",
        "",
        "| held out | model | ordered right | pairs right | rows that train a fold |",
        "|---|---|---|---|---|",
    ]
    for split, models in report["ordering"].items():
        sizes = report["training_rows"][split]
        for model, o in models.items():
            words = f"{o['right']} of {o['total']} | {o['pair_share']:.0%} | {min(sizes)} to {max(sizes)}"
            lines.append(f"| {split} | {model} | {words} |")
    for split, models in report["ordering"].items():
        lines += ["", f"## {split.capitalize()}", "", _series(models)]
    lines += [
        "",
        "Points: different compositions or phases. Pairs: of points that the rule compares; a share is that of pairs "
        "in the declared order. Span: decades between the upper and the lower half of the declared order. *Measured*: "
        "the same of the medians of the measured values, which laboratories do not always agree on.",
    ]
    return "\n".join(lines) + "\n"


def _series(models: dict) -> str:
    rows = []
    for ours, theirs in zip(models[PROCESS]["series"], models[FOREST]["series"], strict=True):
        cells = [ours["name"], ours["points"], ours["pairs"]]
        for s in (ours, theirs):
            cells += [f"{s['share']:.0%}", "yes" if s["right"] else "no", f"{s['span']:+.2f}"]
        rows.append([*cells, f"{ours['measured_share']:.0%}", f"{ours['measured_span']:+.2f}"])
    header = ["pairs right", "right", "span"]
    return table(
        ["series", "points", "pairs", *header, *(f"forest: {h}" for h in header), "measured: pairs", "measured: span"],
        rows,
    )
