"""Voltage plateaus against published ones: lithium uptake and products; what the hull holds instead, and why."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pymatgen.core import Composition
from scipy.optimize import linprog

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.errors import IonscoutError
from ionscout.datasets.hulls import Hull, TableHull, load_hull
from ionscout.models.thermo.window import Plateau, Window, window
from ionscout.training.benchmarks.thermo_report import table, write_report
from ionscout.training.benchmarks.windows import named, number, read_records

COLUMNS = ("formula", "V", "dn_Li_per_fu", "phases")
SAME_LITHIUM = 0.02  # per formula unit; published uptakes have two decimals


@dataclass(frozen=True)
class PlateauRow:
    """One published plateau and the hull's at the same voltage side.

    Attributes:
        voltage_deviation: computed − published onset in V, where lithium and products agree.
        matched: both agree.
        lithium_uptake, products: the hull's plateau of the most similar uptake.
        cost: how far the published products lie above the hull's equilibrium at the published voltage (V and eV per
            atom of electrolyte), 0 where they are the equilibrium, None where the hull lacks one of them.
        note: why they differ.
    """

    formula: str
    matched: bool = False
    voltage_deviation: float | None = None
    lithium_uptake: float | None = None
    products: str = ""
    cost: float | None = None
    note: str = ""


@dataclass(frozen=True)
class PlateausResult:
    hull: str
    hull_version: str
    correction: str
    n: int
    matched: int
    rows: tuple[PlateauRow, ...]
    left_out: tuple[str, ...] = ()  # phases of this hull that take the place of published products
    matched_without: int = 0  # plateaus matched once these are left out

    def as_dict(self) -> dict:
        return asdict(self)


def run(reference_csv: Path, hull_name: str | None = None) -> PlateausResult:
    """Compare a hull's plateaus with published ones.

    Args:
        reference_csv: columns formula, V (onset), dn_Li_per_fu and phases (joined by +).
        hull_name: as for `load_hull`.

    Raises:
        BadData, UnknownName, DataUnavailable.
    """
    hull = load_hull(hull_name)
    records = read_records(reference_csv, COLUMNS)
    rows = tuple(_row(record, hull) for record in records)
    left_out: set[str] = set()
    matched_without = matched = sum(row.matched for row in rows)
    # Leaving a phase out can bring forward another one that the publication did not know; three rounds are enough for
    # every system tried, and a phase that is still left shows in the count.
    for _ in range(3):
        trimmed = [_row(record, _without(hull, record["formula"], left_out)) for record in records]
        matched_without = sum(row.matched for row in trimmed)
        new = {
            formula
            for row, record in zip(trimmed, records, strict=True)
            if not row.matched and row.products
            for formula in row.products.split(" + ")
            if formula not in {Composition(phase).reduced_formula for phase in record["phases"].split("+")}
            and len(Composition(formula)) > 1
        } - {Composition(phase).reduced_formula for record in records for phase in record["phases"].split("+")}
        if not new:
            break
        left_out |= new
    return PlateausResult(
        hull=hull.name,
        hull_version=hull.version,
        correction=hull.correction,
        n=len(rows),
        matched=matched,
        rows=rows,
        left_out=tuple(sorted(left_out)),
        matched_without=matched_without,
    )


def _without(hull: Hull, formula: str, left_out: set[str]) -> Hull:
    """The chemical system of one electrolyte, some phases left out."""
    try:
        elements = {element.symbol for element in parse_formula(formula).elements} | {"Li"}
        kept = [phase for phase in hull.phases(elements) if phase.formula not in left_out]
    except IonscoutError:
        return hull
    return TableHull(
        hull.name, hull.version, hull.correction, [p.formula for p in kept], [p.energy for p in kept], "kept"
    )


def markdown(result: PlateausResult) -> str:
    """The report as a page; published values stay in the reference table, only deviations are shown."""
    rows = [
        (r.formula, r.lithium_uptake, r.products, r.matched, _milli(r.voltage_deviation), _milli(r.cost), r.note)
        for r in result.rows
    ]
    header = ["electrolyte", "Li uptake", "products here", "as published", "ΔV (mV)", "cost (meV/atom)", "note"]
    return "\n\n".join(
        [
            "# Plateaus against published ones",
            f"Hull {result.hull} {result.hull_version} ({result.correction}). {result.matched} of {result.n} plateaus "
            "of Zhu, He and Mo (2015) have the same lithium uptake and products. *Cost* is how far the published "
            "products lie above this hull's equilibrium at the published voltage, per atom of electrolyte.",
            table(header, rows),
            f"With {', '.join(result.left_out)} left out of the hull, {result.matched_without} of {result.n} match."
            if result.left_out
            else "",
        ]
    )


def report(reference_csv: Path, hull_name: str | None = None, folder: Path | None = None) -> PlateausResult:
    """Run, and write `plateaus.{json,md}` into a folder (by default `benchmarks/`)."""
    result = run(reference_csv, hull_name)
    name = "plateaus" if result.hull == "mp-2019" else f"plateaus-{result.hull}"
    write_report(name, result.as_dict(), markdown(result), folder)
    return result


def _row(record: dict[str, str], hull: Hull) -> PlateauRow:
    formula, phases = record["formula"], record["phases"].split("+")
    onset, uptake = number(record["V"]), number(record["dn_Li_per_fu"])
    try:
        found = window(parse_formula(formula), hull)
    except IonscoutError as error:
        return PlateauRow(formula, note=str(error))
    if onset is None or uptake is None:
        return PlateauRow(formula, note="no voltage or uptake in the reference table")
    nearest = min(found.plateaus, key=lambda plateau: abs(plateau.lithium_uptake - uptake))
    wanted = {Composition(phase).reduced_formula for phase in phases}
    same_lithium = abs(nearest.lithium_uptake - uptake) <= SAME_LITHIUM
    matched = same_lithium and {product.formula for product in nearest.products} == wanted
    cost, note = (0.0, "") if matched else _explain(found, hull, phases, onset, uptake, nearest)
    return PlateauRow(
        formula=formula,
        matched=matched,
        voltage_deviation=_onset(nearest) - onset if matched else None,
        lithium_uptake=nearest.lithium_uptake,
        products=named(nearest.products),
        cost=cost,
        note=note,
    )


def _onset(plateau: Plateau) -> float:
    """The end of the plateau next to the window: the upper one for uptake, the lower one for loss."""
    upper = plateau.voltage_high if plateau.voltage_high is not None else plateau.voltage_low
    return upper if plateau.lithium_uptake > 0 else plateau.voltage_low


def _explain(
    found: Window, hull: Hull, phases: Sequence[str], onset: float, uptake: float, nearest: Plateau
) -> tuple[float | None, str]:
    """Cost of the published products at the middle of their reaction, and what the hull prefers to them."""
    missing = [phase for phase in phases if hull.energy_of(Composition(phase)) is None]
    if missing:
        return None, f"the hull has no {', '.join(missing)}"
    unit = parse_formula(found.formula)
    voltage = max(onset + (-0.001 if uptake > 0 else 0.001), 0.0)  # just inside the published plateau
    equilibrium = found.plateau_at(voltage)
    best = _potential(unit, hull, [product.formula for product in equilibrium.products], voltage)
    theirs = _potential(unit, hull, phases, voltage)
    if best is None or theirs is None:
        return None, "the published products cannot be balanced"
    cost = (theirs - best) / unit.num_atoms
    new = sorted({p.formula for p in (*equilibrium.products, *nearest.products)} - set(phases))
    return cost, f"{', '.join(new)} on this hull take{'s' if len(new) == 1 else ''} their place"


def _potential(unit: Composition, hull: Hull, phases: Sequence[str], voltage: float) -> float | None:
    """Lowest grand potential (eV per formula unit) of given phases alone, or None if they cannot hold its atoms."""
    compositions = [Composition(phase) for phase in phases]
    elements = sorted({el.symbol for c in (unit, *compositions) for el in c.elements} - {"Li"})
    cost = [(hull.energy_of(c) or 0.0) * c.num_atoms + voltage * c["Li"] for c in compositions]
    matrix = np.array([[c[symbol] for c in compositions] for symbol in elements])
    result = linprog(cost, A_eq=matrix, b_eq=[unit[symbol] for symbol in elements], method="highs")
    return float(result.fun) if result.success else None


def _milli(value: float | None) -> float | None:
    return None if value is None else round(1000 * value, 1)
