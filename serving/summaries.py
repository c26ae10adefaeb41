"""What `/predict` says about thermodynamics beside the conductivity; the routes of their own say more."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

HullName = Literal["mp-2019", "learned", "mp-api"]  # `file` names a path, and paths are never read over HTTP
HULL = "Hull to answer from; default: mp-2019 where the service has it, else learned."


class WindowSummary(BaseModel):
    """The window as `/predict` states it; `/window` has plateaus and products."""

    model_config = ConfigDict(from_attributes=True)

    reduction_limit: float = Field(description="Thermodynamic limit, in `unit`.")
    oxidation_limit: float | None = Field(description="Thermodynamic limit, in `unit`; null: no lithium to lose.")
    practical_reduction_limit: float | None = Field(description="Extended by passivating products, in `unit`.")
    practical_oxidation_limit: float | None = Field(description="Extended likewise, in `unit`; null: without end.")
    unit: Literal["V vs Li/Li+"] = "V vs Li/Li+"
    hull: str
    hull_version: str


class InterphaseSummary(BaseModel):
    """What forms on lithium metal: nothing (stable), an SEI that stops growing, or an MCI that does not."""

    model_config = ConfigDict(from_attributes=True)

    interphase_class: Literal["stable", "SEI", "MCI"]
    deciding_products: list[str]
    reason: str
    driving_force: float = Field(description="Most exothermic mixing reaction, eV per atom of both reactants.")
    hull: str
    hull_version: str
