"""What every source of measurements gives: `Measurement` rows, a data card and a content hash."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pymatgen.core import Composition, Structure

from ionscout.datasets.structure import ConventionalCell, Material, conventional_cell

ROOM_TEMPERATURE = 298.15  # K
Kind = Literal["total", "bulk", "unknown"]


@dataclass(frozen=True)
class Measurement:
    """One measured conductivity.

    Attributes:
        id: unique within its source.
        log10_conductivity: log10(σ / S cm⁻¹) at `temperature_K`; the bound itself when `censored`.
        censored: True when σ is only known to lie below the value.
        kind: total (bulk and grain boundaries), bulk, or unknown.
        log10_bulk: the same inside the grains, where a total conductivity is reported with it.
        activation_energy_eV: measured activation energy, if reported.
        cell: published conventional cell, also of rows without atomic positions.
        reference: key of the publication where its DOI is not known, such as `laskowski:111`.
        space_group: published number, also of rows without cell.

    `log10_conductivity` is NaN in a row that reports nothing but its activation energy.
    """

    id: str
    formula: str
    composition: Composition
    structure: Structure | None
    log10_conductivity: float
    censored: bool = False
    temperature_K: float = ROOM_TEMPERATURE
    family: str = ""
    doi: str = ""
    source: str = ""
    kind: Kind = "unknown"
    activation_energy_eV: float | None = None
    cell: ConventionalCell | None = None
    reference: str = ""
    space_group: int | None = None
    log10_bulk: float | None = None

    @property
    def name(self) -> str:
        """Source and id: unique among all rows."""
        return f"{self.source}:{self.id}"

    def material(self) -> Material:
        """The row as a predictor sees it; the cell of a known structure is found, not read, as for a user's file."""
        cell = conventional_cell(self.structure) if self.structure is not None else self.cell
        return Material(self.composition, self.structure, self.formula, "json", cell=cell)


def normal_doi(text: str) -> str:
    """A DOI in one spelling, so that rows of one paper are recognised: lower case, no address, no spaces."""
    return text.strip().lower().removeprefix("https://").removeprefix("http://").removeprefix("doi.org/").strip()


class Source(ABC):
    """A named set of measurements."""

    name: str

    @abstractmethod
    def load(self) -> list[Measurement]:
        """Read every row.

        Raises:
            DataUnavailable: when the files are not there; the message says how to get them.
            BadData: when they do not have the expected layout.
        """

    @abstractmethod
    def card(self) -> str:
        """Origin, licence, citation and known faults, as Markdown."""


def content_hash(measurements: Sequence[Measurement]) -> str:
    """sha256 over everything a model can learn from the rows, independent of their order."""
    lines = sorted(
        "|".join(
            [
                m.source,
                m.id,
                m.formula,
                f"{m.log10_conductivity:.6f}",
                str(m.censored),
                f"{m.temperature_K:.2f}",
                m.kind,
                "" if m.activation_energy_eV is None else f"{m.activation_energy_eV:.4f}",
                "" if m.structure is None else _structure_digest(m.structure),
            ]
        )
        for m in measurements
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _structure_digest(structure: Structure) -> str:
    sites = ";".join(f"{site.species.formula}@{site.frac_coords.round(4).tolist()}" for site in structure)
    return hashlib.sha256(f"{structure.lattice.matrix.round(4).tolist()}{sites}".encode()).hexdigest()
