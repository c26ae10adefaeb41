"""Several objectives at once: which candidates push the Pareto front out most, in expectation, noise included.

Noisy expected hypervolume improvement of a batch over a discrete set (Daulton, Balandat, Bakshy, NeurIPS 2021), in the
logarithmic form that does not vanish far from the front (Ament et al., NeurIPS 2023): BoTorch's qLogNEHVI. Objectives
are maximised. BoTorch is imported when it is first needed: it takes a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ionscout.datasets.errors import OutOfRange
from ionscout.training.active.acquisition import widening
from ionscout.training.active.posterior import Posterior

if TYPE_CHECKING:
    from torch import Tensor

SAMPLES = (
    64  # quasi-random draws of the expectation; 256 change no choice on the test problems and take four times longer
)
# Candidates kept for the exact calculation, by the confidence bounds of all objectives: the joint posterior of a batch
# is evaluated for each. Twice as many take twice as long.
SHORTLIST = 256
CHUNK = 64  # rows at once
JITTER = 1e-6  # of the mean variance, so that a batch of near-identical rows can be factorised


def pareto_front(values: np.ndarray) -> np.ndarray:
    """Whether each row of [n, m] is dominated by no other; all objectives are maximised, equal rows stay together."""
    alive = np.argsort(-values.sum(1), kind="stable")  # who dominates has the larger sum, and comes first
    front = np.zeros(len(values), dtype=bool)
    while len(alive):
        row = values[alive[0]]
        equal = (values[alive] == row).all(1)
        front[alive[equal]] = True
        alive = alive[~equal & (values[alive] > row).any(1)]
    return front


def reference_of(values: np.ndarray) -> np.ndarray:
    """The point [m] a tenth of the range below the worst of the front: BoTorch's rule, by Ishibuchi et al. 2011."""
    front = values[pareto_front(values)]
    low, high = front.min(0), front.max(0)
    spread = np.where(high > low, high - low, np.maximum(np.abs(values).max(0), 1.0))
    return low - 0.1 * spread


@dataclass(frozen=True)
class Front:
    """What is measured and what is already in the batch, against which candidates are judged.

    Attributes:
        posteriors: one for each objective (two or more), over the same rows: candidates and measured materials.
        dial: stretches the deviations by β = d / (1 − d), within a thousandth and ten times.
        measured: rows that are measured; their noise is their posterior variance. Without any, the row with the best
            sum of predicted ranks stands in, so that the front has a beginning.
        chosen: rows already in the batch.
        reference: the worst values that count, [m]; by default `reference_of` the measured means.

    Raises:
        OutOfRange: fewer than two objectives, different numbers of rows, a reference of another length.
    """

    posteriors: Sequence[Posterior]
    dial: float
    measured: np.ndarray
    chosen: tuple[int, ...] = ()
    reference: np.ndarray | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        sizes = {len(p) for p in self.posteriors}
        if len(self.posteriors) < 2:
            raise OutOfRange("The hypervolume needs two objectives or more; use ei, ucb or thompson for one.")
        if len(sizes) > 1:
            raise OutOfRange(f"The objectives predict different numbers of candidates: {sorted(sizes)}.")
        if self.reference is not None and self.reference.shape != (len(self.posteriors),):
            raise OutOfRange(f"The reference point needs {len(self.posteriors)} values, one for each objective.")

    def best(self, free: np.ndarray, price: np.ndarray) -> tuple[int, tuple[float, float, float]]:
        """The row of `free` with the largest improvement after its price, and what the improvement is made of.

        Args:
            price: taken off the log of the improvement, by row of the posteriors, [n].

        Returns:
            The row, and (what its mean adds, what its uncertainty adds to that, what the price takes off).
        """
        beta = widening(self.dial)
        free = shortlist(self.posteriors, free, beta)
        gain = self.log_gain(free, beta)
        k = int(np.argmax(gain - price[free]))
        total = float(np.exp(gain[k]))
        sure = float(np.exp(self.log_gain(free[k : k + 1], 0.0)[0]))
        return int(free[k]), (sure, total - sure, total * float(np.expm1(-price[free[k]])))

    def log_gain(self, rows: np.ndarray, beta: float = 1.0) -> np.ndarray:
        """log of the expected hypervolume that each row adds to the front and the chosen part of the batch, [k].

        Deviations are stretched by β; at exactly 0 the smoothed logarithm would be undefined, hence a thousandth.
        """
        import torch
        from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
        from botorch.sampling.normal import SobolQMCNormalSampler

        mean = np.stack([p.mean for p in self.posteriors], axis=1)
        measured = self.measured
        if not len(measured):
            measured = np.array([int(mean.argsort(0).argsort(0).sum(1).argmax())])
        elif len(measured) > len(mean[0]):  # those that hold the front up, also where noise may decide otherwise
            bound = mean + np.stack([p.deviation for p in self.posteriors], axis=1)
            measured = measured[pareto_front(bound[measured]) | pareto_front(mean[measured])]
        reference = reference_of(mean[measured]) if self.reference is None else self.reference
        function = qLogNoisyExpectedHypervolumeImprovement(
            model=_table_model([p.widened(min(max(beta, 1e-3), 10.0)) for p in self.posteriors]),
            ref_point=reference.tolist(),
            X_baseline=_inputs(measured),
            sampler=SobolQMCNormalSampler(torch.Size([SAMPLES]), seed=self.seed),
            X_pending=_inputs(np.array(self.chosen)) if self.chosen else None,
            prune_baseline=False,  # done above
            cache_root=False,  # the root cache wants a fitted GPyTorch model
        )
        with torch.no_grad():
            parts = [function(_inputs(part)[:, None, :]) for part in np.array_split(rows, -(-len(rows) // CHUNK))]
        return torch.cat(parts).numpy()


def shortlist(posteriors: Sequence[Posterior], free: np.ndarray, beta: float, size: int = SHORTLIST) -> np.ndarray:
    """The rows of `free` worth an exact look: fronts of the confidence bounds, peeled until `size` are found."""
    if len(free) <= size:
        return free
    bounds = np.stack([p.mean[free] + min(beta, 3.0) * p.deviation[free] for p in posteriors], axis=1)
    ranks = bounds.argsort(0).argsort(0) / len(free)
    left = np.argsort(-(ranks.max(1) + ranks.mean(1)), kind="stable")[: 4 * size]  # peeling fronts is quadratic
    found: list[int] = []
    while len(left) and len(found) < size:
        front = pareto_front(bounds[left])
        found += left[front].tolist()
        left = left[~front]
    return np.sort(free[found[:size]])


def _inputs(rows: np.ndarray) -> "Tensor":
    import torch

    return torch.as_tensor(rows, dtype=torch.double)[..., None]


def _table_model(posteriors: Sequence[Posterior]):
    """A BoTorch model whose input is a row number [..., q, 1] and whose posterior is looked up."""
    import torch
    from botorch.models.model import Model
    from botorch.posteriors.gpytorch import GPyTorchPosterior
    from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal

    means = [torch.as_tensor(p.mean, dtype=torch.double) for p in posteriors]
    factors = [torch.as_tensor(p.factor, dtype=torch.double) for p in posteriors]
    own = [torch.as_tensor(p.own, dtype=torch.double) for p in posteriors]

    class Table(Model):
        @property
        def num_outputs(self) -> int:
            return len(means)

        @property
        def batch_shape(self):
            return torch.Size([])

        def posterior(self, X, output_indices=None, observation_noise=False, posterior_transform=None):
            index = X[..., 0].round().long()
            normals = []
            same = (index[..., :, None] == index[..., None, :]).double()
            for mean, factor, alone in zip(means, factors, own, strict=True):
                rows = factor[index]
                part = rows @ rows.transpose(-1, -2) + same * alone[index][..., None, :]
                scale = part.diagonal(dim1=-2, dim2=-1).mean(-1).clamp_min(1e-12)
                part = part + JITTER * scale[..., None, None] * torch.eye(index.shape[-1], dtype=torch.double)
                normals.append(MultivariateNormal(mean[index], part))
            return GPyTorchPosterior(MultitaskMultivariateNormal.from_independent_mvns(normals))

    return Table()
