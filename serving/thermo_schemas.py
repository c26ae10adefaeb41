"""The JSON of the thermodynamic routes: what is asked, and what is answered with units, hull and version."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, RootModel, Tag, model_validator

from ionscout.serving.schemas import one_or_many
from ionscout.serving.summaries import HULL, HullName

VOLTAGE = "Voltage of a lithium reservoir, V vs Li/Li+, -1 to 8; closed system when left out."
MAX_LISTED = 64  # rows or columns of a matrix


class Asked(BaseModel):
    """What every thermodynamic request holds."""

    model_config = ConfigDict(extra="forbid", strict=True)

    hull: HullName | None = Field(None, description=HULL)


class MaterialRequest(BaseModel):
    """One crystal (`text`, with `format`) or one composition (`formula`); lithium is not needed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: Literal["cif", "poscar", "json"] | None = Field(None, description="Format of `text`; else recognised.")
    text: str | None = Field(None, description="Content of one CIF, POSCAR or pymatgen JSON. Not a path.")
    formula: str | None = Field(None, description="Chemical formula, e.g. Li6.4La3Zr1.4Ta0.6O12.")

    @model_validator(mode="after")
    def _one_of_text_and_formula(self) -> "MaterialRequest":
        if (self.text is None) == (self.formula is None):
            raise ValueError("Give either text (with format) or formula, one of the two.")
        if self.formula is not None and self.format is not None:
            raise ValueError("format belongs to text; leave it out beside formula.")
        return self


class WindowQuestion(MaterialRequest, Asked):
    """A material whose electrochemical window is asked for."""


def _reactant_kind(value: Any) -> str:
    return "as text" if isinstance(value, str) else "as object"


_choose: Callable[[Any], str] = _reactant_kind
Reactant = Annotated[
    Annotated[str, Tag("as text")] | Annotated[MaterialRequest, Tag("as object")],
    Discriminator(_choose),
    Field(description="Formula, name of the electrode catalogue (LCO, NMC811, …), or an object with text or formula."),
]


class InterfaceQuestion(Asked):
    """Two solids in contact."""

    a: Reactant = Field(description="First reactant, usually the electrolyte.")
    b: Reactant = Field(description="Second reactant: lithium, a cathode, a coating.")
    voltage: float | None = Field(None, allow_inf_nan=False, description=VOLTAGE)
    half_lithiated: bool = Field(False, description="Take `b` half delithiated, as in a charged cell.")


class InterfaceMatrixRequest(Asked):
    """Every row in contact with every column."""

    rows: list[Reactant] = Field(min_length=1, max_length=MAX_LISTED, description="Electrolytes.")
    columns: list[Reactant] = Field(min_length=1, max_length=MAX_LISTED, description="Electrodes or coatings.")
    voltage: float | None = Field(None, allow_inf_nan=False, description=VOLTAGE)
    half_lithiated: bool = Field(
        False, description="Put after each column that holds lithium the same material half delithiated."
    )


class Answered(BaseModel):
    """What every thermodynamic answer states."""

    model_config = ConfigDict(from_attributes=True)

    hull: str = Field(description="Set of phases that answered.")
    hull_version: str = Field(description="Version of that set; changes whenever an energy in it does.")
    correction: str = Field(description="Energy-correction scheme of the hull.")


class ProductAmount(BaseModel):
    """A phase and how many of its formula units form."""

    model_config = ConfigDict(from_attributes=True)

    formula: str
    amount: float = Field(description="Formula units, per formula unit of the reactants.")


class PlateauAnswer(BaseModel):
    """A voltage range with one set of equilibrium products."""

    model_config = ConfigDict(from_attributes=True)

    voltage_high: float | None = Field(description="V vs Li/Li+; null: no upper end.")
    voltage_low: float = Field(description="V vs Li/Li+.")
    lithium_uptake: float = Field(description="Lithium taken up per formula unit; negative: lost; 0: the window.")
    products: list[ProductAmount]
    energy: float = Field(description="Decomposition energy at the far end of the plateau, eV per electrolyte atom.")


class WindowAnswer(Answered):
    """Electrochemical window of one material."""

    formula: str
    voltage_unit: Literal["V vs Li/Li+"] = "V vs Li/Li+"
    energy_unit: Literal["eV/atom"] = "eV/atom"
    reduction_limit: float = Field(description="Highest voltage at which lithium uptake starts, V vs Li/Li+.")
    oxidation_limit: float | None = Field(
        description="Lowest voltage at which lithium loss starts, V vs Li/Li+; null without lithium to lose."
    )
    practical_reduction_limit: float | None = Field(
        description="Reduction limit extended by products that block electrons, V vs Li/Li+."
    )
    practical_oxidation_limit: float | None = Field(
        description="Oxidation limit extended likewise; null: nothing that blocks electrons is oxidised further."
    )
    practical_reduction_reason: str | None = None
    practical_oxidation_reason: str | None = None
    plateaus: list[PlateauAnswer] = Field(description="From low to high voltage, the window itself included.")
    decomposition_energy_0V: float = Field(description="At 0 V, eV per electrolyte atom, lithium not counted.")
    decomposition_energy_5V: float = Field(description="At 5 V, eV per electrolyte atom, lithium not counted.")
    products_0V: list[ProductAmount]
    products_5V: list[ProductAmount]
    energy_above_hull: float | None = Field(description="eV/atom; null when the hull has no such entry.")
    decomposition_products: list[ProductAmount] = Field(description="Equilibrium without exchange of lithium.")
    lithium_shift: float = Field(description="Lithium per formula unit by which a rounded formula was corrected.")
    warnings: list[str] = Field(default_factory=list)


class KinkAnswer(BaseModel):
    """One point of the mixing line at which the products change."""

    model_config = ConfigDict(from_attributes=True)

    mixing_ratio: float = Field(description="Share of the atoms that come from `a`, 0 to 1.")
    energy: float = Field(description="eV per atom of both reactants; negative: exothermic.")
    total_energy: float = Field(description="At a voltage, with what each reactant does alone; else the same.")
    products: list[ProductAmount]
    reaction: str


class InterfaceAnswer(Answered):
    """Reactions of two solids along their mixing line."""

    a: str
    b: str
    voltage: float | None = Field(description="V vs Li/Li+; null: closed system.")
    energy_unit: Literal["eV/atom"] = "eV/atom"
    reaction_energy: float = Field(description="Most exothermic mixing reaction, eV per atom of both reactants.")
    reaction_energy_per_electrolyte_atom: float = Field(description="The same reaction, eV per atom of `a`.")
    mixing_ratio: float = Field(description="Share of the atoms that come from `a` in that reaction.")
    products: list[ProductAmount]
    reaction: str
    kinks: list[KinkAnswer] = Field(description="From pure `b` (ratio 0) to pure `a` (1).")
    total_reaction_energy: float
    total_mixing_ratio: float
    total_products: list[ProductAmount]
    decomposition_energy_a: float = Field(description="What `a` does alone at the voltage, eV/atom; 0 when closed.")
    decomposition_energy_b: float
    warnings: list[str] = Field(default_factory=list)


class MatrixCell(BaseModel):
    """One pair of the matrix, or the sentence that says why it has no answer."""

    reaction_energy: float | None = Field(description="eV per atom of both reactants; null with an error.")
    reaction_energy_per_electrolyte_atom: float | None
    mixing_ratio: float | None
    products: list[ProductAmount]
    error: str | None = None


class InterfaceMatrixAnswer(Answered):
    """Interfaces of every row with every column."""

    rows: list[str]
    columns: list[str]
    voltage: float | None
    energy_unit: Literal["eV/atom"] = "eV/atom"
    cells: list[list[MatrixCell]] = Field(description="[row][column]")


class WindowRequest(RootModel[one_or_many(WindowQuestion)]):  # type: ignore[misc]
    """One material or a list of materials."""


class WindowAnswers(RootModel[one_or_many(WindowAnswer)]):  # type: ignore[misc]
    """One window, or a list of them in the order of the request."""


class InterfaceRequest(RootModel[one_or_many(InterfaceQuestion)]):  # type: ignore[misc]
    """One pair or a list of pairs."""


class InterfaceAnswers(RootModel[one_or_many(InterfaceAnswer)]):  # type: ignore[misc]
    """One interface, or a list of them in the order of the request."""
