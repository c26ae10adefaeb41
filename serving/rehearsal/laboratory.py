"""Simulated results of a laboratory: what the shipped model predicts for new members of known series, with scatter."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ionscout.datasets.structure import parse_material
from ionscout.models.conductivity.predictor import ConductivityPredictor

if TYPE_CHECKING:
    from ionscout.serving.client import Client

CAMPAIGN = "simulated"
SCATTER = 0.3  # decades; repeats of one composition by different laboratories differ by 0.45 in the median
SERIES: tuple[Callable[[float], str], ...] = (
    lambda x: f"Li{7 - x:.3f}La3Zr{2 - x:.3f}Nb{x:.3f}O12",
    lambda x: f"Li{6 - x:.3f}PS{5 - x:.3f}Br{1 + x:.3f}",
    lambda x: f"Li{1 + x:.3f}Al{x:.3f}Ge{2 - x:.3f}P3O12",
    lambda x: f"Li{3 - x:.3f}Y{1 - x:.3f}Zr{x:.3f}Cl6",
    lambda x: f"Li{4 - x:.3f}Ge{1 - x:.3f}P{x:.3f}S4",
)


@dataclass(frozen=True)
class Simulated:
    """One result that nobody measured: S/cm at 298.15 K."""

    formula: str
    conductivity: float


def simulated(count: int = 50, seed: int = 0) -> tuple[list[Simulated], str]:
    """`count` results, spread over the series, and the version of the model that made them up."""
    predictor = ConductivityPredictor.load()
    each = -(-count // len(SERIES))
    amounts = 0.05 + 0.85 * np.linspace(0, 1, each)
    formulas = [series(float(x)) for x in amounts for series in SERIES][:count]
    answers = predictor.predict([parse_material(formula, "formula") for formula in formulas])
    scatter = np.random.default_rng(seed).normal(0, SCATTER, count)
    values = [answer.conductivity * 10 ** float(off) for answer, off in zip(answers, scatter, strict=True)]
    return [Simulated(*pair) for pair in zip(formulas, values, strict=True)], predictor.version


def post(client: "Client", results: list[Simulated], version: str) -> int:
    """Send them to a service as observations that say what they are; how many it stored."""
    client.new_campaign(CAMPAIGN, [results[0].formula])
    stored = 0
    for number, result in enumerate(results):
        client.observe(
            CAMPAIGN,
            result.formula,
            value=result.conductivity,
            unit="S/cm",
            source=f"simulated: shipped model {version} with {SCATTER} decades of scatter",
            measured_by="rehearsal",
            key=f"simulated-{number}",
        )
        stored += 1
    return stored
