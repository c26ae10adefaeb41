"""Measurements as labels at 298.15 K: what may be brought there, and how."""

from collections.abc import Sequence

import numpy as np

from ionscout.datasets.sources.base import ROOM_TEMPERATURE, Measurement
from ionscout.models import arrhenius

USUAL_ENERGY = 0.35  # eV, moves labels measured a few kelvin off room temperature when the paper gives no Ea
NEAR = 15.0  # K: a usual activation energy then moves a label by 0.3 decades, less than laboratories differ


def activation_energies(measurements: Sequence[Measurement]) -> np.ndarray:
    """Reported Ea in eV, [n]; NaN where none was."""
    return np.array([np.nan if m.activation_energy_eV is None else m.activation_energy_eV for m in measurements])


def at_room_temperature(log_conductivity: np.ndarray, temperature: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """log10 σ [n] measured at `temperature` (K) brought to 298.15 K by `energy` (eV), the usual one where NaN."""
    known = np.where(np.isfinite(energy), energy, USUAL_ENERGY)
    return log_conductivity - arrhenius.at_temperature(0.0, known, temperature)


def room_labels(log_conductivity: np.ndarray, temperature: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """The same, NaN for rows measured far from 298.15 K whose paper gives no activation energy, [n]."""
    usable = np.isfinite(energy) | (np.abs(temperature - ROOM_TEMPERATURE) <= NEAR)
    return np.where(usable, at_room_temperature(log_conductivity, temperature, energy), np.nan)


def labels_of(measurements: Sequence[Measurement]) -> np.ndarray:
    """Labels at 298.15 K of measurements [n]: NaN where a row cannot be one."""
    log_conductivity = np.array([m.log10_conductivity for m in measurements])
    temperature = np.array([m.temperature_K for m in measurements])
    return room_labels(log_conductivity, temperature, activation_energies(measurements))
