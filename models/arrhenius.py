"""The Arrhenius law of ionic conduction, σT = A·exp(−Ea / kT), in the logarithms that the models use."""

import math

import numpy as np
from scipy.constants import physical_constants

BOLTZMANN = physical_constants["Boltzmann constant in eV/K"][0]  # eV/K
REFERENCE_TEMPERATURE = 298.15  # K, where the networks state conductivity


def activation_energy(log10_conductivity, log10_prefactor):
    """Ea in eV from log10(σ / S cm⁻¹) at 298.15 K and log10(A / S K cm⁻¹); numbers, arrays or tensors."""
    exponent = log10_prefactor - log10_conductivity - math.log10(REFERENCE_TEMPERATURE)
    return exponent * BOLTZMANN * REFERENCE_TEMPERATURE * math.log(10)


def at_temperature(log10_conductivity, energy, temperature):
    """log10(σ / S cm⁻¹) at `temperature` (K; number or array) from its value at 298.15 K and Ea (eV)."""
    shift = inverse_temperature_shift(temperature)
    return log10_conductivity + np.log10(REFERENCE_TEMPERATURE / temperature) - energy * shift


def inverse_temperature_shift(temperature):
    """Decades of conductivity lost per eV of activation energy on going from 298.15 K to `temperature` (K)."""
    return (1 / temperature - 1 / REFERENCE_TEMPERATURE) / (BOLTZMANN * math.log(10))
