"""How good the energy GNN is: held-out compositions against a forest, the shipped fit, and the learned hull.

`python -m ionscout.training.energy.evaluate` writes `benchmarks/energy.{json,md}`.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pymatgen.core import Composition, Element

from ionscout.datasets.errors import DataUnavailable
from ionscout.datasets.settings import settings
from ionscout.models.energy.network import PROPERTIES
from ionscout.models.energy.predictor import EnergyPredictor, load_predictor
from ionscout.training.benchmarks import interfaces, windows
from ionscout.training.benchmarks.thermo_report import default_folder, write_report
from ionscout.training.benchmarks.thermo_report import table as markdown_table
from ionscout.training.energy.baseline import composition_statistics, fit_forest
from ionscout.training.energy.config import FitConfig, load_config
from ionscout.training.energy.data import CompositionTable, load_table, split_holdout
from ionscout.training.energy.fit import fit_folder
from ionscout.training.energy.ship import read_member

UNITS = ("eV/atom", "eV/atom", "eV", "eV", "log10 GPa", "log10 GPa")


@dataclass(frozen=True)
class HeldOutError:
    """Mean absolute errors of one property on compositions that neither model has seen, in `unit`."""

    property: str
    unit: str
    part: str  # "all", or "battery": compositions of the battery elements alone
    n: int
    network: float
    forest: float


@dataclass(frozen=True)
class FitError:
    """Formation energy of the shipped fit on compositions that it was fitted to, meV/atom."""

    part: str
    n: int
    mae_meV_atom: float
    median_meV_atom: float


@dataclass(frozen=True)
class HullError:
    """Windows and interfaces on one hull against the published values of the reference tables."""

    hull: str
    version: str
    reduction_mae_mV: float | None
    oxidation_median_mV: float | None
    interface_median_meV_atom: float | None
    n: tuple[int, int, int]


@dataclass(frozen=True)
class EnergyReport:
    """Everything; `held_out_fit` is the sha256 of the held-out fit's weights, by which its errors can be kept."""

    version: str
    held_out_fit: str
    held_out: tuple[HeldOutError, ...]
    shipped: tuple[FitError, ...]
    hulls: tuple[HullError, ...]


def held_out_errors(table: CompositionTable, config: FitConfig) -> tuple[HeldOutError, ...]:
    """Errors of the held-out fit and of a forest on the same split.

    Raises:
        DataUnavailable: there is no held-out fit in the home folder.
    """
    members = _held_out_members(table, config)
    test = split_holdout(table, config.holdout_share, config.seed)
    network = _predict(
        EnergyPredictor([read_member(path) for path in members], _symbols(table), "held-out"), table, test
    )
    forest = _forest(table, test, config.seed)
    errors = []
    for k, name in enumerate(PROPERTIES):
        for part, rows in (("all", np.ones(test.sum(), dtype=bool)), ("battery", table.battery[test])):
            target = table.targets[test, k]
            known = rows & np.isfinite(target)
            difference = [np.abs(p[known, k] - target[known]).mean() for p in (network, forest)]
            errors.append(HeldOutError(name, UNITS[k], part, int(known.sum()), *map(float, difference)))
    return tuple(errors)


def shipped_errors(table: CompositionTable, predictor: EnergyPredictor) -> tuple[FitError, ...]:
    """Formation energies of the shipped fit on the compositions that it stores."""
    known = table.known
    error = np.full(len(table), np.nan)
    error[known] = np.abs(_predict(predictor, table, known)[:, 0] - table.targets[known, 0])
    parts = {
        "stable, battery elements": table.stable & table.battery,
        "stable, all elements": table.stable,
        "all, battery elements": known & table.battery,
        "all compositions": known,
    }
    return tuple(
        FitError(name, int(rows.sum()), float(1e3 * error[rows].mean()), float(1e3 * np.median(error[rows])))
        for name, rows in parts.items()
    )


def hull_error(name: str, reference: Path) -> HullError:
    """Score one hull on `windows_*.csv` and `interfaces_*.csv` of a reference folder."""
    limits = windows.run(next(iter(sorted(reference.glob("windows_*.csv")))), name)
    pairs = interfaces.run(next(iter(sorted(reference.glob("interfaces_*.csv")))), name)
    return HullError(
        hull=limits.hull,
        version=limits.hull_version,
        reduction_mae_mV=_milli(limits.reduction.mae_V),
        oxidation_median_mV=_milli(limits.oxidation.median_V),
        interface_median_meV_atom=pairs.median_meV_atom,
        n=(limits.reduction.n, limits.oxidation.n, pairs.n),
    )


def report(reference: Path | None = None, folder: Path | None = None) -> EnergyReport:
    """Run everything and write `energy.{json,md}` (by default into `benchmarks/`).

    The held-out errors, whose forest takes minutes, are kept from the last report while the held-out fit is the same.

    Args:
        reference: folder with the published values; by default `reference/` beside the data folder.
    """
    table, config, predictor = load_table(), load_config(), load_predictor()
    data, folder = settings().data_dir, folder or default_folder()
    reference = reference or (data.parent / "reference" if data else None)
    fit = hashlib.sha256(b"".join(path.read_bytes() for path in _held_out_members(table, config))).hexdigest()
    held_out = _kept(folder / "energy.json", fit) or held_out_errors(table, config)
    hulls = [hull_error(name, reference) for name in ("learned", "mp-2019")] if reference and reference.is_dir() else []
    result = EnergyReport(predictor.version, fit, held_out, shipped_errors(table, predictor), tuple(hulls))
    write_report("energy", asdict(result), markdown(result), folder)
    return result


def _held_out_members(table: CompositionTable, config: FitConfig) -> list[Path]:
    members = sorted(fit_folder(config, table).glob("holdout-?.safetensors"))
    if not members:
        raise DataUnavailable("There is no held-out fit of the energy GNN: run `ionscout train energy` first.")
    return members


def _kept(last: Path, fit: str) -> tuple[HeldOutError, ...] | None:
    """The held-out errors of the last report if they belong to this fit."""
    if not last.is_file():
        return None
    report = json.loads(last.read_text())
    return tuple(HeldOutError(**row) for row in report["held_out"]) if report.get("held_out_fit") == fit else None


def markdown(result: EnergyReport) -> str:
    """The report as a page."""
    held_out = [(e.property, e.part, e.n, f"{e.network:.3f}", f"{e.forest:.3f}", e.unit) for e in result.held_out]
    shipped = [(e.part, e.n, round(e.mae_meV_atom, 1), round(e.median_meV_atom, 1)) for e in result.shipped]
    hulls = [
        (
            h.hull,
            h.version,
            _round(h.reduction_mae_mV),
            _round(h.oxidation_median_mV),
            _round(h.interface_median_meV_atom),
        )
        for h in result.hulls
    ]
    return "\n\n".join(
        [
            "# The energy GNN",
            f"Shipped weights {result.version}. Written by `python -m ionscout.training.energy.evaluate`.",
            "## Compositions that were held out",
            "Mean absolute error of a separate fit (one network), which never saw these compositions, and of a random "
            "forest on statistics of elemental properties with the same split. `battery`: compositions of the battery "
            "elements alone (named in the model card).",
            markdown_table(["property", "part", "n", "energy GNN", "random forest", "unit"], held_out),
            "## Compositions that it was fitted to",
            "Formation energy of the shipped fit: how faithfully it stores the known hull.",
            markdown_table(["part", "n", "mean absolute error (meV/atom)", "median (meV/atom)"], shipped),
            "## The learned hull against published values",
            "Windows and closed interface energies of the reference tables; `mp-2019` is what the network imitates.",
            markdown_table(
                ["hull", "version", "reduction MAE (mV)", "oxidation median (mV)", "interface median (meV/atom)"], hulls
            ),
        ]
    )


def _predict(predictor: EnergyPredictor, table: CompositionTable, rows: np.ndarray) -> np.ndarray:
    compositions = [
        Composition({Element.from_Z(int(z)): float(x) for z, x in zip(zs, xs, strict=True) if z > 0})
        for zs, xs in zip(table.z[rows], table.fraction[rows], strict=True)
    ]
    predicted = predictor.predict(compositions)
    return np.stack([getattr(predicted, name) for name in PROPERTIES], axis=1)


def _forest(table: CompositionTable, test: np.ndarray, seed: int) -> np.ndarray:
    features = composition_statistics(table.z, table.fraction)
    predicted = np.empty((int(test.sum()), len(PROPERTIES)))
    for columns in ([0, 1], [2], [3], [4, 5]):  # properties with the same known rows share one forest
        known = np.isfinite(table.targets[:, columns]).all(1) & ~test
        target = table.targets[known][:, columns]
        fitted = fit_forest(features[known], target if len(columns) > 1 else target[:, 0], seed)
        predicted[:, columns] = fitted.predict(features[test]).reshape(-1, len(columns))
    return predicted


def _symbols(table: CompositionTable) -> list[str]:
    return [Element.from_Z(int(z)).symbol for z in np.unique(table.z) if z > 0]


def _milli(value: float | None) -> float | None:
    return None if value is None else 1000 * value


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


if __name__ == "__main__":
    report()
