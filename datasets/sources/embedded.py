"""The embedded data set: measured lithium electrolytes with citations, most of them with a crystal structure."""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal, cast, get_args

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.embedded.build import CrystalFacts, load_facts
from ionscout.datasets.errors import BadData
from ionscout.datasets.sources.base import Measurement, Source, normal_doi
from ionscout.datasets.structure import ConventionalCell, Material, parse_material

ZERO_CELSIUS = 273.15  # K
Kind = Literal["total", "bulk", "unknown"]

# One well-known electrolyte of each of eight families, from fast to slow; partial occupancy in six of them.
DEMO = (
    ("llzo_al_rangasamy2012", "Al-doped LLZO, cubic garnet"),
    ("lgps_kamaya2011", "LGPS"),
    ("li6ps5cl_boulineau2012", "Li6PS5Cl argyrodite"),
    ("latp_aono1990", "LATP, NASICON type"),
    ("li3ycl6_asano2018", "Li3YCl6 halide"),
    ("llto_inaguma1993_bulk", "LLTO perovskite"),
    ("li3ps4_gamma_tachez1984", "Li3PS4, gamma"),
    ("li2s_lin2013", "Li2S"),
)


@dataclass(frozen=True)
class DemoCrystal:
    """One bundled crystal for demonstrations: its CIF text and what was measured on it."""

    name: str
    cif: str
    measurement: Measurement
    reference: str


class Embedded(Source):
    """Conductivities and crystals that ship with the package (`datasets/embedded`)."""

    name = "embedded"

    def load(self) -> list[Measurement]:
        """Read every measurement; several may share one crystal.

        Raises:
            BadData: a row of the table cannot be read or names a crystal that is not there.
        """
        facts = {crystal.id: crystal for crystal in load_facts()}
        return [_measurement(row, facts) for row in _rows()]

    def card(self) -> str:
        return (files("ionscout.datasets.embedded") / "CARD.md").read_text(encoding="utf-8")


def cif_text(crystal: str) -> str:
    """CIF text of one bundled crystal.

    Raises:
        BadData: there is no crystal of that name.
    """
    path = files("ionscout.datasets.embedded") / "cifs" / f"{crystal}.cif"
    if not path.is_file():
        raise BadData(f"No bundled crystal is called '{crystal}'; run python -m ionscout.datasets.embedded.build.")
    return path.read_text(encoding="utf-8")


def demo_crystals() -> list[DemoCrystal]:
    """Eight crystals of eight families with their measured conductivity, cubic Al-doped LLZO first."""
    rows = {row["id"]: row for row in _rows()}
    facts = {crystal.id: crystal for crystal in load_facts()}
    return [
        DemoCrystal(name, cif_text(rows[key]["structure"]), _measurement(rows[key], facts), rows[key]["reference"])
        for key, name in DEMO
    ]


def _rows() -> Iterator[dict[str, str]]:
    text = (files("ionscout.datasets.embedded") / "measurements.csv").read_text(encoding="utf-8")
    return csv.DictReader(text.splitlines())


@lru_cache(maxsize=256)
def _material(crystal: str) -> Material:
    return parse_material(cif_text(crystal), "cif")


def _measurement(row: dict[str, str], facts: dict[str, CrystalFacts]) -> Measurement:
    try:
        crystal = facts[row["structure"]] if row["structure"] else None
        if row["kind"] not in get_args(Kind):
            raise ValueError(f"kind '{row['kind']}'")
        return Measurement(
            id=row["id"],
            formula=row["formula"],
            composition=parse_formula(row["formula"]),
            structure=_material(crystal.id).structure if crystal else None,
            log10_conductivity=math.log10(float(row["conductivity_S_cm"])),
            censored=row["censored"] == "true",
            temperature_K=float(row["temperature_C"]) + ZERO_CELSIUS,
            family=row["family"],
            doi=normal_doi(row["doi"]),
            source=Embedded.name,
            kind=cast(Kind, row["kind"]),
            activation_energy_eV=float(row["activation_energy_eV"]) if row["activation_energy_eV"] else None,
            cell=_cell(crystal) if crystal else None,
        )
    except (KeyError, ValueError) as error:
        raise BadData(f"Row '{row.get('id')}' of the embedded table cannot be read ({error}); correct it.") from None


def _cell(crystal: CrystalFacts) -> ConventionalCell:
    atoms = crystal.z * parse_formula(crystal.formula).num_atoms
    return ConventionalCell(crystal.number, crystal.lattice, atoms)
