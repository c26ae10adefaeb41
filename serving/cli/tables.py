"""How the thermodynamic answers look in a terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from ionscout.serving.screening_schemas import InterphaseAnswer
    from ionscout.serving.thermo_schemas import (
        Answered,
        InterfaceAnswer,
        InterfaceMatrixAnswer,
        ProductAmount,
        WindowAnswer,
    )

WIDTH = 140  # of a file or pipe, which has none of its own


def console() -> "Console":
    from rich.console import Console

    found = Console(highlight=False, markup=False)
    if not found.is_terminal:
        found.width = WIDTH
    return found


def state_hull(answer: "Answered") -> None:
    """Which hull answered; every human answer ends with it."""
    console().print(f"Hull {answer.hull} {answer.hull_version} ({answer.correction})", style="dim")


def warn(warnings: Sequence[str]) -> None:
    from rich.console import Console

    for warning in warnings:
        Console(stderr=True, highlight=False, markup=False).print(warning, style="yellow")


def print_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], fold: Sequence[str] = ()) -> None:
    """One rich table; the columns named in `fold` break their lines, others do not."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left")
    for heading in headings:
        table.add_column(Text(heading), overflow="fold", no_wrap=heading not in fold)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)


def products(found: "Sequence[ProductAmount]") -> str:
    return " + ".join(f"{_amount(product.amount)}{product.formula}" for product in found)


def _amount(value: float) -> str:
    return "" if abs(value - 1) < 5e-4 else f"{value:.3g} "


def volts(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def milli(value: float | None) -> str:
    return "–" if value is None else f"{round(1000 * value) + 0:d}"


def print_window(answer: "WindowAnswer") -> None:
    out = console()
    out.print(f"{answer.formula}", style="bold")
    out.print(f"  window     {volts(answer.reduction_limit)} to {volts(answer.oxidation_limit)} V vs Li/Li+")
    high = volts(answer.practical_oxidation_limit) if answer.practical_oxidation_limit is not None else "no limit"
    out.print(f"  practical  {volts(answer.practical_reduction_limit)} to {high} V vs Li/Li+")
    for reason in (answer.practical_reduction_reason, answer.practical_oxidation_reason):
        out.print(f"             {reason}" if reason else "", end="\n" if reason else "")
    above = (
        "unknown to this hull" if answer.energy_above_hull is None else f"{milli(answer.energy_above_hull)} meV/atom"
    )
    out.print(f"  energy above hull: {above}; with lithium at 0 V: {answer.decomposition_energy_0V:.2f} eV/atom")
    rows = []
    for step in answer.plateaus:
        top = "" if step.voltage_high is None else f"{step.voltage_high:.2f}"
        uptake = "window" if step.lithium_uptake == 0 else f"{step.lithium_uptake:+.2f}"
        rows.append((f"{step.voltage_low:.2f}–{top}", uptake, products(step.products), f"{step.energy:.3f}"))
    print_table("Plateaus", ("V vs Li/Li+", "Li per f.u.", "products", "eV/atom"), rows, fold=("products",))
    warn(answer.warnings)


def print_interface(answer: "InterfaceAnswer") -> None:
    where = "closed" if answer.voltage is None else f"at {answer.voltage:g} V vs Li/Li+"
    out = console()
    out.print(f"{answer.a} | {answer.b} ({where})", style="bold")
    per = "atom of both" if answer.voltage is None else "atom other than lithium"
    out.print(
        f"  {milli(answer.reaction_energy)} meV per {per}, {milli(answer.reaction_energy_per_electrolyte_atom)} "
        f"per atom of {answer.a}, at {100 * answer.mixing_ratio:.0f} % of its atoms"
    )
    out.print(f"  {answer.reaction}" if answer.reaction_energy else "  They do not react.")
    if answer.voltage is not None:
        out.print(
            f"  alone at this voltage: {answer.a} {milli(answer.decomposition_energy_a)}, {answer.b} "
            f"{milli(answer.decomposition_energy_b)} meV/atom; with these in all {milli(answer.total_reaction_energy)}"
        )
    rows = [(f"{kink.mixing_ratio:.3f}", milli(kink.energy), products(kink.products)) for kink in answer.kinks]
    print_table("Mixing line", (f"share of {answer.a}", "meV/atom", "products"), rows, fold=("products",))
    warn(answer.warnings)


def print_matrix(answer: "InterfaceMatrixAnswer") -> None:
    where = "closed" if answer.voltage is None else f"at {answer.voltage:g} V vs Li/Li+"
    # The shorter side across: a terminal is narrow.
    flipped = len(answer.columns) > len(answer.rows)
    across, down = (answer.rows, answer.columns) if flipped else (answer.columns, answer.rows)
    rows = []
    for i, name in enumerate(down):
        cells = [answer.cells[j][i] if flipped else answer.cells[i][j] for j in range(len(across))]
        rows.append((name, *(milli(cell.reaction_energy) for cell in cells)))
    print_table(f"Worst reaction, meV per atom of both, {where}", ("", *across), rows, fold=("", *across))
    warn(list(dict.fromkeys(cell.error for row in answer.cells for cell in row if cell.error)))


def print_interphase(found: "InterphaseAnswer") -> None:
    out = console()
    out.print(f"{found.electrolyte} | {found.against}: {found.interphase_class}", style="bold")
    out.print(f"  {found.reason}")
    rows = [
        (
            product.formula,
            f"{product.amount:.3g}",
            character.kind,
            "yes" if character.conducts else "no",
            "–" if character.band_gap is None else f"{character.band_gap:.1f}",
            "yes" if product.formula in found.deciding_products else "",
            character.source,
        )
        for product, character in zip(found.products, found.characters, strict=True)
    ]
    if rows:
        headings = ("product", "amount", "kind", "conducts e⁻", "gap/eV", "decides", "source")
        print_table("Products", headings, rows, fold=("source",))
    warn(found.warnings)
