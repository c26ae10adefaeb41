"""The fast update: predictions near new observations move towards them at once, without a refit.

A Gaussian process on what the predictor got wrong. The error of the model is correlated between similar compositions,
so an observed residual tells something about the error nearby (kriging of residuals; Rasmussen and Williams, Gaussian
Processes for Machine Learning, 2006, eq. 2.22-2.24). What it is worth and what the constants do is measured in
`benchmarks/fast_update.md`, on families and on publications that a model had not seen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Protocol

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist

from ionscout.datasets.composition import atomic_fractions
from ionscout.datasets.sources.base import Measurement, content_hash
from ionscout.datasets.sources.repeats import conductivities, fraction_matrix, temperatures
from ionscout.datasets.structure import Material
from ionscout.models import arrhenius
from ionscout.models.conductivity.predictor import ConductivityPrediction

# Share of exchanged atoms over which the correlation of two errors falls to 1/e. Twice as much makes intervals near
# observations too narrow (86 instead of 89 % of nominal 90), half as much corrects less of a new family.
LENGTH = 0.1
# Decades. Independent measurements of one composition differ by 0.74 on average and 0.45 in the median; 0.74·√π/2 is
# the normal deviation with that mean. 0.47, which has that median, lets intervals hold 83 instead of 89 %, because
# synthesis and density have long tails.
NOISE = 0.65
# Where the predictor claims to be about as sure as repeats are, this share of its variance is still taken for its own
# error, so that a well-known family listens too. 0.5 corrects no more and costs 1 % of coverage.
LEAST_SHARE = 0.25
# eV: error of a predicted activation energy (0.14 out of fold), by which a value from another temperature is less sure.
ENERGY_DEVIATION = 0.14
ROUNDS = 5  # of looking which upper bounds a prediction breaks; two have been enough


@dataclass(frozen=True)
class Kernel:
    """What the correction assumes; the benchmark varies it.

    Attributes:
        length: share of exchanged atoms. noise: decades. least_share: of the variance. As the constants above.
    """

    length: float = LENGTH
    noise: float = NOISE
    least_share: float = LEAST_SHARE


KERNEL = Kernel()


@dataclass(frozen=True)
class Corrected:
    """Corrected predictions of m materials: log10(σ / S cm⁻¹) and its standard deviation, [m] each."""

    location: np.ndarray
    scale: np.ndarray


class Predictor(Protocol):
    """Anything that predicts conductivity with intervals."""

    def predict(self, materials: Sequence[Material], temperature_K: float = ...) -> list[ConductivityPrediction]: ...


class FastUpdate:
    """The correction that n observations make to any predictor of log10 σ."""

    def __init__(
        self,
        fractions: np.ndarray,
        residual: np.ndarray,
        scale: np.ndarray,
        censored: np.ndarray | None = None,
        extra_noise: np.ndarray | float = 0.0,
        kernel: Kernel = KERNEL,
    ) -> None:
        """Learn from observations.

        Args:
            fractions: atomic fractions of what was observed, [n, 95].
            residual: observed minus predicted log10 σ, [n]; of an upper bound, the bound minus the prediction.
            scale: standard deviation that the predictor stated there, [n].
            censored: which are upper bounds, [n]. They pull predictions down to them and say nothing below.
            extra_noise: decades by which an observation is less sure than usual, [n] or one for all.
        """
        self._kernel, self._fractions = kernel, np.asarray(fractions, dtype=float)
        self._residual, self._error = np.asarray(residual, float), own_error(np.asarray(scale, float), kernel)
        # What the predictor's interval holds beside its own error is noise: the two never add up to more than it.
        self._noise = np.asarray(scale, float) ** 2 - self._error**2 + np.square(extra_noise)
        self._bound = np.zeros(len(residual), dtype=bool) if censored is None else np.asarray(censored, dtype=bool)
        self._used = ~self._bound
        for _ in range(ROUNDS):
            broken = self._bound & ~self._used & (self._shift(self._fractions, self._error) > self._residual)
            if not broken.any():
                break
            self._used = self._used | broken

    def correct(self, fractions: np.ndarray, location: np.ndarray, scale: np.ndarray) -> Corrected:
        """Correct predictions.

        Args:
            fractions: atomic fractions, [m, 95].
            location, scale: predicted log10 σ and its standard deviation, [m].
        """
        location, scale = np.asarray(location, float), np.asarray(scale, float)
        error = own_error(scale, self._kernel)
        known = self._known(fractions, error)
        return Corrected(location + self._shift(fractions, error), np.sqrt(np.maximum(scale**2 - known, 0.0)))

    def covariance(self, fractions: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """What is still unknown about the predictor's errors, [m, m] in decades², measurement noise left out.

        For choosing batches: a second candidate next to the first one has little left to tell.

        Args:
            fractions: atomic fractions, [m, 95].
            scale: predicted standard deviations, before the correction, [m].
        """
        error = own_error(np.asarray(scale, float), self._kernel)
        prior = error[:, None] * error * similarity(fractions, fractions, self._kernel.length)
        measured = ~self._bound
        if not measured.any():
            return prior
        cross = self._between(fractions, error, measured)
        return prior - cross @ self._solve(measured, cross.T)

    def _shift(self, fractions: np.ndarray, error: np.ndarray) -> np.ndarray:
        """Expected error of the predictor, decades [m]."""
        if not self._used.any():
            return np.zeros(len(error))
        return self._between(fractions, error, self._used) @ self._solve(self._used, self._residual[self._used])

    def _known(self, fractions: np.ndarray, error: np.ndarray) -> np.ndarray:
        """Variance that measured values (not bounds) take away, [m]."""
        measured = ~self._bound
        if not measured.any():
            return np.zeros(len(error))
        cross = self._between(fractions, error, measured)
        return np.clip(np.einsum("mn,nm->m", cross, self._solve(measured, cross.T)), 0.0, error**2)

    def _between(self, fractions: np.ndarray, error: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Covariance of the error at m compositions with that at the chosen observations, [m, n]."""
        return error[:, None] * self._error[rows] * similarity(fractions, self._fractions[rows], self._kernel.length)

    def _solve(self, rows: np.ndarray, right: np.ndarray) -> np.ndarray:
        square = self._between(self._fractions[rows], self._error[rows], rows)
        return cho_solve(cho_factor(square + np.diag(self._noise[rows])), right)


class UpdatedPredictor:
    """A predictor with the observations of a laboratory on top; answers in the predictor's own form."""

    def __init__(
        self, predictor: Predictor, observed: Sequence[Measurement], offsets: np.ndarray | float = 0.0
    ) -> None:
        """Compare every observation with the prediction at its own temperature.

        Args:
            observed: rows without a conductivity are left out.
            offsets: decades that were expected of each observation beside the prediction, [n] or one for all.
        """
        self.predictor = predictor
        given = np.array([bool(np.isfinite(m.log10_conductivity)) for m in observed], dtype=bool)
        self.observed = [m for m, kept in zip(observed, given, strict=True) if kept]
        expected = np.broadcast_to(offsets, len(given))[given]
        kelvins = temperatures(self.observed)
        location, scale = np.zeros(len(kelvins)), np.ones(len(kelvins))
        for kelvin in np.unique(kelvins):
            rows = np.flatnonzero(kelvins == kelvin)
            found = predictor.predict([self.observed[i].material() for i in rows], float(kelvin))
            location[rows], scale[rows] = normal_of(found)
        location = location + expected
        self._update = FastUpdate(
            fraction_matrix(self.observed),
            conductivities(self.observed) - location,
            scale,
            np.array([m.censored for m in self.observed], dtype=bool),
            np.array([ENERGY_DEVIATION * arrhenius.inverse_temperature_shift(kelvin) for kelvin in kelvins]),
        )

    @property
    def version(self) -> str:
        """The predictor's version and a digest of the observations."""
        return f"{getattr(self.predictor, 'version', 'untrained')}{self._suffix}"

    @property
    def _suffix(self) -> str:
        return f"+{len(self.observed)}-{content_hash(self.observed)[:8]}" if self.observed else ""

    def belief(
        self, materials: Sequence[Material], predictions: Sequence[ConductivityPrediction]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean [m] and covariance [m, m] of log10 σ without measurement noise, from uncorrected predictions."""
        location, scale = normal_of(predictions)
        fractions = np.stack([atomic_fractions(m.composition) for m in materials])
        return self._update.correct(fractions, location, scale).location, self._update.covariance(fractions, scale)

    def predict(
        self, materials: Sequence[Material], temperature_K: float = arrhenius.REFERENCE_TEMPERATURE
    ) -> list[ConductivityPrediction]:
        """Predict every material at one temperature (K), corrected by the observations."""
        return self.correct(materials, self.predictor.predict(materials, temperature_K))

    def correct(
        self, materials: Sequence[Material], found: list[ConductivityPrediction]
    ) -> list[ConductivityPrediction]:
        """Correct predictions of the predictor underneath, one for each material."""
        if not (found and self.observed):
            return found
        location, scale = normal_of(found)
        new = self._update.correct(np.stack([atomic_fractions(m.composition) for m in materials]), location, scale)
        return [
            self._corrected(prediction, float(old), float(centre), float(deviation))
            for prediction, old, centre, deviation in zip(found, location, new.location, new.scale, strict=True)
        ]

    def _corrected(
        self, found: ConductivityPrediction, old: float, centre: float, scale: float
    ) -> ConductivityPrediction:
        half = scale * _quantile(found.coverage)
        note = (
            (f"Observations of this campaign moved the prediction by {centre - old:+.1f} decades.",)
            if abs(centre - old) >= 0.05
            else ()
        )
        return replace(
            found,
            conductivity=10.0**centre,
            lower=10.0 ** (centre - half),
            upper=10.0 ** (centre + half),
            version=found.version + self._suffix,
            warnings=(*found.warnings, *note),
        )


def similarity(first: np.ndarray, second: np.ndarray, length: float = LENGTH) -> np.ndarray:
    """Correlation of the errors at two sets of compositions, [m, 95] and [n, 95] → [m, n].

    exp(−d / length), d the share of atoms that one has and the other has not: 0 for one composition, 1 where no
    element is shared. Being a product over the elements it is positive definite.
    """
    return np.exp(-cdist(first, second, "cityblock") / (2 * length))


def own_error(scale: np.ndarray, kernel: Kernel = KERNEL) -> np.ndarray:
    """What the predictor can learn about, decades [m]: its standard deviation without the noise of a measurement."""
    return np.sqrt(np.maximum(scale**2 - kernel.noise**2, kernel.least_share * scale**2))


def normal_of(predictions: Sequence[ConductivityPrediction]) -> tuple[np.ndarray, np.ndarray]:
    """Centres of log10 σ [n], and the deviations [n] of normal distributions with the same intervals."""
    centre = np.array([math.log10(p.conductivity) for p in predictions])
    half = np.array([(math.log10(p.upper) - math.log10(p.lower)) / 2 for p in predictions])
    return centre, half / np.array([_quantile(p.coverage) for p in predictions])


def _quantile(coverage: float) -> float:
    return NormalDist().inv_cdf((1 + coverage) / 2)
