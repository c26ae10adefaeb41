"""The options of a campaign: which candidates, and how the next batch is chosen among them."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ionscout.datasets.observations.records import BadCampaign, NewCampaign
from ionscout.datasets.structure import parse_material
from ionscout.training.active.acquisition import Method
from ionscout.training.active.candidates import CandidateOptions, check_options

OBJECTIVES = ("conductivity",)  # what candidates can be ranked by


class AdvisorOptions(BaseModel):
    """The options of a campaign that this suggester reads."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    method: Method = Field("ucb", description="Acquisition: ucb, ei or thompson.")
    dial: float = Field(0.4, ge=0, le=1, description="0 exploits, 1 explores.")
    diversity: float = Field(0.5, ge=0, allow_inf_nan=False, description="Price of likeness within a batch; 0: off.")
    candidates: list[str] | None = Field(None, min_length=1, description="Formulas to choose from, instead of doping.")
    elements: list[str] | None = Field(None, min_length=1, description="Dopants to consider; all when left out.")
    excluded: list[str] = Field(default_factory=list, description="Dopants to leave out.")
    co_doping: bool = Field(True, description="Also pairs of dopants.")

    @classmethod
    def of(cls, campaign: NewCampaign) -> "AdvisorOptions":
        """Read and check what a campaign asks for.

        Raises:
            BadCampaign: an unknown option or objective, or a value out of range.
            InvalidInput: one of its subclasses, about an element or a formula.
        """
        for name in [o.name for o in campaign.objectives] + [c.name for c in campaign.constraints]:
            if name not in OBJECTIVES:
                raise BadCampaign(f"Campaigns know no quantity '{name[:40]}'; use {', '.join(OBJECTIVES)}.")
        try:
            options = cls.model_validate(dict(campaign.options))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise BadCampaign(f"Option {place}: {first['msg']}; there are {', '.join(cls.model_fields)}.") from None
        check_options(options.candidate_options())
        for formula in options.candidates or ():
            parse_material(formula, "formula")
        return options

    def candidate_options(self) -> CandidateOptions:
        """What to enumerate."""
        elements = None if self.elements is None else tuple(self.elements)
        return CandidateOptions(elements=elements, excluded=tuple(self.excluded), co_doping=self.co_doping)
