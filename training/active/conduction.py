"""Conductivity of very many candidates: the model at a few amounts of each substitution, lines between, sums for pairs.

One answer of the model takes 10 ms and more, candidates are tens of thousands. Along one substitution log σ changes
smoothly, so it is predicted at up to `KNOTS` amounts and interpolated; for pairs the changes of both add up. Those
that are shown in the end are predicted by the model itself (`scores`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ionscout.datasets.structure import Material
from ionscout.models.conductivity.predictor import ConductivityPrediction, ConductivityPredictor
from ionscout.training.active.candidates import Candidate
from ionscout.training.active.carriers import CarrierPrior, carrier_prior, host_prior
from ionscout.training.active.host import Host

KNOTS = 2  # amounts per substitution at which the model is asked, beside the undoped host
HARDLY = 0.05  # share of a dopant that stays on its site, below which the model need not be asked
BATCH = 128  # materials at once: bounds the memory, and lets the progress bar move
# Decades of conductivity lost per eV of strain in a formula unit: what does not dissolve forms other phases at
# grain boundaries. 0.33 eV, as a third of an ion too large by 0.25 Å, costs one decade. Doubled, small amounts win.
SEGREGATION = 3.0

Progress = Callable[[int, int], None]
Key = tuple[str, float, str]


@dataclass(frozen=True)
class Conduction:
    """What is expected of one candidate at one temperature, log10(σ / S cm⁻¹).

    Attributes:
        model: the conductivity model's value. half_width: of its interval, decades; None where interpolated.
        carriers: the prior on its lithium content.
        expected: model and prior together, less what does not dissolve, mixed with the host for the share of the
            dopant that leaves its site.
    """

    model: float
    half_width: float | None
    carriers: CarrierPrior
    expected: float


def predict(
    predictor: ConductivityPredictor, materials: Sequence[Material], temperature_K: float, progress: Progress
) -> list[ConductivityPrediction]:
    """The model's answers in batches."""
    found: list[ConductivityPrediction] = []
    progress(0, len(materials))
    for start in range(0, len(materials), BATCH):
        found += predictor.predict(materials[start : start + BATCH], temperature_K)
        progress(len(found), len(materials))
    return found


def expected(candidate: Candidate, model: float, host_model: float, half_width: float | None = None) -> Conduction:
    """Join the model's log10 σ of a candidate and of its host with the prior on carriers and with the site energies."""
    prior = carrier_prior(candidate)
    doped = model + prior.decades - SEGREGATION * candidate.strain
    host = host_model + host_prior(candidate.host).decades
    mixed = np.log10(candidate.realised * 10**doped + (1 - candidate.realised) * 10**host)
    return Conduction(model, half_width, prior, float(mixed))


class ConductionMap:
    """log10 σ along every substitution of a host, from the model at a few amounts.

    Args:
        singles: candidates with one substitution; for each ion on each host ion the smallest middle and the largest
            amount among them become knots. Those that hardly stay on their site are not asked about.
    """

    def __init__(
        self,
        predictor: ConductivityPredictor,
        host: Host,
        singles: Sequence[Candidate],
        temperature_K: float,
        progress: Progress = lambda done, total: None,
    ) -> None:
        lines: dict[Key, list[Candidate]] = {}
        for candidate in singles:
            if candidate.realised >= HARDLY:
                lines.setdefault(_key(candidate, 0), []).append(candidate)
        knots = {key: _knots(line) for key, line in lines.items()}
        asked = [candidate for line in knots.values() for candidate in line]
        answers = predict(predictor, [host.material, *(c.material for c in asked)], temperature_K, progress)
        values = np.log10([answer.conductivity for answer in answers])
        self.host = float(values[0])
        self.host_prediction = answers[0]
        self._lines: dict[Key, tuple[np.ndarray, np.ndarray]] = {}
        start = 1
        for key, line in knots.items():
            amounts = np.array([0.0, *(c.amounts[0] for c in line)])
            self._lines[key] = amounts, np.concatenate([[self.host], values[start : start + len(line)]])
            start += len(line)

    def model(self, candidate: Candidate) -> float:
        """Interpolated log10 σ of the model: level beyond the last knot, unchanged where it has no line."""
        change = 0.0
        for number, amount in enumerate(candidate.amounts):
            line = self._lines.get(_key(candidate, number))
            if line is not None:
                change += float(np.interp(amount, *line)) - self.host
        return self.host + change

    def conduction(self, candidate: Candidate) -> Conduction:
        """Expected conduction from interpolated values."""
        return expected(candidate, self.model(candidate), self.host)


def _key(candidate: Candidate, number: int) -> Key:
    s = candidate.substitutions[number]
    return s.ion.symbol, s.ion.charge, s.host_ion.symbol


def _knots(line: list[Candidate]) -> list[Candidate]:
    ordered = sorted(line, key=lambda c: c.amounts[0])
    places = np.unique(np.linspace(len(ordered) - 1, (len(ordered) - 1) // 2, KNOTS).round().astype(int))
    return [ordered[i] for i in places]
