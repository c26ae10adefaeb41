"""The energy GNN: formation energy, decomposition energy, band gaps and moduli of any composition."""

from ionscout.models.energy.network import PROPERTIES, EnergyNet, EnergyNetConfig, composition_graph
from ionscout.models.energy.predictor import EnergyPrediction, EnergyPredictor, load_predictor

__all__ = [
    "PROPERTIES",
    "EnergyNet",
    "EnergyNetConfig",
    "EnergyPrediction",
    "EnergyPredictor",
    "composition_graph",
    "load_predictor",
]
