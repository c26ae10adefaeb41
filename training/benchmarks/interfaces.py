"""Interface energies against published ones, cathodes lithiated and half delithiated."""

from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.errors import IonscoutError
from ionscout.datasets.hulls import Hull, load_hull
from ionscout.models.thermo.interface import half_delithiated, interface
from ionscout.training.benchmarks.thermo_report import table, write_report
from ionscout.training.benchmarks.windows import named, number, read_records

FULL, HALF = "dE_rxt_meV_atom_lithiated", "dE_rxt_meV_atom_half_lithiated"
COLUMNS = ("A", "B_formula_fully_lithiated", FULL, HALF)
GATE = -100.0  # meV/atom; a coating that reacts more strongly than this is dropped by Xiao et al. 2019


@dataclass(frozen=True)
class InterfaceRow:
    """One published interface and what the hull says; energies in meV per atom of both reactants."""

    a: str
    b: str
    half_lithiated: bool
    reaction_energy: float | None = None
    deviation: float | None = None
    same_side_of_gate: bool | None = None
    mixing_ratio: float | None = None
    products: str = ""
    reason: str | None = None  # why this row has no answer


@dataclass(frozen=True)
class InterfacesResult:
    """All rows, answered or not, and the scores over those with an answer."""

    hull: str
    hull_version: str
    correction: str
    n: int
    mae_meV_atom: float | None
    median_meV_atom: float | None
    gate_agreement: float | None
    rows: tuple[InterfaceRow, ...]
    unanswered: int

    def as_dict(self) -> dict:
        return asdict(self)


def run(reference_csv: Path, hull_name: str | None = None) -> InterfacesResult:
    """Compare a hull's closed interface energies with a table of published ones.

    Args:
        reference_csv: columns A, B_formula_fully_lithiated, dE_rxt_meV_atom_lithiated and
            dE_rxt_meV_atom_half_lithiated; a pair has one row for each of the last two that is not empty. For the last
            one B goes in with half of its lithium.
        hull_name: as for `load_hull`.

    Raises:
        BadData: the table lacks a column or has no rows.
        UnknownName, DataUnavailable: the hull.
    """
    hull = load_hull(hull_name)
    rows = []
    for record in read_records(reference_csv, COLUMNS):
        for column, half in ((FULL, False), (HALF, True)):
            published = number(record[column])
            if published is not None:
                rows.append(_row(record["A"], record["B_formula_fully_lithiated"], half, published, hull))
    errors = [abs(row.deviation) for row in rows if row.deviation is not None]
    sides = [row.same_side_of_gate for row in rows if row.same_side_of_gate is not None]
    return InterfacesResult(
        hull=hull.name,
        hull_version=hull.version,
        correction=hull.correction,
        n=len(errors),
        mae_meV_atom=mean(errors) if errors else None,
        median_meV_atom=median(errors) if errors else None,
        gate_agreement=sum(sides) / len(sides) if sides else None,
        rows=tuple(rows),
        unanswered=sum(row.reason is not None for row in rows),
    )


def markdown(result: InterfacesResult) -> str:
    """The report as a page; published values stay in the reference table, only deviations are shown."""
    rows = [
        (
            r.a,
            r.b,
            "half" if r.half_lithiated else "full",
            _round(r.reaction_energy),
            _round(r.deviation),
            r.same_side_of_gate,
            r.products,
            r.reason or "",
        )
        for r in result.rows
    ]
    header = ["A", "B", "lithium in B", "energy (meV/atom)", "Δ (meV/atom)", "gate agrees", "products", "note"]
    scores = [(result.n, _round(result.mae_meV_atom), _round(result.median_meV_atom), result.gate_agreement)]
    return "\n\n".join(
        [
            "# Interface reaction energies against published ones",
            f"Hull {result.hull} {result.hull_version} ({result.correction}). Closed system, worst mixing ratio, per "
            f"atom of both reactants. {result.unanswered} of {len(result.rows)} rows without an answer. "
            "Written by `ionscout benchmark interfaces --reference CSV --hull NAME`.",
            table(["n", "mean absolute error (meV/atom)", "median (meV/atom)", "same side of −100 meV/atom"], scores),
            table(header, rows),
        ]
    )


def report(reference_csv: Path, hull_name: str | None = None, folder: Path | None = None) -> InterfacesResult:
    """Run, and write `interfaces.{json,md}` into a folder (by default `benchmarks/`)."""
    result = run(reference_csv, hull_name)
    name = "interfaces" if result.hull == "mp-2019" else f"interfaces-{result.hull}"
    write_report(name, result.as_dict(), markdown(result), folder)
    return result


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _row(a: str, b: str, half: bool, published: float, hull: Hull) -> InterfaceRow:
    try:
        partner = half_delithiated(b) if half else parse_formula(b)
        found = interface(parse_formula(a), partner, hull)
    except IonscoutError as error:
        return InterfaceRow(a, b, half, reason=str(error))
    energy = 1000 * found.reaction_energy
    return InterfaceRow(
        a=a,
        b=b,
        half_lithiated=half,
        reaction_energy=energy,
        deviation=energy - published,
        same_side_of_gate=(energy > GATE) == (published > GATE),
        mixing_ratio=found.mixing_ratio,
        products=named(found.products),
    )
