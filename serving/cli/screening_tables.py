"""How coatings, stability maps and conversion layers look in a terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ionscout.serving.cli.tables import console, milli, print_table, products, volts, warn

if TYPE_CHECKING:
    from ionscout.serving.screening_schemas import CoatingAnswer, CoatingsAnswer, ConversionAnswer, StabilityMapAnswer


def print_coatings(answer: "CoatingsAnswer") -> None:
    title = f"Coatings between {answer.electrolyte} and {answer.cathode} (charged: {answer.charged_cathode})"
    stages = [(stage.name, str(stage.entered), str(stage.passed)) for stage in answer.stages]
    print_table(title, ("gate", "reached it", "pass"), stages)
    _print_candidates(f"The first {len(answer.ranked)} of {answer.passed} that pass", answer.ranked)


def print_why(answer: "CoatingsAnswer") -> None:
    _print_candidates(f"Between {answer.electrolyte} and {answer.cathode}", answer.why)
    for coating in answer.why:
        verdict = (
            "passes all gates" if coating.dropped_at is None else f"dropped at {coating.dropped_at}: {coating.reason}"
        )
        console().print(f"{coating.formula}: {verdict}")


def _print_candidates(title: str, coatings: "Sequence[CoatingAnswer]") -> None:
    headings = ["formula", "above hull", "gap/eV", "red/V", "ox/V", "electrolyte", "cathode", "charged"]
    predicted = any(coating.log10_conductivity is not None for coating in coatings)
    rows = []
    for c in coatings:
        energies = (milli(value) for value in (c.with_electrolyte, c.with_cathode, c.with_charged_cathode))
        row = [c.formula, milli(c.energy_above_hull), volts(c.band_gap), volts(c.reduction_limit)]
        row += [volts(c.oxidation_limit), *energies]
        rows.append([*row, volts(c.log10_conductivity)] if predicted else row)
    print_table(f"{title} (energies in meV/atom)", [*headings, "log10 σ"] if predicted else headings, rows)


def print_map(answer: "StabilityMapAnswer") -> None:
    corners = "–".join("O" if corner == "O2" else corner for corner in answer.corners)
    console().print(f"{corners} against {answer.partner}", style="bold")
    console().print(
        f"  {100 * answer.stable_share:.0f} % of the triangle react less than {milli(answer.threshold)} meV/atom; "
        f"the worst of {len(answer.energies)} compositions: {milli(min(answer.energies))} meV/atom"
    )


def print_conversion(answer: "ConversionAnswer") -> None:
    out = console()
    out.print(answer.additive, style="bold")
    if not answer.reacts:
        out.print("  Lithium metal does not react with it.")
    out.print(f"  reduced below {answer.onset:.2f} V vs Li/Li+; in excess lithium: {answer.excess.reason}")
    rows = [
        (
            f"{layer.lithium:.2f}",
            products(layer.products),
            f"{layer.energy_per_formula:.2f}",
            milli(layer.energy_per_atom),
            "yes" if layer.blocks_electrons else "no",
        )
        for layer in answer.steps
    ]
    if rows:
        headings = ("Li per f.u.", "products", "eV per f.u.", "meV/atom", "blocks e⁻")
        print_table("Layers, with rising lithium", headings, rows, fold=("products",))
    warn(answer.warnings)
