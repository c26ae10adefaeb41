"""`ionscout benchmark graph-only`: structure alone against CGCNN and the published forest, with its ablations."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np

from ionscout.datasets.errors import DataUnavailable
from ionscout.datasets.sources.base import Measurement
from ionscout.training.baselines import RandomForest, out_of_fold
from ionscout.training.baselines_cgcnn import fit_predict_cgcnn
from ionscout.training.benchmarks.thermo_report import table
from ionscout.training.evaluate import Scores, score
from ionscout.training.folds import grouped_folds, publications
from ionscout.training.graph_crossval import VARIANTS, cross_validate_graph
from ionscout.training.measurements import joined_table

FOLDS = 5
FOREST, CONVOLUTION = "random forest (published)", "CGCNN, occupancy-averaged"


@dataclass(frozen=True)
class GraphReport:
    """Scores by model or variant, each {"all", "cif", "no cif"}, averaged over `fold_seeds`."""

    fold_seeds: tuple[int, ...]
    scores: dict[str, dict[str, Scores]]

    def as_dict(self) -> dict:
        return asdict(self)


def run(
    fold_seeds: tuple[int, ...] = (0, 1), on_step: Callable[[int, int], None] = lambda done, of: None
) -> GraphReport:
    """Fit every variant and both baselines anew on the same DOI-grouped folds of the OBELiX training part.

    Raises:
        DataUnavailable: the OBELiX training part is not there.
    """
    table_ = joined_table()
    main = [m for m in table_.measurements if m.source == "obelix"]
    if not main:
        raise DataUnavailable("The OBELiX training part is missing; set IONSCOUT_DATA_DIR.")
    models: dict[str, Callable[[int], np.ndarray]] = {
        FOREST: lambda seed: out_of_fold(RandomForest(seed), main, FOLDS, seed),
        CONVOLUTION: lambda seed: _cgcnn(main, seed),
    }
    for variant in VARIANTS:
        models[variant.name] = lambda seed, v=variant: (
            cross_validate_graph(  # type: ignore[misc]
                main, table_.extra(), v, FOLDS, seed
            ).location
        )
    found: dict[str, dict[str, Scores]] = {}
    for number, (name, predict) in enumerate(models.items()):
        runs = []
        for k, seed in enumerate(fold_seeds):
            runs.append(_parts(predict(seed), main))
            on_step(number * len(fold_seeds) + k + 1, len(models) * len(fold_seeds))
        found[name] = {part: _mean([scores[part] for scores in runs]) for part in runs[0]}
    return GraphReport(fold_seeds, found)


def markdown(report: GraphReport) -> str:
    """One table a part of the rows, and how far the full model lies below its two baselines."""
    full = report.scores[VARIANTS[0].name]
    lines = [
        "# Graph-only conductivity model",
        "",
        "OBELiX training part, five folds grouped by DOI, the same for every row of a table, mean over the fold seeds "
        f"{', '.join(map(str, report.fold_seeds))}. MAE in decades. Rows without structure: CGCNN answers the mean of "
        "the training labels there, so only its row under *cif* is a comparison.",
    ]
    for part in full:
        rows = [
            [name, s[part].mae_P, s[part].mae_B, s[part].mae_C, s[part].spearman] for name, s in report.scores.items()
        ]
        lines += ["", f"## {part} ({full[part].n} rows)", "", table(["model", "P", "B", "C", "Spearman"], rows)]
    lines += ["", "## Below the baselines on the rows with CIF", ""]
    for name in (FOREST, CONVOLUTION):
        other, own = report.scores[name]["cif"], full["cif"]
        gains = [1 - getattr(own, key) / getattr(other, key) for key in ("mae_P", "mae_B", "mae_C")]
        lines.append(f"- {name}: {', '.join(f'{key} {gain:.1%}' for key, gain in zip('PBC', gains, strict=True))}")
    return "\n".join(lines)


def _cgcnn(measurements: list[Measurement], seed: int) -> np.ndarray:
    prediction = np.zeros(len(measurements))
    for train, test in grouped_folds(publications(measurements), FOLDS, seed):
        prediction[test] = fit_predict_cgcnn([measurements[i] for i in train], [measurements[i] for i in test], seed)
    return prediction


def _parts(prediction: np.ndarray, measurements: list[Measurement]) -> dict[str, Scores]:
    label = np.array([m.log10_conductivity for m in measurements])
    censored = np.array([m.censored for m in measurements])
    cif = np.array([m.structure is not None for m in measurements])
    masks = {"all": np.ones(len(label), dtype=bool), "cif": cif, "no cif": ~cif}
    found = {name: score(prediction, label, censored, rows=mask) for name, mask in masks.items()}
    return {name: s for name, s in found.items() if s is not None}


def _mean(runs: list[Scores]) -> Scores:
    def mean(name: str) -> float:
        return float(np.mean([getattr(s, name) for s in runs]))

    return replace(
        runs[0],
        mae_P=mean("mae_P"),
        mae_B=mean("mae_B"),
        mae_C=mean("mae_C"),
        rmse_P=mean("rmse_P"),
        spearman=mean("spearman"),
    )
