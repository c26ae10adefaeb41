"""Gaussian process over graph embeddings: the graph-only conductivity model.

Two graph networks describe a material and neither is trained on conductivities: the composition network (`energy`,
trained on 85,000 formation energies) and the site environments of the crystal. A Gaussian process compares materials
through both and through their space group, so that 1,000 labels only have to say which materials behave alike.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from pymatgen.core import Composition
from torch import Tensor, nn

from ionscout.datasets.errors import BadData
from ionscout.datasets.graph import CrystalData
from ionscout.models.conductivity.site_environments import SIZE, site_environments
from ionscout.models.conductivity.symmetry import SYMMETRY_SIZE, symmetry_features
from ionscout.models.energy import load_predictor

FLAT = 1e-3  # added to a standard deviation: a feature that hardly varies is not blown up


Length = Annotated[float, Field(gt=0)]


class KernelConfig(BaseModel):
    """Shares of the three terms, and how fast each factor forgets. Chosen once on grouped folds.

    All lengths can change by 40 % and the shares by half with less than 1 % of effect on the error. Fitting them anew
    to every training set, by marginal likelihood or leave-publication-out error, was measured to be worse by 2 %.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    composition: float = Field(6.0, ge=0, description="Share of the composition term.")
    composition_symmetry: float = Field(2.0, ge=0, description="Share of composition × space group.")
    symmetry_crystal: float = Field(4.0, ge=0, description="Share of space group × site environments.")
    noise: float = Field(0.54, gt=0, description="Variance of a label on the scale of the shares.")
    lengths: tuple[Length, Length, Length, Length, Length] = Field(
        (1.3, 1.25, 0.85, 1.1, 0.8),
        description="Of composition; composition and symmetry in the second term; symmetry and crystal in the third.",
    )


@dataclass(frozen=True)
class ProcessInputs:
    """What the kernel compares, for n materials.

    `composition` [n, 768], `symmetry` [n, 15], `crystal` [n, 110]; rows whose space group or crystal is not known hold
    zeros there and False in `symmetry_known`, `crystal_known` [n].
    """

    composition: np.ndarray
    symmetry: np.ndarray
    symmetry_known: np.ndarray
    crystal: np.ndarray
    crystal_known: np.ndarray

    def rows(self, index: np.ndarray) -> "ProcessInputs":
        """The rows of an index or mask."""
        return ProcessInputs(*(value[index] for value in vars(self).values()))


@dataclass(frozen=True)
class ProcessOutput:
    """For n materials: the expected label, its standard deviation (label noise included), and `familiarity`, the share
    of the prior variance that the training rows explain: 1 for a training row without noise, 0 for something new."""

    location: np.ndarray
    deviation: np.ndarray
    familiarity: np.ndarray


def process_inputs(
    compositions: Sequence[Composition], graphs: Sequence[CrystalData], space_groups: Sequence[int | None]
) -> ProcessInputs:
    """Embed materials: compositions, graphs of `inputs.graph_of` (placeholders where there is no crystal), and
    international space group numbers (None or 0 where unknown).

    Raises:
        UnsupportedElement: the composition network knows no compound of an element.
    """
    known = np.array([bool(graph.has_structure[0] > 0) for graph in graphs], dtype=bool)
    crystal = np.zeros((len(graphs), SIZE))
    if known.any():
        crystal[known] = site_environments([graph for graph, k in zip(graphs, known, strict=True) if k])
    return ProcessInputs(
        load_predictor().embed(list(compositions)).astype(np.float64),
        np.array([symmetry_features(number) for number in space_groups]).reshape(len(graphs), SYMMETRY_SIZE),
        np.array([bool(number) for number in space_groups], dtype=bool),
        crystal,
        known,
    )


class GraphProcess(nn.Module):
    """A fitted process; make one with `training.fit_graph_process`, or from saved `arrays`."""

    composition: Tensor
    symmetry: Tensor
    symmetry_known: Tensor
    crystal: Tensor
    crystal_known: Tensor
    centre: Tensor
    width: Tensor
    inverse: Tensor
    weights: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, config: KernelConfig, arrays: dict[str, np.ndarray]):
        """Raises BadData when an array is missing."""
        super().__init__()
        self.config = config
        try:
            for name in ARRAYS:
                self.register_buffer(name, torch.as_tensor(np.array(arrays[name]), dtype=torch.float64))
        except KeyError as error:
            raise BadData(f"The weights of the conductivity process lack {error}; train it again.") from None

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything fitted, in float32, for safetensors."""
        return {name: self.get_buffer(name).numpy().astype(np.float32) for name in ARRAYS}

    @torch.inference_mode()
    def predict(self, inputs: ProcessInputs) -> ProcessOutput:
        """Posterior of the label of each material."""
        cross = self.covariance(self._scaled(inputs), self._training())  # [n, training rows]
        prior = self._prior(inputs)
        explained = ((cross @ self.inverse) * cross).sum(1)
        left = (prior - explained).clamp(min=0)
        return ProcessOutput(
            (self.mean + cross @ self.weights).numpy(),
            (self.scale * (left + self.config.noise).sqrt()).numpy(),
            (explained / prior).clamp(0, 1).numpy(),
        )

    def covariance(self, a: tuple[Tensor, ...], b: tuple[Tensor, ...]) -> Tensor:
        """Kernel between two sets of scaled inputs, [n, m]: Matérn 3/2 in every factor; a term that needs what one of
        the two materials does not have is 0."""
        c = self.config
        composition, symmetry, crystal = (_distance(a[k], b[k]) for k in (0, 1, 3))
        both = a[2][:, None] * b[2]
        first, second, group, third, site = c.lengths
        return (
            c.composition * _matern(composition / first)
            + c.composition_symmetry * both * _matern(composition / second) * _matern(symmetry / group)
            + c.symmetry_crystal * both * a[4][:, None] * b[4] * _matern(symmetry / third) * _matern(crystal / site)
        )

    def _prior(self, inputs: ProcessInputs) -> Tensor:
        c, group = self.config, torch.as_tensor(inputs.symmetry_known, dtype=torch.float64)
        crystal = group * torch.as_tensor(inputs.crystal_known, dtype=torch.float64)
        return c.composition + c.composition_symmetry * group + c.symmetry_crystal * crystal

    def _training(self) -> tuple[Tensor, ...]:
        return self.composition, self.symmetry, self.symmetry_known, self.crystal, self.crystal_known

    def _scaled(self, inputs: ProcessInputs) -> tuple[Tensor, ...]:
        return scaled(inputs, self.centre.numpy(), self.width.numpy())


# Training rows (scaled), how they were scaled, K⁻¹, K⁻¹y, the mean of the labels and the standard deviation of a label
# per unit of kernel.
ARRAYS = (
    "composition", "symmetry", "symmetry_known", "crystal", "crystal_known", "centre", "width",
    "inverse", "weights", "mean", "scale",
)  # fmt: skip


def scaling(inputs: ProcessInputs) -> tuple[np.ndarray, np.ndarray]:
    """Centre and width of every feature over the rows where it is known, [893] each; distances in the three blocks are
    then root mean squares over features."""
    blocks = [
        inputs.composition,
        inputs.symmetry[inputs.symmetry_known],
        inputs.crystal[inputs.crystal_known],
    ]
    blocks = [block if len(block) else np.zeros((1, block.shape[1])) for block in blocks]
    width = [(block.std(0) + FLAT) * math.sqrt(block.shape[1]) for block in blocks]
    return np.concatenate([block.mean(0) for block in blocks]), np.concatenate(width)


def scaled(inputs: ProcessInputs, centre: np.ndarray, width: np.ndarray) -> tuple[Tensor, ...]:
    """Composition, symmetry, its mask, crystal, its mask, as the kernel takes them."""
    blocks = (inputs.composition, inputs.symmetry, inputs.crystal)
    ends = np.cumsum([block.shape[1] for block in blocks])[:-1]
    composition, symmetry, crystal = (
        torch.as_tensor((block - c) / w, dtype=torch.float64)
        for block, c, w in zip(blocks, np.split(centre, ends), np.split(width, ends), strict=True)
    )
    masks = [torch.as_tensor(mask, dtype=torch.float64) for mask in (inputs.symmetry_known, inputs.crystal_known)]
    return composition, symmetry, masks[0], crystal, masks[1]


def _distance(a: Tensor, b: Tensor) -> Tensor:
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return squared.clamp(min=0).sqrt()


def _matern(distance: Tensor) -> Tensor:
    """Matérn covariance with ν = 3/2: once differentiable, neither rough nor blindly smooth."""
    x = math.sqrt(3) * distance
    return (1 + x) * torch.exp(-x)
