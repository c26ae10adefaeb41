"""Interphase classes, coatings and stability maps against what experiments and reviews say, for each hull."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from pymatgen.core import Composition

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.electrodes import material
from ionscout.datasets.errors import IonscoutError
from ionscout.datasets.hulls import Hull, load_hull
from ionscout.datasets.hulls.snapshot import find_snapshot
from ionscout.models.thermo.coatings import CoatingScreen, assess_coating, screen_coatings
from ionscout.models.thermo.interphase import lithium_interphase
from ionscout.models.thermo.stability_map import lithium_oxide_map
from ionscout.training.benchmarks.interphase_page import markdown
from ionscout.training.benchmarks.thermo_report import write_report

CASES = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True)
class ClassRow:
    """One interphase with lithium metal.

    Attributes:
        expected: classes that count as right.
        found: class on this hull; None where the hull has no answer (then `reason` says why).
        driving_force: eV per atom of both.
        listed: one of the promised cases, not one of the further ones.
    """

    name: str
    formula: str
    listed: bool
    expected: tuple[str, ...]
    found: str | None
    right: bool
    driving_force: float | None
    products: tuple[str, ...]
    deciding_products: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class CoatingRow:
    """One coating between the electrolyte and the cathode; energies in eV per atom of both reactants.

    Attributes:
        should_pass: the gate against the electrolyte.
        right: it does.
        failed: all gates that it fails; `dropped_at` is the first.
        rank: place among the survivors of the funnel, from 1; None when dropped or when there was no funnel.
    """

    formula: str
    should_pass: bool
    right: bool
    with_electrolyte: float | None
    with_cathode: float | None
    with_charged_cathode: float | None
    reduction_limit: float | None
    oxidation_limit: float | None
    band_gap: float | None
    dropped_at: str | None
    failed: tuple[str, ...]
    reason: str
    rank: int | None = None


@dataclass(frozen=True)
class Funnel:
    """The whole funnel: seconds on the clock and of one core, (stage, entered, passed), and its best ten."""

    seconds: float
    cpu_seconds: float
    stages: tuple[tuple[str, int, int], ...]
    best: tuple[str, ...]


@dataclass(frozen=True)
class MapRow:
    """Stable share of the Li–M–O triangle; `side` is "wide", "narrow" or "" (shown only)."""

    element: str
    side: str
    stable_share: float


@dataclass(frozen=True)
class HullResult:
    hull: str
    hull_version: str
    correction: str
    right: int
    n: int
    further_right: int
    further_n: int
    classes: tuple[ClassRow, ...]
    coatings_right: int
    coatings: tuple[CoatingRow, ...]
    funnel: Funnel | None
    map_right: bool
    map: tuple[MapRow, ...]
    seconds: float


def run(hull_names: Sequence[str] | None = None, *, funnel: bool = True, steps: int = 20) -> tuple[HullResult, ...]:
    """Check every hull.

    Args:
        hull_names: by default `mp-2019`, where it is present, and `learned`.
        funnel: send all lithium compounds through the coating funnel, too.
        steps: of the stability maps' grids.

    Raises:
        UnknownName, DataUnavailable, BadData: a hull.
    """
    names = hull_names or ([] if find_snapshot() is None else ["mp-2019"]) + ["learned"]
    return tuple(_run(load_hull(name), yaml.safe_load(CASES.read_text()), funnel, steps) for name in names)


def _run(hull: Hull, cases: dict[str, Any], funnel: bool, steps: int) -> HullResult:
    start = time.perf_counter()
    classes = tuple(_class(case, hull, part == "lithium") for part in ("lithium", "further") for case in cases[part])
    listed = [row for row in classes if row.listed]
    further = [row for row in classes if not row.listed]
    coatings, found = _coatings(cases["coatings"], hull, funnel)
    maps = _maps(cases["map"], hull, steps)
    shares = {side: [row.stable_share for row in maps if row.side == side] for side in ("wide", "narrow")}
    return HullResult(
        hull=hull.name,
        hull_version=hull.version,
        correction=hull.correction,
        right=sum(row.right for row in listed),
        n=len(listed),
        further_right=sum(row.right for row in further),
        further_n=len(further),
        classes=classes,
        coatings_right=sum(row.right for row in coatings),
        coatings=coatings,
        funnel=found,
        map_right=min(shares["wide"]) > max(shares["narrow"]),
        map=maps,
        seconds=time.perf_counter() - start,
    )


def _class(case: dict[str, Any], hull: Hull, listed: bool) -> ClassRow:
    row = ClassRow(case["name"], case["formula"], listed, tuple(case["classes"]), None, False, None, (), (), "")
    try:
        found = lithium_interphase(parse_formula(case["formula"]), hull)
    except IonscoutError as error:
        return replace(row, reason=str(error))
    return replace(
        row,
        found=found.interphase_class,
        right=found.interphase_class in case["classes"],
        driving_force=found.driving_force,
        products=tuple(product.formula for product in found.products),
        deciding_products=found.deciding_products,
        reason=found.reason,
    )


def _coatings(case: dict[str, Any], hull: Hull, funnel: bool) -> tuple[tuple[CoatingRow, ...], Funnel | None]:
    electrolyte, cathode = parse_formula(case["electrolyte"]), material(case["cathode"])
    start, cpu = time.perf_counter(), time.process_time()
    screen = screen_coatings(electrolyte, cathode, hull) if funnel else None
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    rows = []
    for formula in (*case["fail_with_electrolyte"], *case["pass_with_electrolyte"]):
        should_pass = formula in case["pass_with_electrolyte"]
        try:
            found = assess_coating(parse_formula(formula), electrolyte, cathode, hull)
        except IonscoutError as error:
            empty = (None,) * 6
            rows.append(CoatingRow(formula, should_pass, False, *empty, None, (), str(error)))
            continue
        rows.append(
            CoatingRow(
                formula=formula,
                should_pass=should_pass,
                right=("electrolyte" not in found.failed) == should_pass,
                with_electrolyte=found.with_electrolyte,
                with_cathode=found.with_cathode,
                with_charged_cathode=found.with_charged_cathode,
                reduction_limit=found.reduction_limit,
                oxidation_limit=found.oxidation_limit,
                band_gap=found.band_gap,
                dropped_at=found.dropped_at,
                failed=found.failed,
                reason=found.reason,
                rank=None if screen is None else _rank(screen, formula),
            )
        )
    if screen is None:
        return tuple(rows), None
    stages = tuple((stage.name, stage.entered, stage.passed) for stage in screen.stages)
    return tuple(rows), Funnel(seconds, cpu, stages, tuple(coating.formula for coating in screen.ranked[:10]))


def _rank(screen: CoatingScreen, formula: str) -> int | None:
    wanted = Composition(formula).reduced_formula
    return next((n for n, coating in enumerate(screen.ranked, start=1) if coating.formula == wanted), None)


def _maps(case: dict[str, Any], hull: Hull, steps: int) -> tuple[MapRow, ...]:
    partner = parse_formula(case["partner"])
    rows = []
    for side, elements in (("wide", case["wide"]), ("narrow", case["narrow"]), ("", case["shown"])):
        for element in elements:
            rows.append(MapRow(element, side, lithium_oxide_map(element, partner, hull, steps=steps).stable_share))
    return tuple(rows)


def report(results: tuple[HullResult, ...], folder: Path | None = None) -> tuple[Path, Path]:
    """Write `interphase.{json,md}` into a folder, by default `benchmarks/`."""
    return write_report("interphase", {"hulls": [asdict(result) for result in results]}, markdown(results), folder)


def main() -> None:
    results = run()
    _, page = report(results)
    for result in results:
        print(f"{result.hull}: {result.right} of {result.n} classes, {result.coatings_right} of {len(result.coatings)}")
    print(page)


if __name__ == "__main__":
    main()
