"""Grouped cross-validation of the whole predictor, and the calibration that its out-of-fold errors give."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

import numpy as np
import torch

from ionscout.models import arrhenius
from ionscout.models.conductivity.ensemble import ConductivityEnsemble
from ionscout.models.conductivity.forest import FrozenForest
from ionscout.models.conductivity.predictor import Calibration, domain_distances, join, path_of
from ionscout.models.uncertainty import COVERAGE, conformal_factor, nonconformity
from ionscout.training.config import ConductivityConfig
from ionscout.training.examples import Examples, formula_only
from ionscout.training.fit import FittedNetwork, fit_forests, fit_network
from ionscout.training.folds import grouped_folds, publications

DOMAIN_QUANTILE = 0.95  # one in twenty held-out rows counts as unlike the rest; more would cry wolf


USUAL_ENERGY_DEVIATION = 0.15  # eV: spread of Ea within a family, where its error was not measured


@dataclass
class OutOfFold:
    """Predictions for n rows by models that saw no row of their publication.

    `graph`, `deviation`, `energy` [n] come from the ensemble (log10 σ, its standard deviation, Ea in eV), `forest` and
    `tree_variance` [n] from the forest; `distance` [n] is to the nearest training rows of that fold.
    """

    path: np.ndarray
    fold: np.ndarray
    label: np.ndarray
    censored: np.ndarray
    measured_energy: np.ndarray
    graph: np.ndarray
    deviation: np.ndarray
    energy: np.ndarray
    forest: np.ndarray
    tree_variance: np.ndarray
    distance: np.ndarray
    histories: list[list[FittedNetwork]] = field(default_factory=list)

    def joined(self, weight: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Location and scale with this share of the graph ensemble, as the predictor joins them."""
        return join(self.graph, self.deviation, self.forest, self.tree_variance, np.asarray(weight))


def cross_validate(
    examples: Examples,
    config: ConductivityConfig,
    extra: Callable[[Examples], Examples | None] = lambda held_out: None,
    on_fit: Callable[[], None] = lambda: None,
) -> tuple[OutOfFold, OutOfFold]:
    """Predict every row out of fold: as it is, and again as a bare formula.

    Args:
        extra: training rows to add to a fold, given what the fold holds out (so that overlap can be left out).
        on_fit: called after each fitted network.
    """
    splits = grouped_folds(publications(examples.measurements), config.folds, config.seed)
    pieces = []
    for number, (train_rows, test_rows) in enumerate(splits):
        test = examples.rows(test_rows)
        training = examples.rows(train_rows).joined(extra(test))
        ensemble, fits = fit_ensemble(training, config, config.seed + 1000 * (number + 1), on_fit)
        forests = fit_forests(training, config, config.seed)
        bare = formula_only(test, config.network.cutoff)
        references = reference_embeddings(ensemble, training)
        pieces.append(
            [(test_rows, number, fits, _predict(rows, ensemble, forests, references)) for rows in (test, bare)]
        )
    return (
        _assemble(examples, [piece[0] for piece in pieces]),
        _assemble(formula_only(examples, config.network.cutoff), [piece[1] for piece in pieces]),
    )


def fit_ensemble(
    training: Examples, config: ConductivityConfig, seed: int, on_fit: Callable[[], None] = lambda: None
) -> tuple[ConductivityEnsemble, list[FittedNetwork]]:
    """Fit `config.members` networks, side by side in processes of one thread each (or one by one on a GPU)."""
    seeds = [seed + member for member in range(config.members)]
    fits = []
    for fitted in _fits(training, config, seeds):
        fits.append(fitted)
        on_fit()
    ensemble = ConductivityEnsemble(config.network, config.members)
    for network, fitted in zip(ensemble.members, fits, strict=True):
        network.load_state_dict(fitted.state)
    return ensemble.eval(), fits


def _fits(training: Examples, config: ConductivityConfig, seeds: Sequence[int]) -> Iterator[FittedNetwork]:
    if torch.cuda.is_available() or config.workers == 1:
        yield from (fit_network(training, config, seed) for seed in seeds)
        return
    # As bytes: torch would hand every tensor over through a file descriptor of its own and run out of them.
    payload = pickle.dumps((training, config))
    with ProcessPoolExecutor(config.workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        yield from map(pickle.loads, pool.map(_fit_payload, [payload] * len(seeds), seeds))


def _one_thread() -> None:
    torch.set_num_threads(1)  # the processes share the cores; this also makes sums reproducible


def _fit_payload(payload: bytes, seed: int) -> bytes:
    training, config = pickle.loads(payload)
    return pickle.dumps(fit_network(training, config, seed))


def _predict(
    rows: Examples,
    ensemble: ConductivityEnsemble,
    forests: tuple[FrozenForest, FrozenForest],
    references: dict[str, np.ndarray],
) -> dict[str, np.ndarray]:
    output = ensemble.predict(rows.graphs)
    with_cell = np.isfinite(rows.crystal_features).all(1)
    trees = forests[1].predict_trees(rows.composition_features)
    if with_cell.any():
        trees[with_cell] = forests[0].predict_trees(rows.crystal_features[with_cell])
    return {
        "graph": output.location,
        "deviation": output.deviation,
        "energy": arrhenius.activation_energy(output.location, output.prefactor),
        "forest": trees.mean(1),
        "tree_variance": trees.var(1),
        "distance": domain_distances(rows.materials, output.embedding, references),
    }


def reference_embeddings(ensemble: ConductivityEnsemble, training: Examples) -> dict[str, np.ndarray]:
    """Embeddings of the training rows, [n, d] for each view: crystals as crystals, and every row as a bare formula."""
    crystals = [graph for graph, m in zip(training.graphs, training.materials, strict=True) if m.structure is not None]
    bare = ensemble.predict(formula_only(training, ensemble.config.cutoff).graphs).embedding
    return {"structure": ensemble.predict(crystals).embedding if crystals else bare, "composition": bare}


def _assemble(examples: Examples, pieces: list) -> OutOfFold:
    n = len(examples)
    columns = {name: np.full(n, np.nan) for name in pieces[0][3]}
    fold = np.zeros(n, dtype=int)
    for rows, number, _, predicted in pieces:
        fold[rows] = number
        for name, values in predicted.items():
            columns[name][rows] = values
    path = np.array([path_of(m) for m in examples.materials])
    histories = [fits for _, _, fits, _ in pieces]
    return OutOfFold(path, fold, examples.label, examples.censored, examples.energy, histories=histories, **columns)


def calibrate(
    oof: OutOfFold,
    rows: np.ndarray,
    graph_weight: float | None = None,
    coverage: float = COVERAGE,
    energy_deviation: float = USUAL_ENERGY_DEVIATION,
) -> Calibration:
    """Find the conformal factor on the given out-of-fold rows, and the graph ensemble's share unless it is given."""
    label, censored = oof.label[rows], oof.censored[rows]

    def error(share: float) -> float:
        return nonconformity(oof.joined(share)[0][rows], np.ones(len(label)), label, censored).mean()

    share = float(min(np.linspace(0, 1, 11), key=error)) if graph_weight is None else graph_weight
    location, scale = oof.joined(share)
    return Calibration(
        graph_weight=share,
        factor=conformal_factor(nonconformity(location[rows], scale[rows], label, censored), coverage),
        coverage=coverage,
        energy_deviation=energy_deviation,
        domain_distance=float(np.quantile(oof.distance[rows], DOMAIN_QUANTILE)),
    )


@dataclass(frozen=True)
class Honest:
    """Out-of-fold predictions whose weight and interval were calibrated on the other folds: log10 S/cm, [n] each."""

    location: np.ndarray
    half_width: np.ndarray
    in_domain: np.ndarray


def energy_error(oof: OutOfFold) -> np.ndarray:
    """Errors of the activation energy (eV), out of fold, of the rows that have a measured one."""
    error = oof.energy - oof.measured_energy
    return error[np.isfinite(error)]


def nested(oof: OutOfFold, graph_weight: float | None = None) -> Honest:
    """Calibrate each fold on the others, so that no row takes part in choosing its own interval.

    `graph_weight` fixes the share of the graph ensemble (1: graph only); None lets the other folds choose it.
    """
    location, half, inside = (
        np.full(len(oof.label), np.nan),
        np.full(len(oof.label), np.nan),
        np.zeros(len(oof.label), bool),
    )
    for number in np.unique(oof.fold):
        for path in np.unique(oof.path):
            here = (oof.fold == number) & (oof.path == path)
            others = (oof.fold != number) & (oof.path == path)
            if not here.any():
                continue
            calibration = calibrate(oof, np.flatnonzero(others), graph_weight)
            centre, scale = oof.joined(calibration.graph_weight)
            location[here], half[here] = centre[here], calibration.factor * scale[here]
            inside[here] = oof.distance[here] <= calibration.domain_distance
    return Honest(location, half, inside)
