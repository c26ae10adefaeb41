"""What a campaign asks by default: the served model, corrected by its observations, and an acquisition function."""

import json
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from threading import Lock, Thread

import numpy as np
from pymatgen.core import Composition

from ionscout.datasets.composition import atomic_fractions
from ionscout.datasets.errors import IonscoutError
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
from ionscout.training.active.update import NOISE, UpdatedPredictor, normal_of, similarity

MOST_JOINT = 600  # candidates that go to the acquisition function, whose joint belief costs the square of their number
BOUND = 1.0  # standard deviations above the mean by which those are chosen
POOLS = 8  # kept in memory; one holds the scores of a few hundred candidates
# A candidate where a synthesis failed must promise ten times more than one elsewhere; half as much at 1 % of exchanged
# atoms (0.3 of the 24 in a garnet), because what a dopant forms instead depends on its amount.
FAILED_COST = 1.0  # decades
FAILED_REACH = 0.015  # share of exchanged atoms


class StillComputing(IonscoutError):
    """The candidates are being judged; asked again, the answer comes."""

    title = "Still computing"
    http_status = 503


class Advisor:
    """Suggests by the belief about every candidate after what the campaign has observed.

    The first batch of a host takes as long as `ionscout dopants`; later ones only correct what is known by then.
    """

    def __init__(self, predictor: ConductivityPredictor, patience: float | None = None) -> None:
        """Args: patience: seconds after which `StillComputing` is raised while the work goes on; None: none."""
        self.predictor, self.patience = predictor, patience
        self._pools: OrderedDict[str, Future[list[Choice]]] = OrderedDict()
        self._lock = Lock()

    def suggest(
        self, campaign: Campaign, observations: Sequence[Observation], taken: Sequence[Composition], n: int
    ) -> list[NewSuggestion]:
        """The next batch; as `campaign.Suggester`.

        Raises:
            BadCampaign, NothingLeft, InvalidInput, StillComputing.
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
        failed = failure_cost([m.composition for m in materials], [o.composition for o in observations if o.failed])
        chosen = suggest(
            [m.composition for m in materials],
            Posterior.gaussian(mean - failed - np.array([c.cost for c in choices]), covariance),
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
            _suggestion(
                choices[s.index],
                found[s.index],
                s.exploitation + s.exploration + s.diversity,
                s.reason,
                float(failed[s.index]),
            )
            for s in chosen
        ]

    def _pool(self, campaign: Campaign, options: AdvisorOptions) -> list[Choice]:
        """The candidates of a campaign; those of the last few campaigns are kept."""
        asked = [campaign.hosts, campaign.objectives, campaign.constraints, campaign.temperature_K, campaign.options]
        key = json.dumps([self.predictor.version, *asked], default=vars, sort_keys=True)
        with self._lock:
            future = self._pools.get(key)
            if future is None:
                self._pools[key] = future = Future()
                Thread(target=self._compute, args=(future, campaign, options), daemon=True).start()
            self._pools.move_to_end(key)
            while len(self._pools) > POOLS:
                self._pools.popitem(last=False)
        try:
            return future.result(self.patience)
        except TimeoutError:
            raise StillComputing(
                f"The candidates of campaign {campaign.name} are still being judged; ask again in half a minute."
            ) from None
        except Exception:
            with self._lock:  # what failed for want of data may work later
                self._pools.pop(key, None)
            raise

    def _compute(self, future: "Future[list[Choice]]", campaign: Campaign, options: AdvisorOptions) -> None:
        try:
            if options.candidates is None:
                future.set_result(doped_pool(campaign, options, self.predictor, load_hull()))
            else:
                future.set_result(listed_pool(campaign, options, self.predictor))
        except BaseException as error:
            future.set_exception(error)


def failure_cost(compositions: Sequence[Composition], failed: Sequence[Composition]) -> np.ndarray:
    """Decades [n] that candidates lose for lying near failed syntheses."""
    if not failed:
        return np.zeros(len(compositions))
    own, others = (np.stack([atomic_fractions(c) for c in part]) for part in (compositions, failed))
    return FAILED_COST * similarity(own, others, FAILED_REACH).max(1)


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


def _suggestion(
    choice: Choice, found: ConductivityPrediction, acquisition: float, reason: str, failed: float
) -> NewSuggestion:
    structure = choice.material.structure
    if choice.cost:
        reason += f"; what it lacks in the other objectives counts as {choice.cost:.2f} decades less"
    if failed > 0.05:
        reason += f"; a failed synthesis nearby counts as {failed:.2f} decades less"
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
