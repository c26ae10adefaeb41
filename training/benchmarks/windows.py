"""Windows against published ones: reduction and oxidation limits, products, plateaus, decomposition energies."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.errors import BadData, IonscoutError
from ionscout.datasets.hulls import Hull, load_hull
from ionscout.models.thermo.equilibrium import Product
from ionscout.models.thermo.window import Window, window
from ionscout.training.benchmarks.thermo_report import table, write_report

COLUMNS = ("formula", "V_red", "V_ox")


@dataclass(frozen=True)
class LimitScore:
    """Error of one limit over the rows that have it. NaN-free: `mae_V` is None without any row."""

    n: int
    mae_V: float | None
    median_V: float | None


@dataclass(frozen=True)
class WindowRow:
    """One published window and what the hull says; deviations are computed − published, V."""

    formula: str
    reduction_limit: float | None = None
    oxidation_limit: float | None = None
    reduction_deviation: float | None = None
    oxidation_deviation: float | None = None
    reduction_products: str = ""
    oxidation_products: str = ""
    decomposition_energy_0V: float | None = None
    decomposition_energy_5V: float | None = None
    warnings: tuple[str, ...] = ()
    reason: str | None = None  # why this row has no answer


@dataclass(frozen=True)
class WindowsResult:
    """All rows, answered or not, and the scores over those with an answer."""

    hull: str
    hull_version: str
    correction: str
    reduction: LimitScore
    oxidation: LimitScore
    rows: tuple[WindowRow, ...]
    unanswered: int

    def as_dict(self) -> dict:
        return asdict(self)


def run(reference_csv: Path, hull_name: str | None = None) -> WindowsResult:
    """Compare a hull's windows with a table of published ones.

    Args:
        reference_csv: columns formula, V_red, V_ox (V vs Li/Li⁺; empty where not published); others are ignored.
        hull_name: as for `load_hull`.

    Raises:
        BadData: the table lacks a column or has no rows.
        UnknownName, DataUnavailable: the hull.
    """
    hull = load_hull(hull_name)
    rows = [_row(record, hull) for record in read_records(reference_csv, COLUMNS)]
    return WindowsResult(
        hull=hull.name,
        hull_version=hull.version,
        correction=hull.correction,
        reduction=_score([row.reduction_deviation for row in rows]),
        oxidation=_score([row.oxidation_deviation for row in rows]),
        rows=tuple(rows),
        unanswered=sum(row.reason is not None for row in rows),
    )


def markdown(result: WindowsResult) -> str:
    """The report as a page; published values stay in the reference table, only deviations are shown."""
    rows = [
        (
            row.formula,
            row.reduction_limit,
            _milli(row.reduction_deviation),
            row.reduction_products,
            row.oxidation_limit,
            _milli(row.oxidation_deviation),
            row.oxidation_products,
            row.reason or " ".join(row.warnings),
        )
        for row in result.rows
    ]
    scores = [
        (name, score.n, _milli(score.mae_V), _milli(score.median_V))
        for name, score in (("reduction", result.reduction), ("oxidation", result.oxidation))
    ]
    header = ["electrolyte", "reduction (V)", "Δ (mV)", "products", "oxidation (V)", "Δ (mV)", "products", "note"]
    return "\n\n".join(
        [
            "# Electrochemical windows against published ones",
            f"Hull {result.hull} {result.hull_version} ({result.correction}). "
            f"{result.unanswered} of {len(result.rows)} rows without an answer. "
            "Written by `ionscout benchmark windows --reference CSV --hull NAME`.",
            table(["limit", "n", "mean absolute error (mV)", "median (mV)"], scores),
            table(header, rows),
        ]
    )


def report(reference_csv: Path, hull_name: str | None = None, folder: Path | None = None) -> WindowsResult:
    """Run, and write `windows.{json,md}` into a folder (by default `benchmarks/`)."""
    result = run(reference_csv, hull_name)
    write_report(
        "windows" if result.hull == "mp-2019" else f"windows-{result.hull}", result.as_dict(), markdown(result), folder
    )
    return result


def read_records(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a CSV table that must have certain columns.

    Raises:
        BadData.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            header = reader.fieldnames or []
            records = [{key: (value or "").strip() for key, value in row.items() if key} for row in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(f"{path.name} cannot be read ({error}); give a CSV table.") from None
    missing = [column for column in columns if column not in header]
    if missing or not records:
        what = f"lacks the column {missing[0]}" if missing else "has no rows"
        raise BadData(f"{path.name} {what}; a reference table needs {', '.join(columns)}.")
    return records


def number(text: str) -> float | None:
    """A published number, or None where the cell is empty or `-`.

    Raises:
        BadData.
    """
    if text in ("", "-"):
        return None
    try:
        return float(text)
    except ValueError:
        raise BadData(f"'{text}' in the reference table is not a number.") from None


def named(products: Sequence[Product]) -> str:
    return " + ".join(product.formula for product in products)


def _milli(value: float | None) -> float | None:
    return None if value is None else round(1000 * value, 1)


def _row(record: dict[str, str], hull: Hull) -> WindowRow:
    formula = record["formula"]
    published = number(record["V_red"]), number(record["V_ox"])
    try:
        found = window(parse_formula(formula), hull)
    except IonscoutError as error:
        return WindowRow(formula, reason=str(error))
    return WindowRow(
        formula=formula,
        reduction_limit=found.reduction_limit,
        oxidation_limit=found.oxidation_limit,
        reduction_deviation=_deviation(found.reduction_limit, published[0]),
        oxidation_deviation=_deviation(found.oxidation_limit, published[1]),
        reduction_products=_beside(found, -1),
        oxidation_products=_beside(found, +1),
        decomposition_energy_0V=found.decomposition_energy_0V,
        decomposition_energy_5V=found.decomposition_energy_5V,
        warnings=found.warnings,
    )


def _beside(found: Window, side: int) -> str:
    limit = found.reduction_limit if side < 0 else found.oxidation_limit
    if limit is None or (side < 0 and limit <= 0):
        return ""
    return named(found.plateau_at(limit + side * 1e-6).products)


def _deviation(computed: float | None, published: float | None) -> float | None:
    return None if computed is None or published is None else computed - published


def _score(deviations: Sequence[float | None]) -> LimitScore:
    errors = [abs(deviation) for deviation in deviations if deviation is not None]
    return LimitScore(len(errors), mean(errors) if errors else None, median(errors) if errors else None)
