"""Campaigns: the path that the service and the command line share."""

from functools import lru_cache
from typing import TYPE_CHECKING

from ionscout.datasets.observations.checking import Report
from ionscout.datasets.observations.engine import default_store
from ionscout.datasets.observations.records import Constraint, NewCampaign, Objective
from ionscout.datasets.observations.store import ObservationStore
from ionscout.serving.campaign_schemas import (
    BatchAnswer,
    CampaignAnswer,
    CampaignRequest,
    ExportAnswer,
    NamedRequest,
    ObservationAnswer,
    ObservationRequest,
    ObservedAnswer,
    StatusAnswer,
    StatusAnswers,
    StatusRequest,
    SuggestionAnswer,
    SuggestRequest,
)
from ionscout.training.active.campaign import Suggester, status, suggest
from ionscout.training.active.export import export

if TYPE_CHECKING:
    from ionscout.training.active.update import Predictor


def store(url: str | None = None) -> ObservationStore:
    """The store at an address, opened once; None: the default one.

    Raises:
        UnknownName, DataUnavailable, BadData.
    """
    return _opened(url or default_store())


@lru_cache(maxsize=8)
def _opened(url: str) -> ObservationStore:
    return ObservationStore(url)


def answer_new(asked: CampaignRequest, where: ObservationStore) -> CampaignAnswer:
    """Store a campaign.

    Raises:
        BadCampaign, Conflict, InvalidInput.
    """
    from ionscout.training.active.advisor_options import AdvisorOptions

    campaign = NewCampaign(
        name=asked.name,
        hosts=tuple(asked.hosts),
        objectives=tuple(Objective(o.name, o.goal, o.weight) for o in asked.objectives),
        constraints=tuple(Constraint(c.name, c.minimum, c.maximum) for c in asked.constraints),
        temperature_K=asked.temperature_K,
        seed=asked.seed,
        options=asked.options,
    )
    AdvisorOptions.of(campaign)  # better refused now than at the first batch
    return CampaignAnswer.model_validate(where.create(campaign))


def answer_suggest(asked: SuggestRequest, where: ObservationStore, suggester: Suggester) -> BatchAnswer:
    """Choose and store the next batch.

    Raises:
        UnknownCampaign, NothingLeft, and what the suggester raises.
    """
    batch = suggest(where, suggester, asked.campaign, asked.n, asked.key)
    return BatchAnswer(
        campaign=batch.campaign.name,
        batch=batch.suggestions[0].batch,
        new=batch.new,
        suggestions=[SuggestionAnswer.model_validate(s) for s in batch.suggestions],
    )


def answer_observe(asked: ObservationRequest, where: ObservationStore) -> ObservedAnswer:
    """Store one observation.

    Raises:
        UnknownCampaign, UnknownSuggestion, BadObservation, Conflict, InvalidInput; nothing is stored then.
    """
    content = asked.model_dump()
    stored = where.observe(content.pop("campaign"), Report(**content))
    return ObservedAnswer(new=stored.new, observation=ObservationAnswer.model_validate(stored.observation))


def answer_status(asked: StatusRequest, where: ObservationStore) -> StatusAnswers:
    """How one campaign stands, or all of them.

    Raises:
        UnknownCampaign.
    """
    names = [c.name for c in where.campaigns()] if asked.campaign is None else [asked.campaign]
    return StatusAnswers(campaigns=[StatusAnswer.model_validate(status(where, name)) for name in names])


def answer_export(asked: NamedRequest, where: ObservationStore) -> ExportAnswer:
    """Everything that a campaign holds.

    Raises:
        UnknownCampaign.
    """
    found = export(where, asked.campaign)
    return ExportAnswer(
        campaign=CampaignAnswer.model_validate(found.campaign),
        suggestions=[SuggestionAnswer.model_validate(s) for s in found.suggestions],
        observations=[ObservationAnswer.model_validate(o) for o in found.observations],
        csv=found.csv(),
    )


def default_suggester(predictor: "Predictor") -> Suggester:
    """What chooses candidates with a predictor."""
    from ionscout.training.active.advisor import Advisor

    return Advisor(predictor)
