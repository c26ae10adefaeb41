"""What a model must obey whatever its data says: the same crystal has one answer, and heat helps ions to move."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from pymatgen.core import Composition
from pymatgen.core.operations import SymmOp

from ionscout.datasets.hulls import load_hull
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.embedded import Embedded
from ionscout.datasets.structure import Material
from ionscout.models.conductivity.predictor import ConductivityPredictor
from ionscout.models.thermo.equilibrium import hull_energy
from ionscout.models.thermo.interface import interface
from ionscout.training.promotion.policy import PhysicsPolicy
from ionscout.training.promotion.report import GateTest, at_most

MANY_SITES = 60  # a supercell of a larger crystal costs seconds and tells the same
ADDITIVE = 1e-6  # eV per atom: the rounding of a linear program


def physics_tests(predictor: ConductivityPredictor, policy: PhysicsPolicy) -> list[GateTest]:
    """Supercell, rotation, temperature and interval of the model on a few crystals; mixing lines of the hull."""
    crystals = battery(policy.materials)
    plain = _location(predictor, [m.material() for m in crystals])
    twice = _location(predictor, [_doubled(m) for m in crystals])
    turned = _location(predictor, [_turned(m) for m in crystals])
    return [
        _same("supercell", plain, twice, crystals, policy.tolerance),
        _same("rotation", plain, turned, crystals, policy.tolerance),
        *_heated(predictor, crystals, policy.temperatures),
        thermodynamics_test(),
    ]


def battery(materials: int) -> list[Measurement]:
    """Embedded rows with a crystal of moderate size, one a family, in order."""
    chosen: dict[str, Measurement] = {}
    for m in Embedded().load():
        if m.structure is not None and len(m.structure) <= MANY_SITES:
            chosen.setdefault(m.family, m)
    return list(chosen.values())[:materials]


def _location(predictor: ConductivityPredictor, materials: Sequence[Material]) -> np.ndarray:
    return np.log10([answer.conductivity for answer in predictor.predict(materials)])


def _doubled(m: Measurement) -> Material:
    assert m.structure is not None
    structure = m.structure.copy()
    structure.make_supercell([2, 1, 1])
    return replace(m, structure=structure).material()


def _turned(m: Measurement) -> Material:
    assert m.structure is not None
    structure = m.structure.copy()
    structure.apply_operation(SymmOp.from_axis_angle_and_translation(np.array([1, 2, 3]), 37.0))
    return replace(m, structure=structure).material()


def _same(
    name: str, plain: np.ndarray, other: np.ndarray, crystals: Sequence[Measurement], tolerance: float
) -> GateTest:
    apart = np.abs(plain - other)
    if not np.isfinite(apart).all():
        return GateTest(name, False, "a prediction is not a finite number")
    worst = int(apart.argmax())
    words = f"{crystals[worst].formula} changes by {apart[worst]:.4f} decades (allowed {tolerance})"
    return at_most(name, float(apart[worst]), tolerance, words)


def _heated(
    predictor: ConductivityPredictor, crystals: Sequence[Measurement], temperatures: Sequence[float]
) -> list[GateTest]:
    materials = [m.material() for m in crystals]
    answers = [predictor.predict(materials, temperature) for temperature in temperatures]
    location = np.log10([[a.conductivity for a in row] for row in answers])  # [temperatures, materials]
    falls = -np.diff(location, axis=0).min(axis=0)
    worst = int(falls.argmax())
    heat = at_most(
        "temperature",
        float(falls[worst]),
        0.0,
        f"conductivity of {crystals[worst].formula} changes by {-falls[worst]:+.3f} decades where it rises least",
    )
    wrong = sum(not (0 < a.lower <= a.conductivity <= a.upper and np.isfinite(a.upper)) for row in answers for a in row)
    ordered = at_most("interval order", float(wrong), 0.0, f"{wrong} of {location.size} intervals are out of order")
    return [heat, ordered]


@cache
def thermodynamics_test() -> GateTest:
    """Energies on the default hull: twice the formula has twice the energy, a mixing line is 0 at both ends and never
    above 0 between. No part of a conductivity challenger, but of the package that would be released with it."""
    hull = load_hull()
    electrolyte, cathode = Composition("Li3PS4"), Composition("LiCoO2")
    line = interface(electrolyte, cathode, hull)
    ends = [abs(kink.energy) for kink in line.kinks if kink.mixing_ratio in (0.0, 1.0)]
    above = max(kink.energy for kink in line.kinks)
    single, double = hull_energy(electrolyte, hull), hull_energy(electrolyte * 2, hull)
    worst = max(*ends, above, abs(double - single))  # energies are per atom
    words = f"energies of Li3PS4 and LiCoO2 add up and keep to their mixing line within {worst:.1e} eV/atom"
    return at_most("thermodynamics", float(worst), ADDITIVE, words)
