"""`ionscout train conductivity`: cross-validate, calibrate, fit on everything, record, register."""

import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import mlflow
import numpy as np

from ionscout.datasets.sources.base import Measurement, content_hash
from ionscout.datasets.sources.user import UserTable
from ionscout.models.conductivity.predictor import Calibration, ConductivityPredictor
from ionscout.training import figures, registry, tracking
from ionscout.training.bulk import bulk_shift
from ionscout.training.config import ConductivityConfig
from ionscout.training.crossval import (
    FEWEST,
    OutOfFold,
    believable,
    calibrate,
    cross_validate,
    energy_error,
    nested,
)
from ionscout.training.engines import Engine, open_engine
from ionscout.training.ensembles import start_ensemble
from ionscout.training.evaluate import score
from ionscout.training.examples import Examples, make_examples
from ionscout.training.gaussian_process import fit_processes
from ionscout.training.labels import labels_of
from ionscout.training.leaks import independent
from ionscout.training.measurements import joined_table
from ionscout.training.overrides import flat
from ionscout.training.promotion import predictions, shipped

MAIN = "obelix"  # the source that is cross-validated where it is present
EXPERIMENT = "conductivity"


@dataclass(frozen=True)
class TrainingData:
    """`main` is cross-validated; `extra` only helps to train, never where it overlaps with held-out rows."""

    main: list[Measurement]
    extra: list[Measurement]
    description: str


def training_data(data: Path | None = None) -> TrainingData:
    """OBELiX's training part with every other source beside it, or the embedded set alone where OBELiX is missing.

    `data` is an OBELiX folder, or a CSV of own measurements (see `UserTable`), which then help to train as well.

    Raises:
        DataUnavailable: when what was named is not there.
        BadData: when it does not have the expected layout.
    """
    own = UserTable(data).load() if data is not None and not data.is_dir() else []
    table = joined_table(data if data is not None and data.is_dir() else None, own)
    names = ", ".join(f"{name} ({count})" for name, count in table.rows.items())
    benchmark = [m for m in table.measurements if m.source == MAIN]
    if not benchmark:
        return TrainingData([m for m in table.measurements if near_room(m)], [], names)
    return TrainingData(benchmark, table.extra(MAIN), names)


def near_room(m: Measurement) -> bool:
    """Whether a row can be a label at 298 K: measured near it, or with an activation energy to bring it there."""
    return bool(np.isfinite(labels_of([m])[0]))


def train(
    data: TrainingData,
    config: ConductivityConfig,
    output: Path | None = None,
    on_start: Callable[[int], None] = lambda fits: None,
    on_fit: Callable[[], None] = lambda: None,
    engine: Engine | None = None,
) -> ConductivityPredictor:
    """Make a predictor, log it to MLflow and register it; write it to `output` as well if given.

    Args:
        on_start: told how many networks will be fitted; on_fit: called after each.
        engine: where the networks are fitted, all side by side; None: in `config.workers` processes.
    """
    if engine is None:
        with open_engine("local", config.workers) as local:
            return train(data, config, output, on_start, on_fit, local)
    main = make_examples(data.main, config.network.cutoff)
    extra = make_examples(data.extra, config.network.cutoff) if data.extra else None
    on_start(config.members * (config.folds + 1))
    with tracking.run(EXPERIMENT, "train", flat(config)) as active:
        tracking.log_config(config)
        tracking.log_measurements(data.main, "main", f"grouped-{config.folds}-fold-seed-{config.seed}")
        if data.extra:
            tracking.log_measurements(data.extra, "extra", "training only, overlap with held-out rows left out")
        everything = main.joined(extra)
        final = start_ensemble(everything.labelled(), config, config.seed, engine, on_fit)
        whole, bare = cross_validate(main, config, extra_rows(extra), on_fit, engine)
        _log_folds(whole, config)
        energy = energy_scores(whole, data.main)
        ensemble, _ = final.result()
        predictor = ConductivityPredictor(
            ensemble,
            fit_processes(everything, config.process, config.seed),
            calibrations(whole, bare),
            _card(data, config, whole, bare, energy, active.info.run_id),
        )
        _record(predictor, whole, data, output)
    return predictor


def extra_rows(extra: Examples | None) -> Callable[[Examples], Examples | None]:
    """Which further rows may train a fold, given what it holds out."""
    return lambda held_out: None if extra is None else independent_rows(extra, held_out)


def independent_rows(training: Examples, held_out: Examples) -> Examples:
    """The training rows that share no composition, publication or value with held-out ones (`leaks.independent`)."""
    allowed = {id(m) for m in independent(training.measurements, held_out.measurements)}
    return training.rows([i for i, m in enumerate(training.measurements) if id(m) in allowed])


def energy_scores(oof: OutOfFold, training: Sequence[Measurement]) -> dict:
    """Errors of the activation energy out of fold, beside the mean of its family in the other folds' rows."""
    error = energy_error(oof)
    if len(error) < FEWEST:
        return {"n": len(error), "rmse_eV": None, "mae_eV": None, "mae_of_family_mean_eV": None}
    return {
        "n": len(error),
        "rmse_eV": float(np.sqrt(np.mean(error**2))),
        "mae_eV": float(np.abs(error).mean()),
        "mae_of_family_mean_eV": family_mean_error(oof, training),
    }


def family_mean_error(oof: OutOfFold, measurements: Sequence[Measurement]) -> float:
    """Mean absolute error (eV) of predicting Ea by the mean over its family, in the folds that a row is not in.

    Families of fewer than three other rows take the mean of all.
    """
    family = np.array([m.family for m in measurements])
    known = believable(oof)
    errors = []
    for row in np.flatnonzero(known):
        others = known & (oof.fold != oof.fold[row])
        relatives = others & (family == family[row])
        pool = relatives if relatives.sum() >= 3 else others
        errors.append(abs(oof.measured_energy[pool].mean() - oof.measured_energy[row]))
    return float(np.mean(errors))


def calibrations(whole: OutOfFold, bare: OutOfFold, graph_weight: float | None = None) -> dict[str, Calibration]:
    """One calibration for each kind of input. Kinds with too few rows of their own borrow all rows."""
    chosen = {}
    for oof, paths in ((whole, ("structure", "cell")), (bare, ("template", "composition"))):
        for path in paths:
            rows = np.flatnonzero(oof.path == path)
            chosen[path] = calibrate(oof, rows if len(rows) >= FEWEST else np.arange(len(oof.label)), graph_weight)
    return chosen


def summary(oof: OutOfFold) -> dict:
    """Out-of-fold scores of the champion, the graph ensemble alone and the process alone, over all rows and by path."""
    honest, graph, process = nested(oof), nested(oof, 1.0), nested(oof, 0.0)
    table: dict = {}
    for name, location, half in (
        ("champion", honest.location, honest.half_width),
        ("graph_only", graph.location, graph.half_width),
        ("process_only", process.location, process.half_width),
    ):
        parts = {"all": None} | {path: oof.path == path for path in np.unique(oof.path)}
        scores = {part: score(location, oof.label, oof.censored, half, rows) for part, rows in parts.items()}
        table[name] = {part: s.as_dict() for part, s in scores.items() if s is not None}
    error = np.abs(honest.location - oof.label)
    table["in_domain"] = {
        "share": float(honest.in_domain.mean()),
        "mae_B_inside": float(error[honest.in_domain].mean()),
        "mae_B_outside": float(error[~honest.in_domain].mean()) if (~honest.in_domain).any() else None,
    }
    return table


def _card(
    data: TrainingData, config: ConductivityConfig, whole: OutOfFold, bare: OutOfFold, energy: dict, run_id: str
) -> dict:
    graph_only = calibrations(whole, bare, 1.0)
    rows = [*data.main, *data.extra]
    shift = bulk_shift(rows)
    return {
        "task": "log10 ionic conductivity (S/cm) and activation energy (eV) of lithium electrolytes",
        "trained_on": data.description,
        "rows": len(rows),
        "data_sha256": {"main": content_hash(data.main), "extra": content_hash(data.extra)},
        "split": f"{config.folds}-fold cross-validation of the main rows, grouped by DOI, seed {config.seed}",
        "metrics_out_of_fold": {"as given": summary(whole), "formula only": summary(bare)},
        "activation_energy_out_of_fold": energy,
        "intervals": "conformal, calibrated on all out-of-fold residuals of the grouped cross-validation (pooled)",
        "bulk_shift": None if shift is None else asdict(shift),
        "graph_only_calibration": {path: vars(values) for path, values in graph_only.items()},
        "configuration": config.model_dump(),
        "code_version": metadata.version("ionscout"),
        "environment": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in ("torch", "torch-geometric", "pymatgen", "scikit-learn")},
        },
        "mlflow_run": run_id,
        "known_weaknesses": (
            "Rows of one composition measured by different laboratories differ by 0.45 decades in the median; errors "
            "of less are luck. Conductivities below 1e-10 S/cm are mostly bounds, so poor conductors are only known "
            "to be poor: lithium phosphates, vanadates and ortho-oxides of 1e-12 S/cm and below are predicted several "
            "decades too high (mean error 2 to 3 decades in LISICON), pyrochlores and other families with few papers "
            "are guesses. Which of bulk and total conductivity a row means is known for "
            f"{sum(m.kind != 'unknown' for m in rows)} rows only. Activation energies come from 200 papers that often "
            "do not state the temperature range."
        ),
    }


def _log_folds(oof: OutOfFold, config: ConductivityConfig) -> None:
    """One nested run a network, with its loss and validation error by epoch."""
    for fold, fits in enumerate(oof.histories):
        for member, fitted in enumerate(fits):
            with mlflow.start_run(run_name=f"fold {fold} member {member}", nested=True):
                mlflow.log_params({"fold": fold, "member": member, "seed": config.seed + 1000 * (fold + 1) + member})
                for epoch, (training, validation) in enumerate(fitted.history):
                    mlflow.log_metrics({"training_loss": training, "validation_mae": validation}, step=epoch)
                mlflow.log_metric("best_epoch", fitted.best_epoch)


def _record(predictor: ConductivityPredictor, oof: OutOfFold, data: TrainingData, output: Path | None) -> None:
    honest = nested(oof)
    judged = predictions.table(data.main, oof.fold, honest.location, honest.half_width, data.extra)
    table = judged.text()
    mlflow.log_text(table, predictions.ARTIFACT)  # what a later model is compared with
    predictor.card[shipped.DIGEST] = shipped.table_digest(table)
    for name, figure in (
        ("parity.png", figures.parity_plot(oof, honest)),
        ("calibration.png", figures.calibration_plot(oof, honest)),
        ("losses.png", figures.loss_plot(oof)),
    ):
        mlflow.log_figure(figure, name)
    for model, parts in predictor.card["metrics_out_of_fold"]["as given"].items():
        flat = {
            f"{part}/{k}": v for part, values in parts.items() if isinstance(values, dict) for k, v in values.items()
        }
        mlflow.log_metrics({f"{model}/{k}": float(v) for k, v in flat.items() if v is not None})
    with tempfile.TemporaryDirectory() as folder:
        predictor.save(Path(folder))
        mlflow.log_dict(predictor.card, "model_card.json")
        registry.register(Path(folder), predictor.card)
    if output is not None:
        predictor.save(output)
        (output / shipped.TABLE).write_text(table, encoding="utf-8")
