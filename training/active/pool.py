"""The candidates of a campaign and what is expected of them: a list of formulas, or doped variants of its hosts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pymatgen.core import Composition

from ionscout.datasets.composition import atomic_fractions
from ionscout.datasets.errors import InvalidInput
from ionscout.datasets.hulls import Hull
from ionscout.datasets.observations.records import Campaign
from ionscout.datasets.sources.repeats import SAME_FORMULA
from ionscout.datasets.structure import Material, parse_material
from ionscout.models.conductivity.predictor import ConductivityPrediction, ConductivityPredictor
from ionscout.training.active.advisor_options import OBSERVED, AdvisorOptions, constraints_of, weights_of
from ionscout.training.active.host import host_of
from ionscout.training.active.ranking import OBJECTIVES
from ionscout.training.active.scores import Score, survey
from ionscout.training.active.update import Predictor

Scores = dict[str, float | str | bool | None]


@dataclass(frozen=True)
class Choice:
    """One candidate on its way to the acquisition function.

    Attributes:
        prediction: log10 σ as expected before any observation of the campaign.
        offset: decades of it that do not come from the model but from what is known about dopants.
        cost: what it lacks in the other objectives, in decades of conductivity, ≥ 0.
        elements, sites: what makes two candidates alike.
    """

    material: Material
    host: str
    mechanism: str
    prediction: ConductivityPrediction
    offset: float
    cost: float
    elements: frozenset[str]
    sites: str
    scores: Scores


def listed_pool(campaign: Campaign, options: AdvisorOptions, predictor: Predictor) -> list[Choice]:
    """The formulas that a campaign brought along.

    Raises:
        InvalidInput: one of its subclasses, about a formula.
    """
    materials = [parse_material(formula, "formula") for formula in options.candidates or ()]
    found = predictor.predict(materials, campaign.temperature_K)
    return [
        Choice(
            material,
            _nearest(material.composition, campaign.hosts),
            "from the campaign's list",
            prediction,
            0.0,
            0.0,
            frozenset(e.symbol for e in material.composition),
            "",
            {"in_domain": prediction.in_domain},
        )
        for material, prediction in zip(materials, found, strict=True)
    ]


def doped_pool(
    campaign: Campaign, options: AdvisorOptions, predictor: ConductivityPredictor, hull: Hull
) -> list[Choice]:
    """The promising variants of every host that meet the campaign's constraints.

    Raises:
        InvalidInput: one of its subclasses: a host that cannot be doped, or no candidate that meets the constraints.
    """
    scores: list[Score] = []
    for text in campaign.hosts:
        host = host_of(parse_material(text, "formula"))
        found = survey(host, predictor, hull, options=options.candidate_options(), temperature_K=campaign.temperature_K)
        scores += found.scores
    demands = constraints_of(campaign)
    kept = [s for s in scores if all(demand.met(s) for demand in demands)]
    if not kept:
        hardest = min(demands, key=lambda demand: sum(demand.met(s) for s in scores))
        raise InvalidInput(f"No candidate meets the constraints; {hardest} excludes most, so loosen it first.")
    return [_choice(score, weights_of(campaign)) for score in kept if score.prediction is not None]


def offset_of(composition: Composition, pool: Sequence[Choice], fractions: np.ndarray) -> float:
    """What a pool knows beside the model of a composition that was made; 0 of one that is not in it.

    Args:
        fractions: atomic fractions of the pool, [n, 95].
    """
    apart = np.abs(fractions - atomic_fractions(composition)).max(1)
    place = int(apart.argmin())
    return pool[place].offset if apart[place] <= SAME_FORMULA else 0.0


def _choice(score: Score, weights: dict[str, float]) -> Choice:
    candidate, found, stability = score.candidate, score.prediction, score.stability
    assert found is not None
    offset = score.conduction.expected - score.conduction.model
    scores: Scores = {
        "model_conductivity": found.conductivity,
        "known_about_dopants": round(offset, 3),
        "site_energy": candidate.site_energy,
        "realised": candidate.realised,
        "compensation": candidate.kind,
        "price_class": score.price_class,
        "toxicity": score.toxicity,
        "in_domain": found.in_domain,
    }
    if stability is not None:
        scores |= {
            "energy_above_hull": stability.energy_above_hull,
            "synthesisability": stability.synthesisability,
            "reduction_limit": stability.reduction_limit,
            "oxidation_limit": stability.oxidation_limit,
            "lithium_class": stability.lithium_class,
            "lithium_energy": stability.lithium_energy,
            "band_gap": stability.band_gap,
            "hull": stability.hull,
        }
    return Choice(
        candidate.material,
        candidate.host.formula,
        candidate.mechanism,
        shifted(found, offset),
        offset,
        _cost(score, weights),
        frozenset(candidate.dopants),
        "+".join(sorted(candidate.sites)),
        scores,
    )


def _cost(score: Score, weights: dict[str, float]) -> float:
    """What is missing in the other objectives: the conductivity that would move the weighted score by as much."""
    measured = OBJECTIVES[OBSERVED]
    missing = sum(w * (1.0 - OBJECTIVES[name].utility(score)) for name, w in weights.items() if name != OBSERVED)
    return missing / weights[OBSERVED] * abs(measured.best - measured.worst)


def shifted(found: ConductivityPrediction, decades: float) -> ConductivityPrediction:
    """A prediction moved along log10 σ, its interval with it."""
    factor = 10.0**decades
    return replace(
        found, conductivity=found.conductivity * factor, lower=found.lower * factor, upper=found.upper * factor
    )


def _nearest(composition: Composition, hosts: Sequence[str]) -> str:
    own = atomic_fractions(composition)
    apart = {host: np.abs(atomic_fractions(parse_material(host, "formula").composition) - own).sum() for host in hosts}
    return min(apart, key=lambda host: apart[host])
