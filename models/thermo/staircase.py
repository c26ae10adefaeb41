"""The lithium staircase: which equilibrium phases hold how much lithium, from lithium metal to the highest voltage."""

from dataclasses import dataclass, replace

import numpy as np
from pymatgen.core import Composition

from ionscout.models.thermo.breakpoints import Segment, Tangent, segments
from ionscout.models.thermo.equilibrium import ChemicalSystem, Product
from ionscout.models.thermo.linear_program import Solution, rounded

LITHIUM = "Li"
# Fractional formulas are rounded or refined: Li0.33La0.56TiO3 carries 0.01 lithium too much for La2/3-xLi3xTiO3,
# and strictly speaking sits on the reduction plateau. When a plateau of a real window's width lies within this share of
# the atoms, a fractional formula is taken to mean it, with a warning. Formulas of whole numbers are taken as they are.
ROUNDING = 0.004
ROUNDING_WIDTH = 0.3  # V; narrower plateaus are intermediate equilibria, not windows
SAME_LITHIUM = 1e-6  # atoms per atom; differences below are rounding of the solver


@dataclass(frozen=True)
class Step:
    """One step of the staircase: lithium uptake per formula unit between two voltages."""

    voltage_low: float
    voltage_high: float | None
    uptake: float
    products: tuple[Product, ...]
    formation: float  # eV per formula unit of electrolyte, of the products

    def energy_at(self, voltage: float, own_energy: float) -> float:
        """Energy of the reaction at a voltage, eV per formula unit: E(products) − E(electrolyte) − uptake · μ_Li."""
        return self.formation - own_energy + self.uptake * voltage


def lithium_staircase(system: ChemicalSystem, unit: Composition) -> list[Step]:
    """All equilibria from lithium metal upwards, from the breakpoints of −φ(V) per formula unit."""
    right = system.amounts(unit)
    total = float(right.sum())
    top = _end_of_lithium(system)

    def evaluate(voltage: float) -> Tangent[Solution]:
        solution = system.solve(right / total, np.array([-voltage]))
        held = float((system.open_fractions[0, solution.columns] * solution.amounts).sum())
        return Tangent(voltage, -solution.objective, -held, solution)

    def step(segment: Segment[Solution]) -> Step:
        solution = segment.line.found
        atoms = replace(solution, amounts=solution.amounts * total)
        return Step(
            voltage_low=rounded(segment.low),
            voltage_high=None if segment.high >= top else rounded(segment.high),
            uptake=float(system.uptake(atoms, unit)[0]),
            products=system.products(atoms),
            formation=float(system.energies[solution.columns] @ atoms.amounts),
        )

    return [step(segment) for segment in segments(evaluate, 0.0, top)]


def _end_of_lithium(system: ChemicalSystem) -> float:
    """A voltage above which no phase with lithium is in any equilibrium of the system.

    Per closed atom, giving up a phase gains at least the smallest lithium content times the voltage, and costs at most
    the range of all energies.
    """
    content = system.open_fractions[0]
    closed = 1 - content
    held = (content / closed)[content > 0]
    energies = system.energies / closed
    return 1.0 if not len(held) else 1.0 + float(np.ptp(energies) / held.min())


def zero_step(staircase: list[Step], unit: Composition) -> tuple[int | None, float]:
    """Which step holds the electrolyte's own lithium, and by how much lithium it misses it."""
    misses = [abs(step.uptake) / unit.num_atoms for step in staircase]
    nearest = min(range(len(staircase)), key=misses.__getitem__)
    if misses[nearest] <= SAME_LITHIUM:
        return nearest, staircase[nearest].uptake
    if all(abs(amount - round(amount)) < 1e-6 for amount in unit.values()):
        return None, 0.0
    windows = [
        number
        for number, step in enumerate(staircase)
        if misses[number] <= ROUNDING
        and (step.voltage_high is None or step.voltage_high - step.voltage_low >= ROUNDING_WIDTH)
    ]
    meant = min(windows, key=misses.__getitem__, default=None)
    return meant, 0.0 if meant is None else staircase[meant].uptake


def step_at(staircase: list[Step], voltage: float) -> Step:
    return next(step for step in reversed(staircase) if step.voltage_low <= voltage)
