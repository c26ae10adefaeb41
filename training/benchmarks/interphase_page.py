"""The page of the interphase benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ionscout.training.benchmarks.thermo_report import table

if TYPE_CHECKING:
    from ionscout.training.benchmarks.interphase import HullResult

COATING_HEADER = (
    "coating",
    "expected",
    "right",
    "sulfide",
    "cathode",
    "charged",
    "V red",
    "V ox",
    "dropped at",
    "rank",
)


def markdown(results: tuple[HullResult, ...]) -> str:
    """The report as a page."""
    parts = [
        "# Interphases, coatings and stability maps",
        "Written by `python -m ionscout.training.benchmarks.interphase`; cases and sources in "
        "`training/benchmarks/interphase.yaml`. Energies in meV per atom of both reactants.",
    ]
    for result in results:
        parts += [
            f"## Hull {result.hull} {result.hull_version}",
            f"{result.correction}. All of it in {result.seconds:.0f} s.",
            f"**Interphase with lithium metal: {result.right} of {result.n} right**; of further cases "
            f"{result.further_right} of {result.further_n}.",
            table(
                ["electrolyte", "expected", "found", "right", "driving force", "products", "decided by"],
                [
                    (
                        row.name, " or ".join(row.expected), row.found, row.right, _milli(row.driving_force),
                        ", ".join(row.products), ", ".join(row.deciding_products),
                    )
                    for row in result.classes
                ],
            ),
            f"**Coatings between Li3PS4 and LiNi1/3Mn1/3Co1/3O2: {result.coatings_right} of {len(result.coatings)} on "
            "the expected side of 100 meV/atom against the sulfide.**",
            table(
                COATING_HEADER,
                [
                    (
                        row.formula, "pass" if row.should_pass else "fail", row.right, _milli(row.with_electrolyte),
                        _milli(row.with_cathode), _milli(row.with_charged_cathode), row.reduction_limit,
                        row.oxidation_limit, row.dropped_at, row.rank,
                    )
                    for row in result.coatings
                ],
            ),
        ]  # fmt: skip
        if result.funnel is not None:
            funnel = result.funnel
            parts += [
                f"The whole funnel took {funnel.seconds:.0f} s ({funnel.cpu_seconds:.0f} s of CPU time). "
                f"Its best: {', '.join(funnel.best)}.",
                table(["gate", "entered", "passed"], funnel.stages),
            ]
        shares = sorted(result.map, key=lambda row: -row.stable_share)
        parts += [
            "**Stable share of Li–M–O against LLZO** (|ΔE| < 50 meV/atom): expected wide wider than narrow: "
            f"{'yes' if result.map_right else 'no'}.",
            table(["M", "expected", "stable share"], [(row.element, row.side, row.stable_share) for row in shares]),
        ]
    return "\n\n".join(parts)


def _milli(value: float | None) -> float | None:
    return None if value is None else round(1000 * value, 1) + 0.0
