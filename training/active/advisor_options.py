"""What a campaign asks of its adviser: which candidates, judged by what, and how a batch is chosen among them."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ionscout.datasets.errors import UnknownName
from ionscout.datasets.observations.records import BadCampaign, Goal, NewCampaign
from ionscout.datasets.observations.records import Objective as Wanted
from ionscout.datasets.structure import parse_material
from ionscout.training.active.acquisition import Method
from ionscout.training.active.candidates import CandidateOptions, check_options
from ionscout.training.active.ranking import OBJECTIVES, Constraint, read_weights

OBSERVED = "conductivity"  # the quantity that observations teach; every campaign is about it


class AdvisorOptions(BaseModel):
    """The options of a campaign."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    method: Method = Field("ucb", description="Acquisition: ucb, ei or thompson.")
    dial: float = Field(0.4, ge=0, le=1, description="0 exploits, 1 explores.")
    diversity: float = Field(0.5, ge=0, allow_inf_nan=False, description="Price of likeness within a batch; 0: off.")
    candidates: list[str] | None = Field(
        None, min_length=1, max_length=20_000, description="Formulas to choose from, instead of doping."
    )
    elements: list[str] | None = Field(None, min_length=1, description="Dopants to consider; all when left out.")
    excluded: list[str] = Field(default_factory=list, description="Dopants to leave out.")
    co_doping: bool = Field(True, description="Also pairs of dopants.")

    @classmethod
    def of(cls, campaign: NewCampaign) -> "AdvisorOptions":
        """Read and check everything that a campaign asks for.

        Raises:
            BadCampaign: an unknown option, objective or constraint, or a value out of range.
            InvalidInput: one of its subclasses, about an element or a formula.
        """
        try:
            options = cls.model_validate(dict(campaign.options))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise BadCampaign(f"Option {place}: {first['msg']}; there are {', '.join(cls.model_fields)}.") from None
        check_options(options.candidate_options())
        for formula in options.candidates or ():
            parse_material(formula, "formula")
        weights, demands = weights_of(campaign), constraints_of(campaign)
        if options.candidates is not None and ({*weights} != {OBSERVED} or demands):
            raise BadCampaign(f"A list of candidates is ranked by {OBSERVED} alone; leave out all else, or the list.")
        return options

    def candidate_options(self) -> CandidateOptions:
        """What to enumerate."""
        elements = None if self.elements is None else tuple(self.elements)
        return CandidateOptions(elements=elements, excluded=tuple(self.excluded), co_doping=self.co_doping)


def default_objectives(listed: bool) -> tuple[Wanted, ...]:
    """What a campaign optimises when nothing is said.

    Args:
        listed: its candidates are a list of formulas, of which only the conductivity is predicted.
    """
    if listed:
        return (Wanted(OBSERVED),)
    return tuple(Wanted(name, goal_of(name), weight) for name, weight in read_weights(()).items())


def weights_of(campaign: NewCampaign) -> dict[str, float]:
    """Weight of each objective.

    Raises:
        BadCampaign: an unknown one, the wrong way round, or no conductivity among them.
    """
    for wanted in campaign.objectives:
        known(wanted.name)
        if wanted.goal not in (None, goal_of(wanted.name)):
            raise BadCampaign(f"{wanted.name} counts {goal_of(wanted.name)}d here; leave its goal out.")
    weights = {wanted.name: wanted.weight for wanted in campaign.objectives}
    if OBSERVED not in weights:
        raise BadCampaign(f"A campaign learns from measured conductivities; put {OBSERVED} among its objectives.")
    return weights


def constraints_of(campaign: NewCampaign) -> list[Constraint]:
    """What candidates must meet, in the units of the objectives.

    Raises:
        BadCampaign: an unknown one.
    """
    found = []
    for demand in campaign.constraints:
        objective = OBJECTIVES[known(demand.name)]
        found += [
            Constraint(objective, lower, limit)
            for lower, limit in ((True, demand.minimum), (False, demand.maximum))
            if limit is not None
        ]
    return found


def goal_of(name: str) -> Goal:
    """Which way an objective counts."""
    return "maximise" if OBJECTIVES[name].best > OBJECTIVES[name].worst else "minimise"


def known(name: str) -> str:
    """The name of an objective.

    Raises:
        UnknownName: the message lists those that exist.
    """
    if name not in OBJECTIVES:
        raise UnknownName(f"There is no quantity '{name[:40]}' to rank by; choose from {', '.join(OBJECTIVES)}.")
    return name
