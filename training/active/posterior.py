"""What a model believes about a set of candidates: a joint Gaussian, small enough for tens of thousands of them."""

from dataclasses import dataclass

import numpy as np

from ionscout.datasets.errors import OutOfRange

# Negative eigenvalues of a covariance beyond this share of the largest are a mistake of the caller, not rounding.
ROUNDING = 1e-6
LIFT = 1e-10  # of the largest variance, on the diagonal: lets twins be factorised, and is far below any noise


@dataclass(frozen=True)
class Posterior:
    """Belief about n candidates in the unit of the objective, for instance log10(σ / S cm⁻¹).

    The covariance, without measurement noise, is `factor @ factor.T + diag(own)`. It is never built for all
    candidates: 30,000 of them would need 7 GB.

    Attributes:
        mean: [n].
        factor: what candidates share, [n, r].
        own: variance that a candidate shares with no other, [n].

    Raises:
        OutOfRange: no candidates, shapes that do not fit, NaN, infinity or a negative variance.
    """

    mean: np.ndarray
    factor: np.ndarray
    own: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.mean)
        if n == 0:
            raise OutOfRange("There are no candidates to choose from; widen the elements, amounts or constraints.")
        if self.mean.shape != (n,) or self.factor.ndim != 2 or len(self.factor) != n or self.own.shape != (n,):
            raise OutOfRange(
                f"A posterior needs a mean [n], a factor [n, r] and own variances [n]; got {self.mean.shape}, "
                f"{self.factor.shape} and {self.own.shape}."
            )
        good = np.isfinite(self.mean) & np.isfinite(self.factor).all(1) & (self.own >= 0) & np.isfinite(self.own)
        if not good.all():
            raise OutOfRange(
                f"{int((~good).sum())} of {n} candidates have no finite prediction (the first is number "
                f"{int(good.argmin())}); leave them out."
            )

    @classmethod
    def gaussian(cls, mean: np.ndarray, covariance: np.ndarray) -> "Posterior":
        """From a mean [n] and a covariance [n, n], for instance of a Gaussian process.

        Raises:
            OutOfRange: also for a matrix that is no covariance.
        """
        mean, covariance = np.asarray(mean, dtype=float), np.asarray(covariance, dtype=float)
        if covariance.shape != (len(mean), len(mean)):
            raise OutOfRange(f"The covariance of {len(mean)} candidates must be square; got {covariance.shape}.")
        if not np.isfinite(covariance).all():
            return cls(mean, covariance, np.zeros(len(mean)))  # which says which candidate it is
        covariance = (covariance + covariance.T) / 2
        try:  # the usual case, and twenty times faster than the eigenvalues
            lift = LIFT * float(np.abs(np.diag(covariance)).max(initial=0.0)) * np.eye(len(mean))
            return cls(mean, np.linalg.cholesky(covariance + lift), np.zeros(len(mean)))
        except np.linalg.LinAlgError:
            values, vectors = np.linalg.eigh(covariance)
        if len(values) and values[0] < -ROUNDING * max(values[-1], 1.0):
            raise OutOfRange("The matrix given as a covariance has negative eigenvalues; give a covariance.")
        kept = values > 0
        return cls(mean, vectors[:, kept] * np.sqrt(values[kept]), np.zeros(len(mean)))

    @classmethod
    def from_samples(cls, samples: np.ndarray, deviation: np.ndarray | None = None) -> "Posterior":
        """From ensemble or posterior samples [s, n], s ≥ 2.

        Args:
            deviation: calibrated standard deviations [n], at least those of the samples; what they have more than the
                samples belongs to each candidate alone. An ensemble of five is usually too sure of itself.

        Raises:
            OutOfRange.
        """
        samples = np.asarray(samples, dtype=float)
        if samples.ndim != 2 or len(samples) < 2:
            raise OutOfRange(f"Samples must be [s, n] with at least two members; got {samples.shape}.")
        factor = (samples - samples.mean(0)).T / np.sqrt(len(samples) - 1)
        spread = (factor**2).sum(1)
        own = np.zeros(len(spread)) if deviation is None else np.asarray(deviation, dtype=float) ** 2 - spread
        return cls(samples.mean(0), factor, np.where(own < 0, 0.0, own))  # NaN stays and is refused

    @classmethod
    def independent(cls, mean: np.ndarray, deviation: np.ndarray) -> "Posterior":
        """Candidates whose errors have nothing to do with each other: mean and standard deviation, [n] each."""
        mean = np.asarray(mean, dtype=float)
        return cls(mean, np.zeros((len(mean), 0)), np.asarray(deviation, dtype=float) ** 2)

    def __len__(self) -> int:
        return len(self.mean)

    @property
    def deviation(self) -> np.ndarray:
        """Standard deviations [n]."""
        return np.sqrt((self.factor**2).sum(1) + self.own)

    def covariance(self, index: np.ndarray | None = None) -> np.ndarray:
        """The covariance of some of the candidates, [k, k]; of all without an index."""
        index = np.arange(len(self)) if index is None else index
        part = self.factor[index]
        return part @ part.T + np.diag(self.own[index])

    def rows(self, index: np.ndarray) -> "Posterior":
        """The belief about some of the candidates, in the order of the index."""
        return Posterior(self.mean[index], self.factor[index], self.own[index])

    def widened(self, factor: float) -> "Posterior":
        """The same means with all deviations multiplied."""
        return Posterior(self.mean, self.factor * factor, self.own * factor**2)

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Joint samples [count, n]."""
        shared = rng.standard_normal((count, self.factor.shape[1])) @ self.factor.T
        return self.mean + shared + rng.standard_normal((count, len(self))) * np.sqrt(self.own)

    def pending(self, index: int, noise: float) -> "Posterior":
        """The belief of the others while one candidate is measured: means stand, what it will tell is taken off.

        Source: the "kriging believer" of Ginsbourger, Le Riche, Carraro 2010. The covariance loses k kᵀ / (v + noise)
        with k the column and v the variance of the candidate; on the factor this is a step of rank one.

        Args:
            noise: variance of a measurement, > 0.
        """
        row = self.factor[index]
        length = float(row @ row)
        if length == 0.0:
            return self
        share = length / (length + self.own[index] + noise)
        step = (1.0 - np.sqrt(1.0 - share)) / length
        return Posterior(self.mean, self.factor - step * np.outer(self.factor @ row, row), self.own)
