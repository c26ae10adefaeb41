"""Campaigns: the path that the service and the command line share."""

from functools import lru_cache
from typing import TYPE_CHECKING

from ionscout.datasets.errors import IonscoutError
from ionscout.datasets.observations.checking import Report
from ionscout.datasets.observations.engine import default_store
from ionscout.datasets.observations.records import Constraint, NewCampaign, Objective
from ionscout.datasets.observations.source import measurements
from ionscout.datasets.observations.store import ObservationStore
from ionscout.datasets.structure import Material, parse_material
from ionscout.serving.answers import check_temperature, conductivity_of
from ionscout.serving.campaign_schemas import (
    BatchAnswer,
    CampaignAnswer,
    CampaignPredictAnswer,
    CampaignPrediction,
    CampaignPredictRequest,
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
from ionscout.serving.problems import ItemError
from ionscout.serving.thermo_schemas import MaterialRequest
from ionscout.training.active.campaign import Suggester, status, suggest
from ionscout.training.active.export import export

if TYPE_CHECKING:
    from ionscout.models.conductivity.predictor import ConductivityPredictor
    from ionscout.training.active.update import Predictor


PATIENCE = 45.0  # seconds; less than the 60 after which the service answers 503 by itself


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
    from ionscout.training.active.advisor_options import AdvisorOptions, default_objectives

    campaign = NewCampaign(
        name=asked.name,
        hosts=tuple(asked.hosts),
        objectives=tuple(Objective(o.name, o.goal, o.weight) for o in asked.objectives)
        or default_objectives("candidates" in asked.options),
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


def answer_predict(
    asked: CampaignPredictRequest, where: ObservationStore, predictor: "Predictor"
) -> CampaignPredictAnswer:
    """Predict with and without the observations of a campaign.

    Raises:
        UnknownCampaign, OutOfRange.
        ItemError: about a material, with its position.
    """
    from ionscout.training.active.update import UpdatedPredictor

    temperature = check_temperature(asked.temperature_K)
    updated = UpdatedPredictor(predictor, measurements(where.observations(asked.campaign)))
    materials = []
    for index, item in enumerate(asked.materials):
        try:
            materials.append(_material(item))
        except IonscoutError as error:
            raise ItemError(error, index) from None
    plain = predictor.predict(materials, temperature)
    corrected = updated.correct(materials, plain)
    return CampaignPredictAnswer(
        campaign=asked.campaign,
        observations=len(updated.observed),
        predictions=[
            CampaignPrediction(
                formula=material.formula,
                before=conductivity_of(before),
                after=conductivity_of(after),
                warnings=list(after.warnings),
            )
            for material, before, after in zip(materials, plain, corrected, strict=True)
        ],
    )


def _material(asked: str | MaterialRequest) -> Material:
    if isinstance(asked, str):
        return parse_material(asked, "formula")
    if asked.formula is not None:
        return parse_material(asked.formula, "formula")
    return parse_material(asked.text or "", asked.format)


@lru_cache(maxsize=2)
def default_suggester(predictor: "ConductivityPredictor") -> Suggester:
    """What chooses candidates for the service; one for each predictor, as it keeps what it has computed."""
    from ionscout.training.active.advisor import Advisor

    return Advisor(predictor, PATIENCE)
