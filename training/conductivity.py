"""`ionscout train conductivity`: cross-validate, calibrate, fit on everything, record, register."""

import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import mlflow
import numpy as np

from ionscout.datasets.errors import DataUnavailable
from ionscout.datasets.sources.base import ROOM_TEMPERATURE, Measurement, content_hash
from ionscout.datasets.sources.embedded import Embedded
from ionscout.datasets.sources.obelix import Obelix
from ionscout.datasets.sources.user import UserTable
from ionscout.models.conductivity.predictor import Calibration, ConductivityPredictor
from ionscout.training import figures, registry, tracking
from ionscout.training.config import ConductivityConfig
from ionscout.training.crossval import (
    USUAL_ENERGY_DEVIATION,
    OutOfFold,
    calibrate,
    cross_validate,
    energy_error,
    fit_ensemble,
    nested,
    reference_embeddings,
)
from ionscout.training.evaluate import score
from ionscout.training.examples import Examples, make_examples
from ionscout.training.fit import fit_forests
from ionscout.training.folds import without_overlap

EXPERIMENT = "conductivity"


@dataclass(frozen=True)
class TrainingData:
    """`main` is cross-validated; `extra` only helps to train, never where it overlaps with held-out rows."""

    main: list[Measurement]
    extra: list[Measurement]
    description: str


def training_data(data: Path | None = None) -> TrainingData:
    """OBELiX's training part with the embedded set beside it, or the embedded set alone where OBELiX is missing.

    `data` is an OBELiX folder, or a CSV of own measurements (see `UserTable`), which then help to train as well.

    Raises:
        DataUnavailable: when what was named is not there.
        BadData: when it does not have the expected layout.
    """
    own = [m for m in UserTable(data).load() if near_room(m)] if data is not None and not data.is_dir() else []
    folder = data if data is not None and data.is_dir() else None
    extra, names = Embedded().load() + own, "embedded" + (f" + {len(own)} own rows" if own else "")
    try:
        return TrainingData(Obelix(folder, "train").load(), extra, f"OBELiX train.csv + {names}")
    except DataUnavailable:
        if folder is not None:
            raise
        return TrainingData(extra, [], names)


def near_room(m: Measurement) -> bool:
    """Whether a row can be a label at 298 K: measured near it, or with an activation energy to bring it there."""
    return abs(m.temperature_K - ROOM_TEMPERATURE) <= NEAR or m.activation_energy_eV is not None


def train(
    data: TrainingData,
    config: ConductivityConfig,
    output: Path | None = None,
    on_start: Callable[[int], None] = lambda fits: None,
    on_fit: Callable[[], None] = lambda: None,
) -> ConductivityPredictor:
    """Make a predictor, log it to MLflow and register it; write it to `output` as well if given.

    Args:
        on_start: told how many networks will be fitted; on_fit: called after each.
    """
    main = make_examples(data.main, config.network.cutoff)
    extra = make_examples(data.extra, config.network.cutoff) if data.extra else None
    on_start(config.members * (config.folds + 1) + config.folds)
    with tracking.run(EXPERIMENT, "train", _flat(config)) as active:
        tracking.log_measurements(data.main, "main", f"grouped-{config.folds}-fold-seed-{config.seed}")
        if data.extra:
            tracking.log_measurements(data.extra, "extra", "training only, overlap with held-out rows left out")
        whole, bare = cross_validate(main, config, extra_rows(extra), on_fit)
        _log_folds(whole, config)
        everything = main.joined(extra)
        energy = energy_scores(everything, config, on_fit)
        ensemble, _ = fit_ensemble(everything, config, config.seed, on_fit)
        crystal_forest, composition_forest = fit_forests(everything, config, config.seed)
        predictor = ConductivityPredictor(
            ensemble,
            crystal_forest,
            composition_forest,
            reference_embeddings(ensemble, everything),
            calibrations(whole, bare, energy_deviation=energy["rmse_eV"]),
            _card(data, config, whole, bare, energy, active.info.run_id),
        )
        _record(predictor, whole, output)
    return predictor


def extra_rows(extra: Examples | None) -> Callable[[Examples], Examples | None]:
    """Which further rows may train a fold: those without overlap with what it holds out."""

    def choose(held_out: Examples) -> Examples | None:
        if extra is None:
            return None
        allowed = {id(m) for m in without_overlap(extra.measurements, held_out.measurements)}
        return extra.rows([i for i, m in enumerate(extra.measurements) if id(m) in allowed])

    return choose


def energy_scores(everything: Examples, config: ConductivityConfig, on_fit: Callable[[], None]) -> dict:
    """Errors of the activation energy, cross-validated over the rows that state one; other rows only train.

    One network a fold, so that the estimate errs on the careful side. Beside it the error of a constant, the median.
    """
    known = np.isfinite(everything.energy)
    if known.sum() < FEWEST:
        return {"n": int(known.sum()), "rmse_eV": USUAL_ENERGY_DEVIATION, "mae_eV": None, "mae_of_median_eV": None}
    single = config.model_copy(update={"members": 1})
    others = everything.rows(np.flatnonzero(~known))
    oof, _ = cross_validate(everything.rows(np.flatnonzero(known)), single, extra_rows(others), on_fit)
    error = energy_error(oof)
    constant = np.abs(oof.measured_energy - np.median(oof.measured_energy)).mean()
    return {
        "n": len(error),
        "rmse_eV": float(np.sqrt(np.mean(error**2))),
        "mae_eV": float(np.abs(error).mean()),
        "mae_of_median_eV": float(constant),
    }


def calibrations(
    whole: OutOfFold,
    bare: OutOfFold,
    graph_weight: float | None = None,
    energy_deviation: float = USUAL_ENERGY_DEVIATION,
) -> dict[str, Calibration]:
    """One calibration for each kind of input. Kinds with too few rows of their own borrow all rows."""
    deviation = {"energy_deviation": energy_deviation}
    chosen = {"composition": calibrate(bare, np.arange(len(bare.label)), graph_weight, **deviation)}
    for path in ("structure", "cell"):
        rows = np.flatnonzero(whole.path == path)
        rows = rows if len(rows) >= FEWEST else np.arange(len(whole.label))
        chosen[path] = calibrate(whole, rows, graph_weight, **deviation)
    return chosen


NEAR = 15.0  # K: a usual activation energy then moves a label by 0.3 decades, less than laboratories differ
FEWEST = 30  # residuals: with fewer, the 90 % quantile is one of the three largest and means little


def summary(oof: OutOfFold) -> dict:
    """Out-of-fold scores of the champion, the graph ensemble alone and the forest alone, over all rows and by path."""
    honest, graph = nested(oof), nested(oof, 1.0)
    table: dict = {}
    for name, location, half in (
        ("champion", honest.location, honest.half_width),
        ("graph_only", graph.location, graph.half_width),
        ("forest_only", oof.forest, None),
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
    graph_only = calibrations(whole, bare, 1.0, energy["rmse_eV"])
    return {
        "task": "log10 ionic conductivity (S/cm) and activation energy (eV) of lithium electrolytes",
        "trained_on": data.description,
        "rows": len(data.main) + len(data.extra),
        "data_sha256": {"main": content_hash(data.main), "extra": content_hash(data.extra)},
        "split": f"{config.folds}-fold cross-validation of the main rows, grouped by DOI, seed {config.seed}",
        "metrics_out_of_fold": {"as given": summary(whole), "formula only": summary(bare)},
        "activation_energy_out_of_fold": energy,
        "intervals": "conformal, calibrated on all out-of-fold residuals of the grouped cross-validation (pooled)",
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
            "to be poor. Activation energies rest on the few papers of the embedded set that state one."
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


def _record(predictor: ConductivityPredictor, oof: OutOfFold, output: Path | None) -> None:
    honest = nested(oof)
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


def _flat(config: ConductivityConfig) -> dict:
    values = config.model_dump()
    network: Sequence = list(values.pop("network").items())
    return values | {f"network.{name}": value for name, value in network}
