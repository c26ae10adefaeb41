"""The JSON of `POST /dopants`: which host and what is wanted, and the ranked candidates with everything known."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints, model_validator

from ionscout.serving.schemas import COLDEST, HOTTEST, ROOM_TEMPERATURE, temperature_sentence
from ionscout.serving.thermo_schemas import Asked, MaterialRequest, Reactant

MAX_TOP = 200  # candidates in one answer
MAX_WISHES = 30  # objectives or constraints in one request
Wish = Annotated[str, StringConstraints(max_length=60)]
Symbol = Annotated[str, StringConstraints(max_length=3)]


class DopantsRequest(MaterialRequest, Asked):
    """A host and what is wanted of its dopants."""

    top: int = Field(20, ge=1, le=MAX_TOP, description="Candidates to return, different substitutions each.")
    elements: list[Symbol] | None = Field(None, max_length=100, description="Dopants to consider; all when left out.")
    excluded: list[Symbol] = Field([], max_length=100, description="Dopants to leave out.")
    cathode: Reactant | None = Field(None, description="Cathode to judge reactions with; name, formula or object.")
    temperature_K: float = Field(ROOM_TEMPERATURE, allow_inf_nan=False, description="Of the conductivities, kelvin.")
    objectives: list[Wish] = Field(
        [], max_length=MAX_WISHES, description="`name` or `name=weight`; default: a mixture."
    )
    constraints: list[Wish] = Field([], max_length=MAX_WISHES, description="Such as `conductivity>=-4` or `price<=3`.")
    co_doping: bool = Field(True, description="Pair dopants on two sites as well.")
    scan: Wish | None = Field(None, description="One substitution to follow, such as `Cl:Br`.")

    @model_validator(mode="after")
    def _temperature(self) -> "DopantsRequest":
        if not COLDEST <= self.temperature_K <= HOTTEST:
            raise ValueError(temperature_sentence(self.temperature_K))
        return self


class Substituted(BaseModel):
    """One dopant on its site."""

    dopant: str = Field(description="Element.")
    state: float = Field(description="Its oxidation state.")
    site: str = Field(description="Host element that it replaces.")
    site_state: float
    amount: float = Field(description="Atoms per formula unit.")
    coordination: float = Field(description="Effective coordination number of the site.")
    radius_mismatch: float | None = Field(description="Shannon radius minus that of the host ion, Å.")
    bond_valence_sum: float | None = Field(description="Of the dopant on the unrelaxed site; null without structure.")
    site_energy: float = Field(description="Fast placement energy, eV per dopant ion; lower fits better.")
    excess: float = Field(description="The same above the element's best site, eV.")


class DopantConductivity(BaseModel):
    """Conductivity of a candidate. The interval is the model's, around its own value."""

    model: float = Field(description="The conductivity model's value, S/cm.")
    lower: float
    upper: float
    coverage: float
    temperature_K: float
    activation_energy: float | None = Field(description="eV.")
    expected: float = Field(description="Model and priors together, S/cm: what candidates are ranked by.")
    gain: float = Field(description="Decades of the expected value above that of the undoped host.")
    carrier_prior: float = Field(description="Decades that the lithium content adds or takes (ordering, carriers).")
    realised: float = Field(description="Share of the dopants that stays on its site, 0 to 1.")
    in_domain: bool


class DopantStability(BaseModel):
    """Thermodynamics of a candidate; energies eV/atom, voltages V vs Li/Li+."""

    energy_above_hull: float
    synthesisability: float = Field(description="Proxy, 0 to 1, against the host, with mixing entropy.")
    reduction_limit: float
    oxidation_limit: float | None
    lithium_class: str = Field(description="stable, SEI or MCI.")
    lithium_energy: float = Field(description="Reaction with lithium.")
    lithium_products: list[str] = Field(description="Those that decide the class.")
    cathode: str | None
    cathode_energy: float | None = Field(description="Worse of the lithiated and half delithiated cathode.")
    cathode_class: str | None
    water_energy: float = Field(description="Reaction with water.")
    hydrogen_sulfide: bool
    band_gap: float = Field(description="eV, PBE scale, predicted.")


class DopantItem(BaseModel):
    """One ranked candidate."""

    rank: int
    formula: str = Field(description="Lithium first, per formula unit of the host.")
    mechanism: str = Field(description="Such as `Ga³⁺ on Li⁺, 2 lithium vacancies`.")
    kind: str
    substitutions: list[Substituted]
    conductivity: DopantConductivity
    stability: DopantStability | None = Field(description="Null where the hull lacks an element.")
    price_class: int = Field(
        description="Of the dearest dopant: 1 below 10 USD/kg, one for each decade, 5 from 10,000."
    )
    abundance: float = Field(description="Of the rarest dopant in the crust, mg/kg.")
    toxicity: Literal["low", "moderate", "high"]
    score: float = Field(description="Weighted score, 0 to 1.")
    pareto: bool = Field(description="Whether no other candidate is better in all objectives of the front.")
    parts: dict[str, float] = Field(description="What each objective contributes to the score, largest first.")


class ScanPoint(BaseModel):
    """One amount of a followed substitution."""

    amount: float = Field(description="Dopant atoms per formula unit.")
    formula: str
    conductivity: float = Field(description="S/cm, the model's.")
    lower: float
    upper: float
    expected: float = Field(description="S/cm, with the priors.")


class Scan(BaseModel):
    """A composition–conductivity curve."""

    substitution: str
    mechanism: str
    points: list[ScanPoint]
    maximum: float = Field(description="Amount at which the model's conductivity is largest.")
    inside: bool = Field(description="Whether that lies between the two ends.")
    expected_maximum: float = Field(description="The same of the expected conductivity.")
    expected_inside: bool
    note: str = Field(description="What the curve says, in words.")


class DefectItem(BaseModel):
    """One ion on one site, by the interatomic potential beside the fast energy."""

    dopant: str
    state: float
    site: str
    relative: float | None = Field(description="eV per dopant above its best site, by the potential; null: no salt.")
    reaction: float | None = Field(description="eV per dopant from the simple salts; null where one is missing.")
    fast: float = Field(description="Fast placement energy, eV, above the lowest of these sites.")
    atoms: int = Field(description="In the ordered cell.")
    converged: bool
    potential: str


class DopantsAnswer(BaseModel):
    """Ranked dopants of one host."""

    host: str
    host_conductivity: float = Field(description="Of the undoped host, the model's, S/cm.")
    host_expected: float = Field(description="The same with the prior on its lithium content, S/cm.")
    candidates: int = Field(description="Candidates enumerated and judged by the fast scores.")
    scored: int = Field(description="Of these, with the model's own answer and thermodynamics.")
    ranked: list[DopantItem]
    elements: dict[str, float] = Field(description="Best gain of each dopant alone, decades over the undoped host.")
    front: list[tuple[str, float, float, bool]] = Field(
        description="All scored candidates: formula, expected log10 S/cm, reaction with lithium, on the Pareto front."
    )
    scan: Scan | None = None
    defects: list[DefectItem] = []
    weights: dict[str, float]
    temperature_K: float
    model: str = Field(description="Version of the conductivity model.")
    hull: str
    warnings: list[str]
