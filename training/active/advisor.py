"""What a campaign asks by default: the served model, corrected by its observations, and an acquisition function."""

import json
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import numpy as np
from pymatgen.core import Composition

from ionscout.datasets.composition import atomic_fractions
from ionscout.datasets.hulls import load_hull
from ionscout.datasets.observations.records import Campaign, NewSuggestion, Observation
from ionscout.datasets.observations.source import measurements
from ionscout.datasets.sources.repeats import SAME_FORMULA
from ionscout.models.conductivity.predictor import ConductivityPrediction, ConductivityPredictor
from ionscout.training.active.advisor_options import AdvisorOptions
from ionscout.training.active.campaign import NEAR, NothingLeft
from ionscout.training.active.pool import Choice, doped_pool, listed_pool, offset_of
from ionscout.training.active.posterior import Posterior
from ionscout.training.active.suggest import Known, suggest
from ionscout.training.active.update import NOISE, UpdatedPredictor, normal_of

MOST_JOINT = 600  # candidates that go to the acquisition function, whose joint belief costs the square of their number
BOUND = 1.0  # standard deviations above the mean by which those are chosen
POOLS = 8  # kept in memory; one holds the scores of a few hundred candidates


class Advisor:
    """Suggests by the belief about every candidate after what the campaign has observed.

    The first batch of a host takes as long as `ionscout dopants`; later ones only correct what is known by then.
    """

    def __init__(self, predictor: ConductivityPredictor) -> None:
        self.predictor = predictor
        self._pools: OrderedDict[str, list[Choice]] = OrderedDict()
        self._one = Lock()  # a request repeated while the first one computes waits for its result

    def suggest(
        self, campaign: Campaign, observations: Sequence[Observation], taken: Sequence[Composition], n: int
    ) -> list[NewSuggestion]:
        """The next batch; as `campaign.Suggester`.

        Raises:
            BadCampaign, NothingLeft, InvalidInput.
        """
        options = AdvisorOptions.of(campaign)
        pool = self._pool(campaign, options)
        fractions = np.stack([atomic_fractions(c.material.composition) for c in pool])
        free = [pool[i] for i in _untaken(fractions, taken)]
        if not free:
            raise NothingLeft(
                f"Campaign {campaign.name} has no candidate left: every one was suggested or made; start one with more "
                "hosts or elements."
            )
        measured = measurements(observations)
        offsets = np.array([offset_of(m.composition, pool, fractions) for m in measured])
        updated = UpdatedPredictor(self.predictor, measured, offsets)
        choices = shortlist(free)
        materials, plain = [c.material for c in choices], [c.prediction for c in choices]
        found = updated.correct(materials, plain)
        mean, covariance = updated.belief(materials, plain)
        chosen = suggest(
            [m.composition for m in materials],
            Posterior.gaussian(mean - np.array([c.cost for c in choices]), covariance),
            n,
            method=options.method,
            dial=options.dial,
            diversity=options.diversity,
            sites=[c.sites for c in choices],
            elements=[c.elements for c in choices],
            known=_known(updated, campaign.temperature_K),
            noise=NOISE**2,
            seed=campaign.seed + len(taken),
        )
        return [
            _suggestion(choices[s.index], found[s.index], s.exploitation + s.exploration + s.diversity, s.reason)
            for s in chosen
        ]

    def _pool(self, campaign: Campaign, options: AdvisorOptions) -> list[Choice]:
        """The candidates of a campaign; those of the last few campaigns are kept."""
        asked = [campaign.hosts, campaign.objectives, campaign.constraints, campaign.temperature_K, campaign.options]
        key = json.dumps([self.predictor.version, *asked], default=vars, sort_keys=True)
        with self._one:
            if key not in self._pools:
                self._pools[key] = (
                    doped_pool(campaign, options, self.predictor, load_hull())
                    if options.candidates is None
                    else listed_pool(campaign, options, self.predictor)
                )
            self._pools.move_to_end(key)
            while len(self._pools) > POOLS:
                self._pools.popitem(last=False)
            return self._pools[key]


def shortlist(choices: Sequence[Choice], most: int = MOST_JOINT) -> list[Choice]:
    """Those that may be good, in their order."""
    mean, deviation = normal_of([c.prediction for c in choices])
    worth = mean - np.array([c.cost for c in choices]) + BOUND * deviation
    return [choices[i] for i in sorted(np.argsort(-worth, kind="stable")[:most])]


def _untaken(fractions: np.ndarray, taken: Sequence[Composition]) -> list[int]:
    if not taken:
        return list(range(len(fractions)))
    known = np.stack([atomic_fractions(composition) for composition in taken])
    return [i for i, own in enumerate(fractions) if np.abs(known - own).max(1).min() > SAME_FORMULA]


def _known(updated: UpdatedPredictor, temperature_K: float) -> list[Known]:
    """What was measured near the campaign's temperature, for the explanations."""
    return [
        Known(m.composition, m.log10_conductivity, m.formula)
        for m in updated.observed
        if not m.censored and abs(m.temperature_K - temperature_K) <= NEAR
    ]


def _suggestion(choice: Choice, found: ConductivityPrediction, acquisition: float, reason: str) -> NewSuggestion:
    structure = choice.material.structure
    if choice.cost:
        reason += f"; what it lacks in the other objectives counts as {choice.cost:.2f} decades less"
    return NewSuggestion(
        formula=choice.material.formula,
        host=choice.host,
        mechanism=choice.mechanism,
        acquisition=float(acquisition),
        explanation=reason,
        conductivity=found.conductivity,
        lower=found.lower,
        upper=found.upper,
        coverage=found.coverage,
        temperature_K=found.temperature_K,
        model=found.model,
        version=found.version,
        cif=None if structure is None else str(structure.to(fmt="cif")),
        scores=dict(choice.scores) | {"cost_of_other_objectives": round(choice.cost, 3)},
    )
