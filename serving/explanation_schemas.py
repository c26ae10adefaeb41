"""What `/predict` says about why, when `explain` is true."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

EXPLAIN = (
    "Whether to add why: contributions of species and sites, lithium paths, nearest measured materials; takes about a "
    "second for each material."
)


class SpeciesShare(BaseModel):
    """What one element adds, compared with a typical anion or cation in its place."""

    model_config = ConfigDict(from_attributes=True)

    element: str
    role: Literal["anion", "cation"]
    decades: float = Field(description="Shapley value: with `baseline` they add up to the prediction's logarithm.")


class SiteShare(BaseModel):
    """One kind of crystallographic site."""

    model_config = ConfigDict(from_attributes=True)

    label: str = Field(description="Elements, largest share first, and a running number.")
    sites: int = Field(description="Such sites in the cell that was sent.")
    occupancy: float = Field(description="Of all species together.")
    decades: float | None = Field(
        description="Lost if lithium left the site, or typical species took it; null for the only lithium site."
    )


class LithiumPathsSummary(BaseModel):
    """The lithium sub-lattice: sites that hold lithium, and straight hops between them."""

    model_config = ConfigDict(from_attributes=True)

    hop: float = Field(description="Longest hop that counts for `dimension`, Å.")
    dimension: int = Field(ge=0, le=3, description="Dimensions in which such hops lead on for ever.")
    percolation: tuple[float | None, float | None, float | None] = Field(
        description="Longest hop needed to percolate in 1, 2 and 3 dimensions, Å; null: not within 6 Å."
    )
    bottleneck: tuple[float | None, float | None, float | None] = Field(
        description="Radius (Å) of the sphere that passes the widest such path without touching framework ions."
    )
    shortest_hop: float | None = Field(description="Å.")
    mean_occupancy: float = Field(description="By lithium, of the sites that hold it.")
    sites: int = Field(description="Kinds of sites that hold lithium.")
    borrowed_from: str | None = Field(
        None,
        description="Crystal whose sites, filled with the formula, these paths are of; null: those of the one sent.",
    )


class MeasuredNeighbour(BaseModel):
    """A measured material near the one that was asked for."""

    formula: str
    conductivity: float = Field(description="Measured, S/cm; the upper bound where `censored`.")
    censored: bool
    temperature_K: float
    kind: Literal["total", "bulk", "unknown"]
    activation_energy: float | None = Field(description="eV, where it was measured.")
    family: str
    doi: str
    reference: str = Field(description="The publication where its DOI is not known.")
    source: str
    distance: float = Field(description="Element-mover's distance of the formulas; 0: the same formula.")
    same_space_group: bool | None = Field(description="Null where one of the two is not known.")


class ExplanationSummary(BaseModel):
    """Why a conductivity was predicted; logarithms of S/cm at `temperature_K`, contributions in decades."""

    temperature_K: float
    prediction: float = Field(description="log10 of the predicted conductivity.")
    baseline: float = Field(description="The same with every element but lithium replaced by a typical one.")
    species: list[SpeciesShare]
    sites: list[SiteShare] = Field(description="Each asked alone, in the crystal; empty for a formula.")
    sites_remainder: float | None = Field(description="What the sites leave of prediction − baseline.")
    lithium_paths: LithiumPathsSummary | None
    lithium_paths_unknown: str | None = Field(None, description="Why `lithium_paths` is null.")
    neighbours: list[MeasuredNeighbour]
    searched: list[str] = Field(description="Sources in which neighbours were looked for.")
    rows_searched: int
    text: list[str] = Field(description="The same in sentences.")
