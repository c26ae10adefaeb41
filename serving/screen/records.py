"""What a screen writes about one row: flat columns with units in their names, in meaningful digits.

The digits are also what makes results reproducible to the byte. A row's answer is a function of the row alone up to
rounding in the last bits (which rows share its batch, what a linear program solved before); four significant digits of
a conductivity computed in double precision, and 0.1 mV or 0.1 meV/atom, are far above that and far below any error of
the models.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from ionscout.serving.screen.options import ScreenOptions

SIGNIFICANT = 4  # digits of conductivities
DECIMALS = 4  # of eV, eV/atom, V and amounts
GOOD, BAD = "+", "-"  # first character of a line of a shard


@dataclass(frozen=True)
class Record:
    """The answers about one row; None where it was not asked, or where `warnings` say why there is none.

    Attributes:
        row, id: position in the input from 0, and the input's name of it.
        formula: the composition as it was understood.
        conductivity_S_cm, …: with its interval of `coverage`; `path` says what it rests on, as in `/predict`.
        conductivity_kind: total or bulk.
        reduction_limit_V, oxidation_limit_V: thermodynamic window, V vs Li/Li⁺; practical ones likewise.
        energy_above_hull_eV_atom: None when the hull has no such composition.
        decomposition_products: what it decomposes into without exchange of lithium, with amounts.
        interphase_class: stable, SEI or MCI on lithium metal, `driving_force` in eV per atom of both reactants.
        model, hull: what answered, with versions.
    """

    row: int
    id: str
    formula: str
    source_format: str
    conductivity_S_cm: float | None = None
    conductivity_lower_S_cm: float | None = None
    conductivity_upper_S_cm: float | None = None
    coverage: float | None = None
    conductivity_kind: str | None = None
    temperature_K: float | None = None
    in_domain: bool | None = None
    path: str | None = None
    activation_energy_eV: float | None = None
    activation_energy_lower_eV: float | None = None
    activation_energy_upper_eV: float | None = None
    model: str | None = None
    reduction_limit_V: float | None = None
    oxidation_limit_V: float | None = None
    practical_reduction_limit_V: float | None = None
    practical_oxidation_limit_V: float | None = None
    energy_above_hull_eV_atom: float | None = None
    decomposition_products: tuple[str, ...] | None = None
    interphase_class: str | None = None
    interphase_driving_force_eV_atom: float | None = None
    deciding_products: tuple[str, ...] | None = None
    hull: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class BadRow:
    """A row without an answer, for the side file: where it stands, the kind of problem, and what to do about it."""

    row: int
    id: str
    title: str
    reason: str


_ALWAYS = ("row", "id", "formula", "source_format")
_OF = {
    "conductivity": (
        "conductivity_S_cm",
        "conductivity_lower_S_cm",
        "conductivity_upper_S_cm",
        "coverage",
        "conductivity_kind",
        "temperature_K",
        "in_domain",
        "path",
        "activation_energy_eV",
        "activation_energy_lower_eV",
        "activation_energy_upper_eV",
        "model",
    ),
    "window": (
        "reduction_limit_V",
        "oxidation_limit_V",
        "practical_reduction_limit_V",
        "practical_oxidation_limit_V",
    ),
    "stability": ("energy_above_hull_eV_atom", "decomposition_products"),
    "interphase": ("interphase_class", "interphase_driving_force_eV_atom", "deciding_products"),
}


def columns(options: ScreenOptions) -> tuple[str, ...]:
    """The columns that a screen writes, in order."""
    wanted = {*_ALWAYS, "warnings", *(["hull"] if options.thermodynamic else [])}
    for name in options.predictions:
        wanted |= set(_OF[name])
    return tuple(field.name for field in fields(Record) if field.name in wanted)


def encode(records: Iterable[Record | BadRow], names: tuple[str, ...]) -> list[str]:
    """One line per record, JSON behind `GOOD` or `BAD`.

    Raises:
        ValueError: a number that is not finite.
    """
    return [
        GOOD + _line({name: getattr(record, name) for name in names})
        if isinstance(record, Record)
        else BAD + _line(vars(record))
        for record in records
    ]


def significant(value: float) -> float:
    """A number to `SIGNIFICANT` digits."""
    return float(f"{value:.{SIGNIFICANT}g}")


def decimal(value: float | None) -> float | None:
    """A number to `DECIMALS` decimals, without negative zero."""
    return None if value is None else round(value, DECIMALS) + 0.0


def is_finite(record: Record) -> bool:
    """Whether all numbers of a record are."""
    return all(math.isfinite(value) for value in vars(record).values() if isinstance(value, float))


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(", ", ": "))
