"""Fit the Gaussian process over graph embeddings: one Cholesky decomposition, a second on one core."""

import numpy as np
import torch

from ionscout.datasets.errors import BadData
from ionscout.models.conductivity.graph_process import (
    GraphProcess,
    KernelConfig,
    ProcessInputs,
    scaled,
    scaling,
)

# Decades below its bound at which a `<1E-10` label is put. At 0 all protocols lose a little of the ranking, at 2.5 and
# more the error under B rises by 5 % and that under P hardly falls.
CENSORED_OFFSET = 1.0


def fit_conductivity(
    inputs: ProcessInputs, label: np.ndarray, censored: np.ndarray, config: KernelConfig | None = None
) -> GraphProcess:
    """Process of log10 σ₂₉₈; `label` [n] holds the bound where `censored`."""
    return fit_process(inputs, np.where(censored, label - CENSORED_OFFSET, label), config)


def fit_process(inputs: ProcessInputs, label: np.ndarray, config: KernelConfig | None = None) -> GraphProcess:
    """Process of any label [n]; rows with NaN are left out.

    The scale of its deviations is the one at which leave-one-out errors have the variance they claim
    (Rasmussen & Williams, Gaussian Processes for Machine Learning, eqs. 5.10–5.12).

    Raises:
        BadData: fewer than three rows have a label.
    """
    known = np.isfinite(label)
    if known.sum() < 3:
        raise BadData(f"{known.sum()} labels are too few to fit a conductivity process; bring more data.")
    inputs, label = inputs.rows(known), label[known]
    config = config or KernelConfig()
    centre, width = scaling(inputs)
    rows = scaled(inputs, centre, width)
    nothing = torch.zeros(1, dtype=torch.float64)
    names = ("composition", "symmetry", "symmetry_known", "crystal", "crystal_known")
    arrays = {name: value.numpy() for name, value in zip(names, rows, strict=True)}
    arrays |= {"centre": centre, "width": width, "mean": np.median(label)}
    arrays |= {name: nothing.numpy() for name in ("inverse", "weights", "scale")}
    kernel = GraphProcess(config, arrays).covariance(rows, rows)
    noisy = kernel + config.noise * torch.eye(len(label), dtype=torch.float64)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(noisy))
    weights = inverse @ torch.as_tensor(label - np.median(label), dtype=torch.float64)
    left_out = weights / inverse.diagonal()  # error of each row predicted from all others
    scale = (left_out**2 * inverse.diagonal()).mean().sqrt()
    return GraphProcess(
        config, arrays | {"inverse": inverse.numpy(), "weights": weights.numpy(), "scale": scale.numpy()}
    )
