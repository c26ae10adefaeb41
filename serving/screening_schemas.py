"""The JSON of interphases, coatings, stability maps and conversion layers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ionscout.serving.thermo_schemas import VOLTAGE, Answered, Asked, ProductAmount, Reactant

MOST_SECONDS = 45.0  # of one /coatings request; less than the 60 s after which the service answers 503 by itself


class InterphaseRequest(Asked):
    """An electrolyte against lithium metal or a cathode."""

    electrolyte: Reactant
    against: Reactant = Field("Li", description="Lithium, or a cathode.")
    half_lithiated: bool = Field(False, description="Take the cathode half delithiated.")
    voltage: float | None = Field(None, allow_inf_nan=False, description=VOLTAGE)
    threshold: float = Field(
        0.05, ge=0, allow_inf_nan=False, description="Driving force up to which it counts as stable, eV/atom."
    )


class CharacterAnswer(BaseModel):
    """How a product treats electrons."""

    model_config = ConfigDict(from_attributes=True)

    formula: str
    kind: str = Field(description="metal, alloy, reduced oxide or compound, conductor, insulator or gas.")
    conducts: bool = Field(description="Whether electrons pass.")
    band_gap: float | None = Field(description="eV; null where none was needed or known.")
    source: str = Field(description="Of the band gap, or `rule`.")
    reason: str


class InterphaseAnswer(Answered):
    """Class of an interphase, and the products that decide it."""

    electrolyte: str
    against: str
    charged: bool = Field(description="Whether the cathode was taken half delithiated.")
    interphase_class: Literal["stable", "SEI", "MCI"]
    energy_unit: Literal["eV/atom"] = "eV/atom"
    driving_force: float = Field(description="Most exothermic mixing reaction, eV per atom of both reactants.")
    threshold: float = Field(description="Driving force up to which an interface counts as stable, eV/atom.")
    decomposition_energy_0V: float | None = Field(description="In excess lithium, eV per electrolyte atom.")
    products: list[ProductAmount]
    characters: list[CharacterAnswer] = Field(description="In the order of `products`.")
    deciding_products: list[str]
    reason: str
    warnings: list[str] = Field(default_factory=list)


class CoatingThresholds(BaseModel):
    """Thresholds of the funnel; the defaults are those of Xiao et al., Joule 3, 1252 (2019)."""

    model_config = ConfigDict(extra="forbid", strict=True, from_attributes=True)

    max_above_hull: float = Field(0.005, ge=0, allow_inf_nan=False, description="eV/atom.")
    min_band_gap: float = Field(0.5, ge=0, allow_inf_nan=False, description="eV (PBE).")
    min_oxidation: float = Field(4.0, ge=-1, le=8, description="V vs Li/Li+.")
    max_reduction: float = Field(2.7, ge=-1, le=8, description="V vs Li/Li+.")
    max_reaction: float = Field(0.1, ge=0, allow_inf_nan=False, description="eV per atom of both reactants.")


class CoatingsRequest(Asked):
    """A coating wanted between an electrolyte and a cathode.

    The funnel over a whole hull takes minutes. One request computes for at most `seconds` and says in `complete`
    whether that was enough; asked again, the service goes on where it stopped.
    """

    electrolyte: Reactant
    cathode: Reactant
    thresholds: CoatingThresholds = Field(default_factory=lambda: CoatingThresholds())
    candidates: list[str] | None = Field(
        None, min_length=1, max_length=500, description="Formulas to judge; default: all lithium compounds of the hull."
    )
    why: list[str] = Field(default_factory=list, max_length=20, description="Formulas whose every value is wanted.")
    top: int = Field(50, ge=1, le=1000, description="How many of the ranked ones to list.")
    seconds: float = Field(30.0, gt=0, le=MOST_SECONDS, description="Time that this request may compute.")


class CoatingAnswer(BaseModel):
    """One candidate; null where it was dropped before a value was computed."""

    model_config = ConfigDict(from_attributes=True)

    formula: str
    energy_above_hull: float | None = Field(description="eV/atom.")
    band_gap: float | None = Field(description="eV (PBE).")
    band_gap_source: str | None
    reduction_limit: float | None = Field(description="V vs Li/Li+.")
    oxidation_limit: float | None = Field(description="V vs Li/Li+; null also without lithium to lose.")
    with_electrolyte: float | None = Field(description="Worst closed reaction, eV per atom of both.")
    with_cathode: float | None = Field(description="Likewise.")
    with_charged_cathode: float | None = Field(description="Likewise, the cathode half delithiated.")
    log10_conductivity: float | None = Field(description="Predicted, of S/cm; null unless asked for.")
    dropped_at: str | None = Field(description="The first gate that it fails; null: it passes all.")
    failed: list[str] = Field(description="All gates that it fails, as far as they were asked.")
    reason: str = Field(description="Why it was dropped, with the value.")


class StageAnswer(BaseModel):
    """One gate: how many candidates reached it and how many it let through."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    entered: int
    passed: int


class CoatingsAnswer(Answered):
    """The funnel, the best candidates, and the ones asked about."""

    electrolyte: str
    cathode: str
    charged_cathode: str
    thresholds: CoatingThresholds
    complete: bool = Field(description="Whether all candidates were judged; if not, ask again and it goes on.")
    screened: int = Field(description="Candidates judged so far.")
    total: int = Field(description="Candidates in all.")
    passed: int = Field(description="Candidates that pass all gates so far.")
    stages: list[StageAnswer]
    ranked: list[CoatingAnswer] = Field(description="Those that pass, the mildest worst reaction first.")
    why: list[CoatingAnswer] = Field(description="The candidates asked about, every value computed.")


class StabilityMapRequest(Asked):
    """A triangle of three corners, and the partner that its compositions touch."""

    corners: list[Reactant] = Field(min_length=3, max_length=3, description="E.g. Li, Ti, O.")
    partner: Reactant = Field(description="E.g. Li7La3Zr2O12.")
    threshold: float = Field(0.05, gt=0, allow_inf_nan=False, description="eV per atom of both.")
    steps: int = Field(20, ge=2, le=40, description="Intervals per side.")


class StabilityMapAnswer(Answered):
    """Reaction energies over a Gibbs triangle."""

    corners: list[str]
    partner: str
    threshold: float = Field(description="eV/atom.")
    stable_share: float = Field(description="Share of the area that reacts less than the threshold.")
    fractions: list[list[float]] = Field(description="Atomic fractions of the corners at every grid point, [n][3].")
    energies: list[float] = Field(description="Worst closed reaction, eV per atom of both, [n].")
    triangles: list[list[int]] = Field(description="Grid points of each small triangle, [m][3].")
    contour: list[list[list[float]]] = Field(description="Segments at the threshold in atomic fractions, [k][2][3].")


class ConversionRequest(Asked):
    """An additive that meets lithium metal."""

    additive: Reactant


class LayerAnswer(BaseModel):
    """One set of products, and whether electrons pass them."""

    model_config = ConfigDict(from_attributes=True)

    lithium: float = Field(description="Lithium consumed per formula unit of the additive.")
    products: list[ProductAmount] = Field(description="Formula units per formula unit of the additive.")
    energy_per_formula: float = Field(description="eV per formula unit of the additive.")
    energy_per_atom: float = Field(description="eV per atom of additive and lithium.")
    characters: list[CharacterAnswer]
    blocks_electrons: bool
    reason: str


class ConversionAnswer(Answered):
    """What lithium metal makes of an additive."""

    additive: str
    reacts: bool
    onset: float = Field(description="V vs Li/Li+ below which lithium uptake starts.")
    excess: LayerAnswer = Field(description="In excess lithium: the layer on a lithium electrode.")
    stoichiometric: LayerAnswer = Field(description="The most exothermic ratio, no lithium to spare.")
    steps: list[LayerAnswer] = Field(description="Every layer on the way, with rising lithium.")
    warnings: list[str] = Field(default_factory=list)
