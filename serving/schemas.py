"""The JSON of the service, as pydantic models: what a request holds and what an answer says, units included."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, RootModel, Tag, model_validator

from ionscout.models.conductivity.kinds import KIND, ConductivityKind
from ionscout.serving.explanation_schemas import EXPLAIN, ExplanationSummary
from ionscout.serving.summaries import HULL, HullName, InterphaseSummary, WindowSummary

ROOM_TEMPERATURE = 298.15  # K
COLDEST, HOTTEST = 100.0, 1500.0  # K: outside, Arrhenius extrapolation from data near 300 K says nothing


class CrystalRequest(BaseModel):
    """One crystal (`text`, with `format`) or one composition (`formula`)."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: Literal["cif", "poscar", "json"] | None = Field(
        None, description="Format of `text`; recognised from the text when left out."
    )
    text: str | None = Field(
        None, description="Content of one CIF, POSCAR or pymatgen JSON; at most 1 MB and 500 sites. Not a path."
    )
    formula: str | None = Field(None, description="Chemical formula, e.g. Li6.4La3Zr1.4Ta0.6O12.")
    temperature_K: float = Field(
        ROOM_TEMPERATURE,
        allow_inf_nan=False,
        description=f"Temperature in kelvin, {COLDEST:.0f} to {HOTTEST:.0f}; default {ROOM_TEMPERATURE}.",
    )
    kind: ConductivityKind = Field("total", description=f"Which conductivity is wanted: {KIND}")
    thermodynamics: bool = Field(
        True, description="Whether to add window, energy above hull and lithium interphase; false saves their time."
    )
    hull: HullName | None = Field(None, description=HULL)
    explain: bool = Field(False, description=EXPLAIN)

    @model_validator(mode="after")
    def _one_of_text_and_formula(self) -> "CrystalRequest":
        if (self.text is None) == (self.formula is None):
            raise ValueError("Give either text (with format) or formula, one of the two.")
        if self.formula is not None and self.format is not None:
            raise ValueError("format belongs to text; leave it out beside formula.")
        if not COLDEST <= self.temperature_K <= HOTTEST:
            raise ValueError(temperature_sentence(self.temperature_K))
        return self


def temperature_sentence(value: float) -> str:
    """What to tell a user whose temperature is outside the range; celsius by mistake is the usual reason."""
    hint = f"; did you mean {value:g} °C? Give {value + 273.15:g}." if -150 < value < COLDEST else "."
    return f"temperature_K is {value:g}, but must lie between {COLDEST:.0f} and {HOTTEST:.0f} kelvin{hint}"


class Conductivity(BaseModel):
    """Ionic conductivity with its interval."""

    value: float = Field(description="Predicted ionic conductivity at `temperature_K`, in `unit`.")
    kind: ConductivityKind = Field("total", description=f"Which conductivity it is: {KIND}")
    unit: Literal["S/cm"] = "S/cm"
    lower: float = Field(description="Lower end of the interval, in `unit`.")
    upper: float = Field(description="Upper end of the interval, in `unit`.")
    coverage: float = Field(description="Share of measurements that such intervals hold, e.g. 0.9.")
    temperature_K: float = Field(description="Temperature of the prediction, in kelvin.")
    in_domain: bool = Field(description="Whether the material resembles the training data; if not, trust it less.")
    novelty: float | None = Field(
        None, description="How little the training data says of it; `in_domain` ends at 1. Null when not known."
    )
    path: Literal["structure", "cell", "template", "composition"] = Field(
        description="What the answer rests on: the crystal, its cell without coordinates, the cells of the formula's "
        "nearest relatives, or the formula alone."
    )
    model: str = Field(description="Name of the model that answered.")
    version: str = Field(description="Version of the model that answered.")


class ActivationEnergy(BaseModel):
    """Arrhenius activation energy of σT."""

    value: float = Field(description="Predicted activation energy, in `unit`.")
    lower: float = Field(description="Lower end of the interval, in `unit`; not below 0.")
    upper: float = Field(description="Upper end of the interval, in `unit`.")
    coverage: float = Field(description="Share of new measurements that the interval should hold.")
    in_domain: bool = Field(description="Whether the training data has materials of this kind.")
    unit: Literal["eV"] = "eV"
    model: str
    version: str


class Prediction(BaseModel):
    """Everything ionscout says about one material. Later versions add keys beside `conductivity`.

    The thermodynamic fields are null when they were not wanted, or cannot be answered; a warning then says why.
    """

    formula: str = Field(description="The composition as it was understood, one formula unit.")
    source_format: str = Field(description="What it was read from: cif, poscar, json or formula.")
    conductivity: Conductivity
    activation_energy: ActivationEnergy | None = Field(None, description="Null when the model does not predict it.")
    window: WindowSummary | None = Field(None, description="Voltages between which it neither takes up nor loses Li.")
    energy_above_hull: float | None = Field(None, description="eV/atom; null when the hull has no such composition.")
    lithium_interphase: InterphaseSummary | None = Field(None, description="What forms on lithium metal.")
    explanation: ExplanationSummary | None = Field(None, description="Why; only where `explain` was true.")
    warnings: list[str] = Field(default_factory=list, description="What a careful reader should know.")


class ModelCard(BaseModel):
    """A model that answers requests, with what it was trained on and how well it does."""

    name: str
    version: str
    source: str = Field(description="`shipped`, or the registry address the model was loaded from.")
    trained_on: str = Field("", description="The data sets, in words.")
    data_sha256: dict[str, str] = Field(default_factory=dict, description="Content hash of each training set.")
    metrics: dict[str, Any] = Field(
        default_factory=dict, description="Out-of-fold scores; errors in decades (log10 of conductivity)."
    )
    card: dict[str, Any] = Field(description="The whole model card: split, calibration, configuration, code version.")


class ModelList(BaseModel):
    models: list[ModelCard]


def _one_or_many(value: Any) -> str:
    return "many" if isinstance(value, list) else "one"


def one_or_many(model: type[BaseModel]) -> Any:
    """The type "one of these, or a list of them", whose errors name the position and nothing of the union."""
    choose: Callable[[Any], str] = _one_or_many
    return Annotated[
        Annotated[model, Tag("one")] | Annotated[list[model], Tag("many")],  # type: ignore[valid-type]
        Discriminator(choose),
    ]


class PredictRequest(RootModel[one_or_many(CrystalRequest)]):  # type: ignore[misc]
    """One crystal or a list of crystals."""


class PredictAnswer(RootModel[one_or_many(Prediction)]):  # type: ignore[misc]
    """One prediction, or a list of them in the order of the request."""
