"""Several networks trained from different seeds: their mean, what they expect to be wrong by, and where they differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import nn

from ionscout.datasets.graph import CrystalData
from ionscout.models.conductivity.inputs import batch_of
from ionscout.models.conductivity.network import ConductivityNetwork, NetworkConfig

BATCH = 64  # crystals a forward pass; more gains nothing on a CPU and holds more memory


@dataclass(frozen=True)
class EnsembleOutput:
    """For n materials: log10 σ at 298.15 K, its standard deviation, log10 A (S K cm⁻¹), and embeddings [n, d]."""

    location: np.ndarray
    deviation: np.ndarray
    prefactor: np.ndarray
    embedding: np.ndarray


class ConductivityEnsemble(nn.Module):
    """Networks of one shape, averaged."""

    def __init__(self, config: NetworkConfig, members: int):
        super().__init__()
        self.config = config
        self.members = nn.ModuleList(ConductivityNetwork(config) for _ in range(members))

    @torch.inference_mode()
    def predict(self, graphs: Sequence[CrystalData]) -> EnsembleOutput:
        """Predict for graphs made by `inputs.graph_of` with this ensemble's cut-off."""
        self.eval()
        device = next(self.parameters()).device
        raw, embeddings = [], []
        for start in range(0, len(graphs), BATCH):
            batch = batch_of(graphs[start : start + BATCH]).to(device)
            raw.append(torch.stack([torch.stack(member(batch)) for member in self.members]).cpu())
            embeddings.append(torch.cat([network.embed(batch) for network in self._networks()], 1).cpu())
        outputs = torch.cat(raw, 2).double().numpy()  # [members, 3, n]
        location, log_scale, prefactor = outputs[:, 0], outputs[:, 1], outputs[:, 2]
        # A Laplace law of scale b has variance 2b²; members that disagree add the variance between them.
        variance = (2 * np.exp(2 * log_scale)).mean(0) + location.var(0)
        embedding = torch.cat(embeddings).double().numpy()
        return EnsembleOutput(location.mean(0), np.sqrt(variance), prefactor.mean(0), embedding)

    def _networks(self) -> list[ConductivityNetwork]:
        return [cast(ConductivityNetwork, member) for member in self.members]
