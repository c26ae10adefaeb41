"""A Gaussian process of ionic conduction: log10 σ at any temperature and the activation energy, with their variances.

Two latent functions of the material: g = log10(σ / S cm⁻¹) at 298.15 K, and the activation energy
h = h₀ − γ (g − g₀) + r, since good conductors have low barriers. Between them stands the Arrhenius law,
log10 σ(T) = g − β(T) h + log10(298.15 / T). All three kinds of label (σ near room temperature, σ at other temperatures,
Ea) are linear in g and h, so one exact Bayesian regression learns from all of them (Rasmussen & Williams, Gaussian
Processes for Machine Learning, 2006, ch. 2).

Kernels are sums of exponential (Matérn-½) kernels over blocks of features, each spanned by centres found by clustering
(Nyström; Williams & Seeger, NIPS 2000). What is stored are centres and weights; the training rows are not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ionscout.models import arrhenius
from ionscout.models.conductivity.features import Features

JITTER = 1e-6  # on kernels between centres, so that two that coincide do no harm


@dataclass(frozen=True)
class Block:
    """The kernel over one block of features, written as a finite basis.

    Attributes:
        name: of the block in `Features`.
        amplitude: prior variance that this block explains.
        offset [d], projection [d, k]: z = (x − offset) @ projection; unit distance in z is one length scale.
        centres [m, k]: where the basis functions sit. root [m, m]: inverse Cholesky factor of their kernel.
    """

    name: str
    amplitude: float
    offset: np.ndarray
    projection: np.ndarray
    centres: np.ndarray
    root: np.ndarray

    def basis(self, features: Features) -> tuple[np.ndarray, np.ndarray]:
        """Basis functions [n, m] and what they miss of the prior variance [n]; both 0 where the block is unknown."""
        z, known = self.coordinates(features)
        phi = np.sqrt(self.amplitude) * kernel(z, self.centres) @ self.root * known[:, None]
        return phi, np.maximum(0.0, self.amplitude * known - (phi**2).sum(1))

    def coordinates(self, features: Features) -> tuple[np.ndarray, np.ndarray]:
        """Scaled features [n, k] and whether they are known [n]; single unknown entries take the middle value."""
        values = features[self.name]
        known = np.isfinite(values).any(1)
        centred = np.where(np.isfinite(values), values - self.offset, 0.0)
        return np.clip(centred @ self.projection, -REACH, REACH), known


REACH = 20.0  # length scales: beyond, everything is equally far


def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """exp(−|a − b|) for every pair, [n, m]."""
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.exp(-np.sqrt(np.maximum(squared, 1e-12)))


@dataclass(frozen=True)
class Design:
    """Rows of the linear model for n materials: the mean of a label is `matrix @ weights` plus its prior mean.

    `missed` [n] is the prior variance outside the basis.
    """

    matrix: np.ndarray
    missed: np.ndarray


@dataclass(frozen=True)
class ProcessOutput:
    """For n materials: log10 σ at the temperature asked for, Ea (eV), and the variances of both [n]."""

    location: np.ndarray
    variance: np.ndarray
    energy: np.ndarray
    energy_variance: np.ndarray


@dataclass(frozen=True)
class ConductionProcess:
    """A fitted process; `training.gaussian_process.fit_process` makes it.

    Attributes:
        location_blocks, energy_blocks: kernels of g and of r.
        location_mean, energy_mean, slope: prior means g₀ (decades), h₀ (eV) and γ (eV per decade).
        weights [D]: posterior mean of the weights. root [D, D]: the posterior covariance is root.T @ root.
        error_weights [m]: of the basis of g, for the log of the error to be expected beyond the posterior.
        noise, energy_noise: standard deviations of labels.
    """

    location_blocks: tuple[Block, ...]
    energy_blocks: tuple[Block, ...]
    location_mean: float
    energy_mean: float
    slope: float
    weights: np.ndarray
    root: np.ndarray
    error_weights: np.ndarray
    noise: float
    energy_noise: float

    def predict(self, features: Features, temperature_K: float = arrhenius.REFERENCE_TEMPERATURE) -> ProcessOutput:
        """Posterior of the total log10 σ at a temperature and of Ea."""
        n = len(features)
        temperatures, no, yes = np.full(n, temperature_K), np.zeros(n, dtype=bool), np.ones(n, dtype=bool)
        conductivity, energy = (self.design(features, temperatures, no, is_energy) for is_energy in (no, yes))
        beta = arrhenius.inverse_temperature_shift(temperature_K)
        mean = self.location_mean + arrhenius.at_temperature(0.0, self.energy_mean, temperature_K)
        location, variance = self._posterior(conductivity)
        barrier, barrier_variance = self._posterior(energy)
        return ProcessOutput(
            location + mean, variance + (self.energy_noise * beta) ** 2, barrier + self.energy_mean, barrier_variance
        )

    def expected_error(self, features: Features) -> np.ndarray:
        """Typical absolute error [n] (decades) of predictions nearby, learned from publications left out in turn."""
        phi = np.hstack([block.basis(features)[0] for block in self.location_blocks])
        return np.exp(self.error_weights[0] + phi @ self.error_weights[1:])

    def prior_variance(self, features: Features) -> np.ndarray:
        """Variance [n] of log10 σ before any measurement was seen."""
        known = [np.isfinite(features[b.name]).any(1) * b.amplitude for b in self.location_blocks]
        return np.sum(known, axis=0)

    def design(self, features: Features, temperature_K: np.ndarray, bulk: np.ndarray, is_energy: np.ndarray) -> Design:
        """The linear model of labels: log10 σ at each row's temperature, or Ea where `is_energy`; all [n]."""
        beta = arrhenius.inverse_temperature_shift(temperature_K)
        of_g = np.where(is_energy, -self.slope, 1 + beta * self.slope)
        of_r = np.where(is_energy, 1.0, -beta)
        columns, missed = [], np.zeros(len(features))
        for blocks, factor in ((self.location_blocks, of_g), (self.energy_blocks, of_r)):
            for block in blocks:
                phi, rest = block.basis(features)
                columns.append(phi * factor[:, None])
                missed += rest * factor**2
        columns.append(BULK_DEVIATION * (bulk & ~is_energy)[:, None])
        return Design(np.hstack(columns), missed)

    def _posterior(self, design: Design) -> tuple[np.ndarray, np.ndarray]:
        spread = ((design.matrix @ self.root.T) ** 2).sum(1)
        return design.matrix @ self.weights, spread + design.missed

    def arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """Named arrays for a safetensors file; scalars are part of `settings`."""
        named = {"weights": self.weights, "root": self.root, "error_weights": self.error_weights}
        for kind, blocks in (("g", self.location_blocks), ("r", self.energy_blocks)):
            for block in blocks:
                for part in _PARTS:
                    named[f"{kind}.{block.name}.{part}"] = getattr(block, part)
        return {f"{prefix}.{name}": value.astype(np.float32) for name, value in named.items()}

    def settings(self) -> dict:
        """Scalars, and the blocks in the order of the weights (so a list), for the model card."""
        return {name: float(getattr(self, name)) for name in _SCALARS} | {
            "g": [{"block": block.name, "amplitude": float(block.amplitude)} for block in self.location_blocks],
            "r": [{"block": block.name, "amplitude": float(block.amplitude)} for block in self.energy_blocks],
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], settings: Mapping, prefix: str) -> "ConductionProcess":
        """The inverse of `arrays` and `settings`."""

        def blocks(kind: str) -> tuple[Block, ...]:
            named = [(entry["block"], float(entry["amplitude"])) for entry in settings[kind]]
            return tuple(
                Block(name, amplitude, *(_double(arrays[f"{prefix}.{kind}.{name}.{part}"]) for part in _PARTS))
                for name, amplitude in named
            )

        scalars = {name: float(settings[name]) for name in _SCALARS}
        weights, root, errors = (_double(arrays[f"{prefix}.{n}"]) for n in ("weights", "root", "error_weights"))
        return cls(blocks("g"), blocks("r"), weights=weights, root=root, error_weights=errors, **scalars)


# Decades by which rows that say they are bulk ones may lie above total ones. It keeps them from pulling the total up;
# it is no answer about bulk conductivity, since those rows are mostly poor conductors (see `kinds.BulkShift`).
BULK_DEVIATION = 0.5
_PARTS: Sequence[str] = ("offset", "projection", "centres", "root")
_SCALARS: Sequence[str] = ("location_mean", "energy_mean", "slope", "noise", "energy_noise")


def _double(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.float64)  # one layout, so that sums are the same to the last bit
