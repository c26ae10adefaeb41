"""`ionscout benchmark temperatures`: σ(T) held out by publication, by temperature, over all tables.

Other reports score near 298 K, where nearly all labels are. What was measured elsewhere is scored here, each row at its
own temperature.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from ionscout.models import arrhenius
from ionscout.models.conductivity.predictor import join, raw_prediction
from ionscout.models.uncertainty import COVERAGE, conformal_factor, nonconformity
from ionscout.training.benchmarks.joined_folds import forest, joined, joined_folds
from ionscout.training.benchmarks.thermo_report import table
from ionscout.training.conductivity import TrainingData, training_data
from ionscout.training.config import ConductivityConfig
from ionscout.training.evaluate import score
from ionscout.training.examples import Examples
from ionscout.training.gaussian_process import fit_processes
from ionscout.training.readings import ReadRows

EDGES = (0.0, 250.0, 285.0, 315.0, 400.0, 500.0, 700.0, 2000.0)  # K
ROOM = (285.0, 315.0)  # K, of the rows that calibrate the intervals, as those of the champion are
FOREST = "forest and mean activation energy"
FEWEST = 20  # rows from which a bin is spoken of
OFF, SLACK = 0.3, 0.05  # decades of bias, and of coverage below what is promised, that are worth a sentence


def run(
    config: ConductivityConfig,
    on_step: Callable[[int, int], None] = lambda done, of: None,
    data: TrainingData | None = None,
) -> dict:
    """Predict every row at its own temperature by a process, and by a forest moved by the mean Ea of its fold.

    Args:
        on_step: told how many folds of all are done.
        data: rows; None: all that are here.

    Raises:
        BadData: when there are fewer publications than folds.
    """
    examples, described = joined(training_data() if data is None else data, config)
    read = ReadRows.of(examples, examples.materials, config.network.cutoff)
    location, scale, simple = (np.full(len(examples), np.nan) for _ in range(3))
    fold = np.zeros(len(examples), dtype=int)
    for number, (training, test) in enumerate(joined_folds(examples, examples.groups, config.folds)):
        asked = test[np.isfinite(examples.log_conductivity[test])]
        fold[asked] = number
        location[asked], scale[asked] = _process(training, examples, read, asked, config)
        simple[asked] = _forest(training, examples.rows(asked))
        on_step(number + 1, config.folds)
    known = np.isfinite(examples.log_conductivity)
    half = np.full(len(examples), np.nan)
    near = known & _between(examples, *ROOM)
    for number in np.unique(fold[known]):
        here, others = known & (fold == number), near & (fold != number)
        factor = conformal_factor(
            nonconformity(
                location[others], scale[others], examples.log_conductivity[others], examples.censored[others]
            ),
            COVERAGE,
        )
        half[here] = factor * scale[here]
    return {
        **described,
        "bins": [
            {"from_K": a, "to_K": b, **_scores(examples, known & _between(examples, a, b), location, half, simple)}
            for a, b in pairwise(EDGES)
        ],
    }


def _process(
    training: Examples, examples: Examples, read: ReadRows, rows: np.ndarray, config: ConductivityConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Location and scale [k] (decades) of these rows, each read as the service would, at its temperature."""
    processes = fit_processes(training, config.process, config.seed)
    location, scale = np.empty(len(rows)), np.empty(len(rows))
    for kelvin in np.unique(examples.temperature[rows]):
        places = np.flatnonzero(examples.temperature[rows] == kelvin)
        where = read.of_rows(rows[places])
        options, owner, weight = read.options.rows(where), read.owner[where], read.weight[where]
        raw = raw_prediction(np.zeros(len(where)), processes, options.materials, options.features, float(kelvin))
        for place in places:
            mine = np.flatnonzero(owner == rows[place])
            location[place], scale[place] = join(raw, mine, weight[mine], graph_weight=0.0)
    return location, scale


def _forest(training: Examples, rows: Examples) -> np.ndarray:
    """What a forest near 298 K says, moved to each row's temperature by the mean reported Ea of the training rows."""
    energy = float(np.nanmean(training.energy))
    return arrhenius.at_temperature(forest(training.measurements, rows.measurements), energy, rows.temperature)


def _between(examples: Examples, low: float, high: float) -> np.ndarray:
    return (examples.temperature >= low) & (examples.temperature < high)


def _scores(
    examples: Examples, rows: np.ndarray, location: np.ndarray, half: np.ndarray, simple: np.ndarray
) -> dict[str, float | int | None]:
    """Errors under protocol C, bias over labels that are no bounds, coverage and median width of the intervals."""
    label, censored = examples.log_conductivity, examples.censored
    ours, theirs = (score(x, label, censored, half, rows) for x in (location, simple))
    if ours is None or theirs is None:
        return {"n": 0}
    exact = rows & ~censored
    return {
        "n": ours.n,
        "bias": float((location - label)[exact].mean()) if exact.any() else None,
        "mae_C": ours.mae_C,
        "mae_C_forest": theirs.mae_C,
        "coverage_90": ours.coverage_90,
        "median_width_90": float(2 * np.median(half[rows])),
    }


def _weaknesses(bins: list[dict]) -> str:
    """Where the mean is off, and where intervals hold less than they promise, in words."""
    spans = {f"{b['from_K']:.0f} to {b['to_K']:.0f} K": b for b in bins if b["n"] >= FEWEST}
    off = [f"{span} ({b['bias']:+.1f})" for span, b in spans.items() if abs(b["bias"] or 0.0) > OFF]
    thin = [f"{span} ({b['coverage_90']:.0%})" for span, b in spans.items() if b["coverage_90"] < COVERAGE - SLACK]
    words = [f"Off by more than {OFF} decades in the mean: {', '.join(off)}." if off else ""]
    words += [f"Intervals too narrow: {', '.join(thin)}." if thin else ""]
    return " ".join(word for word in words if word) + (" " if off or thin else "")


def markdown(report: dict, command: str) -> str:
    """The page."""
    rows = []
    for part in report["bins"]:
        if part["n"]:
            bias = "" if part["bias"] is None else f"{part['bias']:+.2f}"
            cells = [f"{part['from_K']:.0f} to {part['to_K']:.0f}", part["n"], bias]
            rows.append(
                [
                    *cells,
                    *(f"{part[name]:.2f}" for name in ("mae_C", "mae_C_forest")),
                    f"{part['coverage_90']:.0%}",
                    f"{part['median_width_90']:.1f}",
                ]
            )
    header = ["K", "rows", "bias", "MAE", f"MAE: {FOREST}", "in the 90 % interval", "median width"]
    return (
        "\n".join(
            [
                "# Conductivity away from room temperature",
                "",
                f"{report['split']}; tables: {report['tables']}. Every row is predicted at its own temperature by a "
                "Gaussian process (the champion's, without the networks) that saw no row of its publication, nor any "
                "that shares composition or value. Decades; protocol C; bias: predicted − measured, without bounds. "
                f"Intervals are calibrated on the rows of {ROOM[0]:.0f} to {ROOM[1]:.0f} K of the other folds.",
                "",
                table(header, rows),
                "",
                _weaknesses(report["bins"])
                + "Hot rows are not those of room temperature made hot: what conducts badly is measured hot, how "
                "badly is what the tables tell least, and some of them give temperatures that are in doubt.",
                "",
                f"Written by `{command}`.",
            ]
        )
        + "\n"
    )
