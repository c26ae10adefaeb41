"""Grouped cross-validation of the whole predictor, and the calibration that its out-of-fold errors give."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ionscout.models.conductivity.ensemble import ConductivityEnsemble
from ionscout.models.conductivity.gaussian_process import ConductionProcess
from ionscout.models.conductivity.predictor import Calibration, RawPrediction, join, mixture, raw_prediction
from ionscout.models.uncertainty import COVERAGE, conformal_factor, nonconformity
from ionscout.training.config import ENERGY_RANGE, ConductivityConfig
from ionscout.training.engines import Engine, open_engine
from ionscout.training.ensembles import start_ensemble
from ionscout.training.examples import Examples, formula_only
from ionscout.training.fit import FittedNetwork
from ionscout.training.folds import grouped_folds
from ionscout.training.gaussian_process import fit_processes
from ionscout.training.readings import ReadRows

DOMAIN_QUANTILE = 0.95  # one in twenty held-out rows counts as unlike the rest; more would cry wolf


@dataclass
class OutOfFold:
    """Predictions for n rows by models that saw no row of their publication.

    A row may be read in several ways (`options`, templates of a bare formula): `raw` holds all of them, `owner` [k] the
    row of each and `weight` [k] its share.
    """

    path: np.ndarray
    fold: np.ndarray
    label: np.ndarray
    censored: np.ndarray
    measured_energy: np.ndarray
    raw: RawPrediction
    owner: np.ndarray
    weight: np.ndarray
    histories: list[list[FittedNetwork]] = field(default_factory=list)

    def joined(self, graph_weight: float, rows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Location and scale [n] (decades) with this share of the graph ensemble, as the predictor joins them."""
        wanted = range(len(self.label)) if rows is None else rows
        pairs = [
            join(self.raw, where, self.weight[where], graph_weight) for where in (self.readings_of(i) for i in wanted)
        ]
        return np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])

    def readings_of(self, row: int) -> np.ndarray:
        """Positions in `raw` of one row."""
        return np.flatnonzero(self.owner == row)

    def energies(self) -> tuple[np.ndarray, np.ndarray]:
        """Ea and its expected deviation (eV), [n] each."""
        pairs = []
        for row in range(len(self.label)):
            where = self.readings_of(row)
            pairs.append(mixture(self.raw.energy[where], self.raw.energy_deviation[where], self.weight[where]))
        return np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])

    @property
    def novelty(self) -> np.ndarray:
        """Share of the prior variance that training left, [n]."""
        return np.bincount(self.owner, self.weight * self.raw.novelty, minlength=len(self.label))


def cross_validate(
    examples: Examples,
    config: ConductivityConfig,
    extra: Callable[[Examples], Examples | None] = lambda held_out: None,
    on_fit: Callable[[], None] = lambda: None,
    engine: Engine | None = None,
) -> tuple[OutOfFold, OutOfFold]:
    """Predict every row out of fold: as it is, and again as a bare formula.

    Args:
        extra: training rows to add to a fold, given what the fold holds out (so that overlap can be left out).
        on_fit: called after each fitted network.
        engine: where the networks are fitted, of all folds side by side; None: in `config.workers` processes.
    """
    if engine is None:
        with open_engine("local", config.workers) as local:
            return cross_validate(examples, config, extra, on_fit, local)
    cutoff = config.network.cutoff
    as_given, bare = examples.materials, formula_only(examples.materials)
    tested = [ReadRows.of(examples, materials, cutoff) for materials in (as_given, bare)]
    pieces: list[list[tuple[np.ndarray, RawPrediction]]] = [[], []]
    fold, histories = np.zeros(len(examples), dtype=int), []
    started = []
    for number, (train_rows, test_rows) in enumerate(grouped_folds(examples.groups, config.folds, config.seed)):
        fold[test_rows] = number
        training = examples.rows(train_rows).joined(extra(examples.rows(test_rows)))
        seed = config.seed + 1000 * (number + 1)
        started.append((test_rows, training, start_ensemble(training.labelled(), config, seed, engine, on_fit)))
    for test_rows, training, networks in started:
        processes = fit_processes(training, config.process, config.seed)
        ensemble, fits = networks.result()
        histories.append(fits)
        for found, read in zip(pieces, tested, strict=True):
            where = read.of_rows(test_rows)
            found.append((where, _predict(read.options.rows(where), ensemble, processes)))
    return tuple(  # type: ignore[return-value]
        OutOfFold(
            read.path,
            fold,
            examples.label,
            examples.censored,
            examples.energy,
            _assemble(found),
            read.owner,
            read.weight,
            histories,
        )
        for found, read in zip(pieces, tested, strict=True)
    )


def _predict(rows: Examples, ensemble: ConductivityEnsemble, processes: dict[str, ConductionProcess]) -> RawPrediction:
    return raw_prediction(ensemble.predict(rows.graphs).location, processes, rows.materials, rows.features)


def _assemble(pieces: Sequence[tuple[np.ndarray, RawPrediction]]) -> RawPrediction:
    order = np.argsort(np.concatenate([where for where, _ in pieces]))
    names = RawPrediction.__dataclass_fields__
    return RawPrediction(**{name: np.concatenate([getattr(raw, name) for _, raw in pieces])[order] for name in names})


def calibrate(
    oof: OutOfFold, rows: np.ndarray, graph_weight: float | None = None, coverage: float = COVERAGE
) -> Calibration:
    """Find the conformal factor on the given out-of-fold rows, and the graph ensemble's share unless it is given."""
    label, censored = oof.label[rows], oof.censored[rows]

    def error(share: float) -> float:
        return nonconformity(oof.joined(share, rows)[0], np.ones(len(label)), label, censored).mean()

    share = float(min(np.linspace(0, 1, 11), key=error)) if graph_weight is None else graph_weight
    location, scale = oof.joined(share, rows)
    return Calibration(
        graph_weight=share,
        factor=conformal_factor(nonconformity(location, scale, label, censored), coverage),
        coverage=coverage,
        energy_factor=energy_factor(oof),
        domain_novelty=float(np.quantile(oof.novelty[rows], DOMAIN_QUANTILE)),
    )


def energy_factor(oof: OutOfFold) -> float:
    """Root mean square of the out-of-fold errors of Ea in units of what was expected; 1 where none was measured."""
    value, deviation = oof.energies()
    scaled = ((value - oof.measured_energy) / deviation)[believable(oof)]
    return float(np.sqrt(np.mean(scaled**2))) if len(scaled) >= FEWEST_ENERGIES else 1.0


def energy_error(oof: OutOfFold) -> np.ndarray:
    """Errors of the activation energy (eV), out of fold, of the rows that have a believable measured one."""
    return (oof.energies()[0] - oof.measured_energy)[believable(oof)]


def believable(oof: OutOfFold) -> np.ndarray:
    """Which rows [n] have a measured activation energy in `ENERGY_RANGE`."""
    low, high = ENERGY_RANGE
    return (oof.measured_energy >= low) & (oof.measured_energy <= high)


FEWEST_ENERGIES = 20


@dataclass(frozen=True)
class Honest:
    """Out-of-fold predictions whose weight and interval were calibrated on the other folds: log10 S/cm, [n] each."""

    location: np.ndarray
    half_width: np.ndarray
    in_domain: np.ndarray


def nested(oof: OutOfFold, graph_weight: float | None = None) -> Honest:
    """Calibrate each fold on the others, so that no row takes part in choosing its own interval.

    `graph_weight` fixes the share of the graph ensemble (1: graph only); None lets the other folds choose it.
    """
    n = len(oof.label)
    location, half, inside = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, bool)
    for number in np.unique(oof.fold):
        for path in np.unique(oof.path):
            here = np.flatnonzero((oof.fold == number) & (oof.path == path))
            others = np.flatnonzero((oof.fold != number) & (oof.path == path))
            if not len(here):
                continue
            calibration = calibrate(
                oof, others if len(others) >= FEWEST else np.flatnonzero(oof.fold != number), graph_weight
            )
            centre, scale = oof.joined(calibration.graph_weight, here)
            location[here], half[here] = centre, calibration.factor * scale
            inside[here] = oof.novelty[here] <= calibration.domain_novelty
    return Honest(location, half, inside)


FEWEST = 30  # residuals: with fewer, the 90 % quantile is one of the three largest and means little
