"""The loop of a campaign: suggest a batch, take in what was measured, say how it goes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from pymatgen.core import Composition

from ionscout.datasets.composition import atomic_fractions, parse_formula
from ionscout.datasets.errors import InvalidInput
from ionscout.datasets.observations.checking import check_key
from ionscout.datasets.observations.limits import MOST_SUGGESTIONS
from ionscout.datasets.observations.records import (
    BadCampaign,
    Campaign,
    NewSuggestion,
    Observation,
    Suggestion,
)
from ionscout.datasets.observations.store import ObservationStore
from ionscout.datasets.sources.repeats import SAME_FORMULA

NEAR = 10.0  # K: values this near the campaign's temperature are compared as they are, as in `training.measurements`


class NothingLeft(InvalidInput):
    """No candidate is valid, or all of them have been suggested or made."""

    title = "No candidate left"


class Suggester(Protocol):
    """Chooses what to make next."""

    def suggest(
        self, campaign: Campaign, observations: Sequence[Observation], taken: Sequence[Composition], n: int
    ) -> list[NewSuggestion]:
        """The best batch of at most n, best first.

        Args:
            observations: all of the campaign, failed syntheses among them.
            taken: compositions that were suggested or made before; they are not suggested again.

        Raises:
            InvalidInput: one of its subclasses, when host, objectives or constraints leave no candidate.
        """
        ...


@dataclass(frozen=True)
class Batch:
    """One stored batch; `new` is False when it was stored before under the same key."""

    campaign: Campaign
    suggestions: tuple[Suggestion, ...]
    new: bool


@dataclass(frozen=True)
class Step:
    """One observation in the history of a campaign.

    Attributes:
        batch: of the suggestions that it followed; 0 before the first.
        predicted, lower, upper: of the suggestion that it answers, made before the measurement; None of others.
        best: highest conductivity so far, S/cm near the campaign's temperature; None before the first.
    """

    observation: int
    batch: int
    formula: str
    conductivity: float | None
    censored: bool
    failed: bool
    temperature_K: float
    received: datetime
    predicted: float | None
    lower: float | None
    upper: float | None
    best: float | None


@dataclass(frozen=True)
class Round:
    """One batch and what became of it.

    Attributes:
        observations: stored after this batch and before the next, also of what nobody suggested.
        error: mean |log10 measured − log10 predicted| of its measured suggestions, decades; None without any.
        best: highest conductivity at the end of the round, S/cm; None without any.
    """

    batch: int
    created: datetime | None
    suggested: int
    open: int
    measured: int
    failed: int
    observations: int
    error: float | None
    best: float | None


@dataclass(frozen=True)
class CampaignStatus:
    """How a campaign stands.

    Attributes:
        measured, bounds, failed: numbers of observations.
        best: the observation with the highest conductivity near the campaign's temperature.
        rounds: batch 0 holds observations from before the first batch, where there are any.
        open: suggestions that nobody has answered.
    """

    campaign: Campaign
    measured: int
    bounds: int
    failed: int
    best: Observation | None
    rounds: tuple[Round, ...]
    history: tuple[Step, ...]
    open: tuple[Suggestion, ...]


def suggest(store: ObservationStore, suggester: Suggester, name: str, n: int, key: str | None = None) -> Batch:
    """Choose and store the next batch.

    Args:
        key: of the request; sent again, it gives the batch stored the first time.

    Raises:
        UnknownCampaign, BadCampaign, NothingLeft, and what the suggester raises; nothing is stored then.
    """
    if not 1 <= n <= MOST_SUGGESTIONS:
        raise BadCampaign(f"A batch holds 1 to {MOST_SUGGESTIONS} suggestions, not {n}.")
    campaign = store.campaign(name)
    if key is not None and (stored := store.batch(name, check_key(key))):
        return Batch(campaign, tuple(stored), new=False)
    observations = store.observations(name)
    taken = [s.composition for s in store.suggestions(name)] + [o.composition for o in observations]
    fresh = _untaken(suggester.suggest(campaign, observations, taken, n), taken)[:n]
    if not fresh:
        raise NothingLeft(
            f"Campaign {name} has nothing left to suggest: {len(taken)} compositions were suggested or made; "
            "start a campaign with more hosts or wider limits."
        )
    return Batch(campaign, tuple(store.add_batch(name, fresh, key)), new=True)


def status(store: ObservationStore, name: str) -> CampaignStatus:
    """How a campaign stands.

    Raises:
        UnknownCampaign.
    """
    campaign, suggestions, observations = store.campaign(name), store.suggestions(name), store.observations(name)
    predicted = {s.id: s for s in suggestions}
    history: list[Step] = []
    best: Observation | None = None
    for found in observations:
        if _comparable(found, campaign) and (best is None or (found.conductivity or 0) > (best.conductivity or 0)):
            best = found
        made = predicted.get(found.suggestion or 0)
        history.append(
            Step(
                observation=found.id,
                batch=found.batch,
                formula=found.formula,
                conductivity=found.conductivity,
                censored=found.censored,
                failed=found.failed,
                temperature_K=found.temperature_K,
                received=found.received,
                predicted=None if made is None else made.conductivity,
                lower=None if made is None else made.lower,
                upper=None if made is None else made.upper,
                best=None if best is None else best.conductivity,
            )
        )
    return CampaignStatus(
        campaign=campaign,
        measured=sum(not (o.failed or o.censored) for o in observations),
        bounds=sum(o.censored for o in observations),
        failed=sum(o.failed for o in observations),
        best=best,
        rounds=_rounds(campaign, suggestions, observations, history),
        history=tuple(history),
        open=tuple(s for s in suggestions if s.status == "open"),
    )


def _rounds(
    campaign: Campaign, suggestions: list[Suggestion], observations: list[Observation], history: list[Step]
) -> tuple[Round, ...]:
    numbers = sorted({s.batch for s in suggestions} | {o.batch for o in observations})
    found = []
    for number in numbers:
        batch = [s for s in suggestions if s.batch == number]
        steps = [step for step, o in zip(history, observations, strict=True) if o.batch <= number]
        found.append(
            Round(
                batch=number,
                created=batch[0].created if batch else None,
                suggested=len(batch),
                open=sum(s.status == "open" for s in batch),
                measured=sum(s.status == "measured" for s in batch),
                failed=sum(s.status == "failed" for s in batch),
                observations=sum(o.batch == number for o in observations),
                error=_error(campaign, batch, observations),
                best=steps[-1].best if steps else None,
            )
        )
    return tuple(found)


def _error(campaign: Campaign, batch: list[Suggestion], observations: list[Observation]) -> float | None:
    """How far predictions were off, made before the measurement, so an honest test."""
    predicted = {s.id: s for s in batch}
    errors = [
        abs(math.log10(o.conductivity) - math.log10(predicted[o.suggestion].conductivity))
        for o in observations
        if o.suggestion in predicted and o.conductivity is not None and _comparable(o, campaign)
        if abs(o.temperature_K - predicted[o.suggestion].temperature_K) <= NEAR
    ]
    return float(np.mean(errors)) if errors else None


def _comparable(found: Observation, campaign: Campaign) -> bool:
    """A value, no bound, near the campaign's temperature."""
    near = abs(found.temperature_K - campaign.temperature_K) <= NEAR
    return near and found.conductivity is not None and not found.censored


def _untaken(proposed: Sequence[NewSuggestion], taken: Sequence[Composition]) -> list[NewSuggestion]:
    """Those whose composition neither was taken nor comes before in the list."""
    known = [atomic_fractions(composition) for composition in taken]
    fresh = []
    for suggestion in proposed:
        composition = parse_formula(suggestion.formula)
        fractions = atomic_fractions(composition)
        if all(np.abs(other - fractions).max() > SAME_FORMULA for other in known):
            known.append(fractions)
            fresh.append(suggestion)
    return fresh
