"""The model inside a loop: an exact Gaussian process over a fixed table of materials, refitted in milliseconds.

Three kernels on composition and, where known, the published cell. Bounds such as `<1E-10` enter as bounds. Why these
kernels is in benchmarks/active_learning.md: descriptors of the elements and the embedding of the energy network were
tried beside the atomic fractions and did not help; the marginal likelihood gives them no weight.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pymatgen.core import Composition, Lattice
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.stats import norm

from ionscout.datasets.composition import atomic_fractions
from ionscout.datasets.errors import OutOfRange
from ionscout.datasets.structure import ConventionalCell
from ionscout.training.active.posterior import Posterior
from ionscout.training.active.prior import prior_score

CENTRE = -6.0  # log10(σ / S cm⁻¹) of a material of which nothing is known, between good conductors and insulators
# Variances in decades² of what a material shares with others of like composition, of like composition and cell, and of
# like cell; and the variance of a measurement. Round numbers for a start without labels: repeats of a composition
# differ by 0.5 decades, conductivities by 2 to 3. With labels at hand `tuned` replaces them.
AMPLITUDES = (1.5, 4.0, 2.0)
NOISE = 0.25
TUNING_SPREAD = 1.0  # standard deviation of the log of each variance about its start: tuning moves it by e, not by e³
LABELS_TO_TUNE = 50  # fewer say little about four variances
BOUND_STEPS = 4  # of the iteration for upper bounds; the fifth moves no latent value by more than 0.05


@dataclass(frozen=True)
class Surrogate:
    """Kernels of n materials; rows are chosen by number.

    Attributes:
        parts: unit kernels, [k, n, n].
        mean: expectation before any label, [n], log10(σ / S cm⁻¹).
        amplitudes: variance of each part, [k], decades².
        noise: variance of one measurement, decades².
    """

    parts: np.ndarray
    mean: np.ndarray
    amplitudes: tuple[float, ...]
    noise: float

    def tuned(self, rows: np.ndarray, values: np.ndarray, censored: np.ndarray) -> "Surrogate":
        """The same with variances of the largest marginal likelihood of the given labels, near the present ones.

        Fewer than 50 labels leave everything as it is. Bounds count as values one decade below them.
        """
        if len(rows) < LABELS_TO_TUNE:
            return self
        start = np.log([*self.amplitudes, self.noise])
        parts = self.parts[:, rows][:, :, rows]
        labels = values - censored - self.mean[rows]
        found = minimize(_negative_log_likelihood, start, (parts, labels, start), jac=True, method="L-BFGS-B",
                         options={"maxiter": 20})  # fmt: skip
        *amplitudes, noise = np.exp(found.x)
        return replace(self, amplitudes=tuple(amplitudes), noise=float(noise))

    def posterior(self, targets: np.ndarray, rows: np.ndarray, values: np.ndarray, censored: np.ndarray) -> Posterior:
        """Belief about some rows given labels of others.

        An upper bound is replaced by its expectation below the bound under the prediction from all other labels, a few
        times over (the usual EM treatment of a Tobit likelihood, with leave-one-out predictions in closed form:
        Rasmussen and Williams 2006, equations 5.10 to 5.12).

        Args:
            targets: rows to predict, [t].
            rows: labelled rows, [m]; one row may carry several labels.
            values: log10(σ / S cm⁻¹), [m]; the bound where `censored`.
            censored: [m].

        Raises:
            OutOfRange: lengths that do not fit, or labels that are not finite.
        """
        if not (len(rows) == len(values) == len(censored)) or not np.isfinite(values).all():
            raise OutOfRange("Every labelled row needs one finite value and one mark for a bound; check the labels.")
        cross = self._kernel(targets, rows)
        own = self._kernel(targets, targets)
        if not len(rows):
            return Posterior.gaussian(self.mean[targets], own)
        inner = cho_factor(self._kernel(rows, rows) + self.noise * np.eye(len(rows)), lower=True)
        latent = values.astype(float)
        if censored.any():
            inverse = cho_solve(inner, np.eye(len(rows)))
            deviation = 1.0 / np.sqrt(np.diag(inverse))
            for _ in range(BOUND_STEPS):
                others = latent - (inverse @ (latent - self.mean[rows])) * deviation**2
                latent = np.where(censored, _below(others, deviation, values), values)
        mean = self.mean[targets] + cross @ cho_solve(inner, latent - self.mean[rows])
        return Posterior.gaussian(mean, own - cross @ cho_solve(inner, cross.T))

    def _kernel(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.tensordot(self.amplitudes, self.parts[:, left][:, :, right], axes=1)


def surrogate(
    compositions: Sequence[Composition],
    cells: Sequence[ConventionalCell | None] | None = None,
    prior_weight: float = 1.0,
) -> Surrogate:
    """Build the kernels of a table of materials: measured ones and candidates together.

    Composition: exp(−d / ℓ) with the summed differences of atomic fractions. Cell: the same over volume per atom,
    lithium density, space group number, lengths and angles, standardised; an unknown cell is the mean one. Distances
    are in units of their median over the table. A table without any cell has the composition kernel alone.

    Args:
        cells: published cells, None where unknown.
        prior_weight: decades for each standard deviation of `prior_score`; 0 for a constant mean, which does better
            once labels of other families are there (the prior tells families apart, not members of one).

    Raises:
        OutOfRange: an empty table, or lists of different lengths.
    """
    if not len(compositions) or (cells is not None and len(cells) != len(compositions)):
        raise OutOfRange(f"{len(compositions)} materials came with {len(cells or [])} cells; give one for each.")
    fractions = np.stack([atomic_fractions(c) for c in compositions])
    near = _scaled(np.stack([np.abs(fractions - row).sum(1) for row in fractions]))
    mean = CENTRE + prior_weight * prior_score(compositions)
    if cells is None or all(cell is None for cell in cells):
        return Surrogate(np.exp(-near / 0.7)[None], mean, (sum(AMPLITUDES),), NOISE)
    shape = cell_descriptors(fractions[:, 3], cells)
    alike = _scaled(np.stack([np.sqrt(((shape - row) ** 2).sum(1)) for row in shape]))
    # A short length for composition alone, a longer one where the cell has to agree as well.
    parts = np.stack([np.exp(-near / 0.7), np.exp(-near / 1.5 - alike), np.exp(-alike)])
    return Surrogate(parts, mean, AMPLITUDES, NOISE)


def cell_descriptors(lithium: np.ndarray, cells: Sequence[ConventionalCell | None]) -> np.ndarray:
    """Volume per atom, lithium per volume, space group and lattice parameters, standardised, [n, 9].

    Args:
        lithium: atomic fraction of lithium, [n].
    """
    raw = np.full((len(cells), 9), np.nan)
    for row, share, cell in zip(raw, lithium, cells, strict=True):
        if cell is not None:
            volume = Lattice.from_parameters(*cell.lattice).volume / cell.atoms
            row[:] = [volume, share / volume, cell.space_group, *cell.lattice]
    known = ~np.isnan(raw[:, 0])
    spread = raw[known].std(0)
    return np.nan_to_num((raw - raw[known].mean(0)) / np.where(spread > 0, spread, 1.0))


def _scaled(distance: np.ndarray) -> np.ndarray:
    """Distances in units of the median between different rows."""
    above = distance[np.triu_indices(len(distance), 1)]
    middle = float(np.median(above)) if len(above) else 0.0
    return distance / middle if middle > 0 else distance


def _below(mean: np.ndarray, deviation: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Expectation of a Gaussian that is known to lie below a bound."""
    u = np.clip((bound - mean) / deviation, -30.0, 30.0)
    return mean - deviation * np.exp(norm.logpdf(u) - norm.logcdf(u))


def _negative_log_likelihood(
    log_variances: np.ndarray, parts: np.ndarray, labels: np.ndarray, start: np.ndarray
) -> tuple[float, np.ndarray]:
    """Of the labels about a constant that is fitted along, with its gradient; plus a Gaussian about the start."""
    *amplitudes, noise = np.exp(log_variances)
    inner = np.tensordot(amplitudes, parts, axes=1) + noise * np.eye(len(labels))
    factor = cho_factor(inner, lower=True)
    inverse = cho_solve(factor, np.eye(len(labels)))
    weights = inverse.sum(1)
    labels = labels - (weights @ labels) / weights.sum()
    solved = inverse @ labels
    away = (log_variances - start) / TUNING_SPREAD
    value = 0.5 * labels @ solved + np.log(np.diag(factor[0])).sum() + 0.5 * away @ away
    slopes = [a * ((inverse * part).sum() - solved @ part @ solved) for a, part in zip(amplitudes, parts, strict=True)]
    slopes.append(noise * (np.trace(inverse) - solved @ solved))
    return float(value), 0.5 * np.array(slopes) + away / TUNING_SPREAD
