"""Fit the Gaussian process of conduction: clustered centres, weights in closed form, errors by leaving papers out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from ionscout.models import arrhenius
from ionscout.models.conductivity.features import Features
from ionscout.models.conductivity.gaussian_process import JITTER, Block, ConductionProcess, kernel
from ionscout.training.borrowing import with_borrowed_environments
from ionscout.training.config import BlockConfig, ProcessConfig
from ionscout.training.examples import Examples

# What each view of a material knows; a process is fitted for each, since one that misses a block it was fitted with
# predicts worse than one that never had it (formula alone: 1.49 against 1.36 decades, protocol P).
BLOCKS: dict[str, tuple[str, ...]] = {
    "structure": ("embedding", "fractions", "cell", "environment"),
    "cell": ("embedding", "fractions", "cell"),
    "composition": ("embedding", "fractions"),
}


def fit_processes(examples: Examples, config: ProcessConfig, seed: int) -> dict[str, ConductionProcess]:
    """One process a view; rows with a cell but no atoms borrow the environments of a template from the other rows."""
    completed = with_borrowed_environments(examples)
    return {view: fit_process(completed, config, blocks, seed) for view, blocks in BLOCKS.items()}


def fit_process(examples: Examples, config: ProcessConfig, names: Sequence[str], seed: int) -> ConductionProcess:
    """Fit one process on every label of the rows: σ at any temperature (bounds one decade lower), and Ea.

    Args:
        names: blocks of features that its kernels read; `config.location` has a kernel for each.
    """
    features = examples.features
    g = tuple(_block(features, name, config.location[name], seed) for name in names)
    r = tuple(_block(features, name, config.barrier[name], seed) for name in names if name in config.barrier)
    nothing = np.zeros(0)
    empty = ConductionProcess(
        g,
        r,
        location_mean=config.location_mean,
        energy_mean=config.energy_mean,
        slope=config.slope,
        weights=nothing,
        root=nothing,
        error_weights=nothing,
        noise=config.noise,
        energy_noise=config.energy_noise,
    )
    labels = _labels(examples, config)
    design = empty.design(features.rows(labels.row), labels.temperature, labels.bulk, labels.is_energy)
    whitened = design.matrix / labels.noise[:, None]
    target = (labels.value - labels.prior_mean) / labels.noise
    precision = whitened.T @ whitened + np.eye(whitened.shape[1])
    root = np.linalg.inv(np.linalg.cholesky(precision))
    weights = root.T @ (root @ (whitened.T @ target))
    residual = _left_out(whitened, target, root, weights, examples.groups[labels.row]) * labels.noise
    basis = np.hstack([block.basis(features)[0] for block in g])
    error_weights = _expected_error(basis, residual, labels, examples.censored)
    fitted = replace(empty, weights=weights, root=root, error_weights=error_weights)
    return ConductionProcess.from_arrays(fitted.arrays("p"), fitted.settings(), "p")  # in the precision it is stored in


@dataclass(frozen=True)
class _Labels:
    """All labels of all rows, [k] each; a row with σ and Ea appears twice. `row` is its number."""

    row: np.ndarray
    is_energy: np.ndarray
    value: np.ndarray
    prior_mean: np.ndarray
    temperature: np.ndarray
    bulk: np.ndarray
    noise: np.ndarray


def _labels(examples: Examples, config: ProcessConfig) -> _Labels:
    measured = np.flatnonzero(np.isfinite(examples.log_conductivity))
    low, high = config.energy_range
    with_energy = np.flatnonzero((examples.energy >= low) & (examples.energy <= high))  # false for NaN
    row = np.concatenate([measured, with_energy])
    is_energy = np.arange(len(row)) >= len(measured)
    temperature = examples.temperature[row]
    beta = arrhenius.inverse_temperature_shift(temperature)
    bounded = examples.log_conductivity - config.censored_offset * examples.censored
    shift = arrhenius.at_temperature(0.0, config.energy_mean, temperature)
    return _Labels(
        row,
        is_energy,
        np.where(is_energy, examples.energy[row], bounded[row]),
        np.where(is_energy, config.energy_mean, config.location_mean + shift),
        temperature,
        examples.bulk[row],
        np.where(is_energy, config.energy_noise, np.hypot(config.noise, config.energy_noise * beta)),
    )


def _block(features: Features, name: str, config: BlockConfig, seed: int) -> Block:
    """Scale a block and spread its centres over the rows that know it."""
    values = features[name]
    values = values[np.isfinite(values).any(1)]
    offset = np.nanmedian(values, 0) if config.robust else np.nanmean(values, 0)
    centred = np.where(np.isfinite(values), values - offset, 0.0)
    projection = _projection(centred, config)
    z = centred @ projection
    different = np.unique(z.round(6), axis=0)
    count = min(config.centres, len(different))
    centres = KMeans(count, n_init=1, max_iter=20, random_state=seed).fit(z).cluster_centers_
    root = np.linalg.inv(np.linalg.cholesky(kernel(centres, centres) + JITTER * np.eye(count))).T
    return Block(name, config.amplitude, offset, projection, centres, root)


def _projection(centred: np.ndarray, config: BlockConfig) -> np.ndarray:
    """Diagonal with one length a column, or principal axes where the lengths are in units of the first one."""
    if config.components:
        scale = centred.std(0)
        scale[scale < 1e-6] = 1.0
        pca = PCA(min(config.components, *centred.shape), random_state=0).fit(centred / scale)
        first = np.sqrt(pca.explained_variance_[0])
        return pca.components_.T / scale[:, None] / first / config.length[0]
    if config.robust:
        low, high = np.percentile(centred, [10, 90], axis=0)
        return np.diag(1 / (np.maximum((high - low) / 2, 1e-3) * config.length[0]))
    lengths = np.array(config.length) if len(config.length) > 1 else np.full(centred.shape[1], config.length[0])
    return np.diag(1 / lengths)


def _left_out(
    whitened: np.ndarray, target: np.ndarray, root: np.ndarray, weights: np.ndarray, groups: np.ndarray
) -> np.ndarray:
    """Residuals [k] that each label would have if its whole publication had been left out: (I − H_BB)⁻¹ r_B."""
    residual = target - whitened @ weights
    half = whitened @ root.T
    out = np.empty_like(residual)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        leverage = half[rows] @ half[rows].T
        out[rows] = np.linalg.solve(np.eye(len(rows)) * (1 + 1e-9) - leverage, residual[rows])
    return out


def _expected_error(basis: np.ndarray, residual: np.ndarray, labels: _Labels, censored: np.ndarray) -> np.ndarray:
    """Ridge regression of log |residual| on the basis: the typical error near a material, [1 + m] weights."""
    seen = ~labels.is_energy & ~censored[labels.row]
    size = np.log(np.hypot(residual[seen], SMALLEST_ERROR))
    phi = basis[labels.row[seen]] * ERROR_SPREAD
    mean = size.mean()
    gram = phi.T @ phi + np.eye(phi.shape[1]) * LOG_ERROR_NOISE**2
    return np.concatenate([[mean], ERROR_SPREAD * np.linalg.solve(gram, phi.T @ (size - mean))])


SMALLEST_ERROR = 0.2  # decades: laboratories differ by more, so a smaller residual is luck and its log means nothing
LOG_ERROR_NOISE = 0.8  # the log of one absolute residual scatters by this much around its expectation
ERROR_SPREAD = 0.25  # prior: a part of the basis changes the expected error by this factor's log
