"""The JSON of campaigns: what defines one, what is suggested, observed, and how it stands."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ionscout.datasets.observations.limits import KEY_LENGTH, MOST_SUGGESTIONS, UNITS
from ionscout.serving.schemas import Conductivity
from ionscout.serving.thermo_schemas import Reactant

NAME = "Name of the campaign."
KEY = f"Your own key of this request, 1 to {KEY_LENGTH} characters such as a UUID; sent again, it changes nothing."


class Sent(BaseModel):
    """What every request about a campaign holds."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Told(BaseModel):
    """What every answer is made of: the attributes of a record."""

    model_config = ConfigDict(from_attributes=True)


class ObjectiveItem(Sent, Told):
    """One quantity to optimise."""

    name: str = Field(description="As in /dopants: conductivity (log10 of S/cm), site, lithium (eV/atom), gap (eV), …")
    goal: Literal["maximise", "minimise"] | None = Field(None, description="Left out: the way in which it is good.")
    weight: float = Field(1.0, gt=0, allow_inf_nan=False, description="Share in the weighted score.")


class ConstraintItem(Sent, Told):
    """Limits of one quantity, in its own unit."""

    name: str
    minimum: float | None = Field(None, allow_inf_nan=False)
    maximum: float | None = Field(None, allow_inf_nan=False)


class CampaignRequest(Sent):
    """A new campaign. The same definition sent again gives the stored one."""

    name: str = Field(description="1 to 64 letters, digits, dots, dashes or underscores.")
    hosts: list[str] = Field(min_length=1, max_length=20, description="Formulas to dope, e.g. Li7La3Zr2O12.")
    objectives: list[ObjectiveItem] = Field(
        default_factory=list, max_length=20, description="Conductivity must be among them; left out: a sensible set."
    )
    constraints: list[ConstraintItem] = Field(default_factory=list, max_length=20)
    temperature_K: float = Field(298.15, allow_inf_nan=False, description="At which conductivities are compared.")
    seed: int = Field(0, ge=0, lt=2**63, description="Of everything random in the suggestions.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="Of candidates and acquisition, e.g. elements, method, dial, diversity."
    )


class SuggestRequest(Sent):
    """The next batch of a campaign."""

    campaign: str = Field(description=NAME)
    n: int = Field(5, ge=1, le=MOST_SUGGESTIONS, description="At most this many suggestions.")
    key: str | None = Field(None, description=KEY)


class ObservationRequest(Sent):
    """One measured conductivity, one upper bound (`censored`), or one failed synthesis (`failed`, with `reason`)."""

    campaign: str = Field(description=NAME)
    key: str | None = Field(
        None,
        description=f"Your own key of this observation, 1 to {KEY_LENGTH} characters, unique in the campaign. "
        "Sent again with equal content, the stored observation is answered; with other content, 409. "
        "Left out, equal content is one observation.",
    )
    formula: str | None = Field(None, description="What was made; may be left out beside cif or suggestion.")
    value: float | None = Field(None, description="Conductivity in `unit`; the upper bound when censored.")
    unit: str | None = Field(None, description=f"One of {', '.join(UNITS)}.")
    temperature_K: float | None = Field(None, description="In kelvin; 298.15 when both temperatures are left out.")
    temperature_C: float | None = Field(None, description="In degrees celsius, instead of temperature_K.")
    kind: str = Field("unknown", description="total (bulk and grain boundaries), bulk or unknown.")
    censored: bool = Field(False, description="The conductivity is below `value`.")
    failed: bool = Field(False, description="The synthesis failed; there is no value then.")
    reason: str = Field("", description="How it failed.")
    suggestion: int | None = Field(None, description="Id of the suggestion that this answers; else found by formula.")
    cif: str | None = Field(None, description="Content of a CIF of the sample. Not a path.")
    measured_by: str = Field("", description="Who.")
    measured_on: str = Field("", description="When, e.g. 2026-11-20.")
    source: str = Field("", description="DOI or another source.")


class CampaignPredictRequest(Sent):
    """Materials to predict with what a campaign has observed."""

    campaign: str = Field(description=NAME)
    materials: list[Reactant] = Field(
        min_length=1, max_length=64, description="Formulas, or objects with text (and format) or formula."
    )
    temperature_K: float = Field(298.15, allow_inf_nan=False)


class CampaignPrediction(BaseModel):
    """One material, predicted without and with the observations of the campaign."""

    formula: str
    before: Conductivity = Field(description="By the served model alone.")
    after: Conductivity = Field(description="Corrected by the observations; its version counts them.")
    warnings: list[str]


class CampaignPredictAnswer(BaseModel):
    """Predictions in the order of the request."""

    campaign: str
    observations: int = Field(description="Measured conductivities and bounds that were used.")
    predictions: list[CampaignPrediction]


class NamedRequest(Sent):
    """One campaign by its name."""

    campaign: str = Field(description=NAME)


class StatusRequest(Sent):
    """One campaign, or all of them when left out."""

    campaign: str | None = Field(None, description=NAME)


class CampaignAnswer(Told):
    """A campaign as it is stored."""

    name: str
    hosts: list[str]
    objectives: list[ObjectiveItem]
    constraints: list[ConstraintItem]
    temperature_K: float
    seed: int
    options: dict[str, Any]
    created: datetime


class SuggestionAnswer(Told):
    """One candidate worth making; the prediction is the one made when it was suggested."""

    id: int = Field(description="Name it as `suggestion` in observations.")
    batch: int
    rank: int
    formula: str
    host: str
    mechanism: str
    acquisition: float = Field(description="Value of the acquisition function, in its own unit.")
    explanation: str
    conductivity: float = Field(description="Predicted, S/cm at temperature_K.")
    lower: float
    upper: float
    coverage: float
    temperature_K: float
    model: str
    version: str
    cif: str | None = Field(description="Doped average structure, where one was built.")
    scores: dict[str, float | str | bool | None]
    status: Literal["open", "measured", "failed"]
    created: datetime


class BatchAnswer(BaseModel):
    """One batch of suggestions."""

    campaign: str
    batch: int
    new: bool = Field(description="False when this key had stored it before.")
    suggestions: list[SuggestionAnswer]


class ObservationAnswer(Told):
    """One observation as it is stored."""

    id: int
    campaign: str
    key: str
    formula: str
    conductivity: float | None = Field(description="S/cm at temperature_K; the bound when censored; null when failed.")
    value: float | None = Field(description="As sent, in `unit`.")
    unit: str | None
    temperature_K: float
    kind: str
    censored: bool
    failed: bool
    reason: str
    suggestion: int | None = Field(description="As sent, or found by its composition.")
    batch: int = Field(description="Of the suggestions that it followed; 0 before the first.")
    cif: str | None
    measured_by: str
    measured_on: str
    source: str
    received: datetime


class ObservedAnswer(BaseModel):
    """The stored observation; by the time this is answered, it is on the disk."""

    new: bool = Field(description="False when this key had stored it before.")
    observation: ObservationAnswer


class RoundAnswer(Told):
    """One batch and what became of it; batch 0: observations from before the first."""

    batch: int
    created: datetime | None
    suggested: int
    open: int
    measured: int
    failed: int
    observations: int
    error: float | None = Field(description="Mean |log10 measured − log10 predicted| of its suggestions, decades.")
    best: float | None = Field(description="Highest conductivity so far, S/cm.")


class StepAnswer(Told):
    """One observation in the history."""

    observation: int
    batch: int
    formula: str
    conductivity: float | None
    censored: bool
    failed: bool
    temperature_K: float
    received: datetime
    predicted: float | None = Field(description="By the suggestion that it answers, before the measurement, S/cm.")
    lower: float | None
    upper: float | None
    best: float | None = Field(description="Highest conductivity so far, S/cm.")


class StatusAnswer(Told):
    """How a campaign stands."""

    campaign: CampaignAnswer
    measured: int
    bounds: int
    failed: int
    best: ObservationAnswer | None = Field(
        description="Highest conductivity within 10 K of the campaign's temperature."
    )
    rounds: list[RoundAnswer]
    history: list[StepAnswer]
    open: list[SuggestionAnswer]


class StatusAnswers(BaseModel):
    """The status of one campaign, or of all."""

    campaigns: list[StatusAnswer]


class ExportAnswer(BaseModel):
    """Everything that a campaign holds."""

    campaign: CampaignAnswer
    suggestions: list[SuggestionAnswer]
    observations: list[ObservationAnswer]
    csv: str = Field(description="The observations with a conductivity, in the layout of `ionscout evaluate --data`.")
