"""Figures of dopants: periodic table of the best gain, Pareto plot, composition–conductivity curve."""

from pathlib import Path

import numpy as np
from pymatgen.core import Element

from ionscout.serving.dopant_schemas import DopantsAnswer, Scan
from ionscout.serving.thermo_figures import chemical, new_figure, save

LABELLED = 6  # best points of the Pareto plot that carry their formula
LINE, BAND, POINT, FRONT = "#1f4e8c", "#c9d8ea", "#9aa5b1", "#c1440e"
EMPTY = "#f1f1f1"
FIRST_LANTHANIDE, LAST_LANTHANIDE = 57, 71


def dopants_figure(answer: DopantsAnswer, path: Path) -> Path:
    """Periodic table and Pareto plot of one answer; with a scan, its curve as a third panel."""
    figure = new_figure(11, 10.5 if answer.scan is None else 14.5)
    rows = figure.subplots(2 if answer.scan is None else 3, 1, height_ratios=[1.2, 1, 0.8][: 2 + bool(answer.scan)])
    _periodic_table(figure, rows[0], answer)
    _pareto(rows[1], answer)
    if answer.scan is not None:
        _curve(rows[2], answer.scan)
    figure.suptitle(f"Dopants of {chemical(answer.host)}", fontsize=13)
    return save(figure, path)


def scan_figure(curve: Scan, path: Path) -> Path:
    """The composition–conductivity curve alone."""
    figure = new_figure(7, 4.5)
    _curve(figure.subplots(), curve)
    return save(figure, path)


def table_place(symbol: str) -> tuple[int, int]:
    """(row, column) of an element in the drawn table, lanthanides in a row of their own below."""
    element = Element(symbol)
    if FIRST_LANTHANIDE < element.Z <= LAST_LANTHANIDE:
        return 8, element.Z - FIRST_LANTHANIDE + 3
    return element.row, element.group


def _periodic_table(figure, axes, answer: DopantsAnswer) -> None:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.patches import Rectangle

    most = max([abs(value) for value in answer.elements.values()] + [0.3])
    norm, colours = Normalize(-most, most), colormaps["RdYlGn"]
    for z in range(1, 84):
        element = Element.from_Z(z)
        row, column = table_place(element.symbol)
        gain = answer.elements.get(element.symbol)
        face = EMPTY if gain is None else colours(norm(gain))
        axes.add_patch(Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, facecolor=face, edgecolor="white"))
        faint = "#aaaaaa" if gain is None else "black"
        axes.text(column, row - 0.1, element.symbol, ha="center", va="center", fontsize=9, color=faint)
        if gain is not None:
            axes.text(column, row + 0.28, f"{gain:+.1f}", ha="center", va="center", fontsize=6)
    axes.set_xlim(0.3, 18.7)
    axes.set_ylim(8.7, 0.3)
    axes.set_aspect("equal")
    axes.axis("off")
    bar = figure.colorbar(ScalarMappable(norm, colours), ax=axes, shrink=0.6, pad=0.01)
    bar.set_label("best expected gain, decades over the undoped host", fontsize=8)


def _pareto(axes, answer: DopantsAnswer) -> None:
    shown = np.array([(-energy, sigma) for _, sigma, energy, _ in answer.front]).reshape(-1, 2)
    front = np.array([on for *_, on in answer.front], dtype=bool)
    axes.scatter(*shown[~front].T, s=14, color=POINT, label="scored candidates")
    axes.scatter(*shown[front].T, s=26, color=FRONT, label="Pareto front (all objectives)")
    for number, (formula, sigma, energy, _) in enumerate(answer.front[:LABELLED]):
        offset = (6, 5 if number % 2 else -9)
        axes.annotate(chemical(formula), (-energy, sigma), offset, textcoords="offset points", fontsize=6.5)
    axes.axhline(np.log10(answer.host_expected), color=LINE, lw=1, ls=":", label="undoped host, expected")
    axes.set_xlabel("energy released with lithium (eV/atom)")
    axes.set_ylabel(r"expected log$_{10}$($\sigma$ / S cm$^{-1}$)")
    axes.legend(frameon=False, fontsize=8, loc="best")
    axes.spines[["top", "right"]].set_visible(False)


def _curve(axes, curve: Scan) -> None:
    x = [point.amount for point in curve.points]
    axes.fill_between(x, [p.lower for p in curve.points], [p.upper for p in curve.points], color=BAND, label="interval")
    axes.plot(x, [p.conductivity for p in curve.points], color=LINE, marker=".", label="model")
    axes.plot(x, [p.expected for p in curve.points], color=FRONT, ls="--", label="with priors")
    axes.set_yscale("log")
    axes.set_xlabel(f"{curve.substitution.split(':')[1]} per formula unit")
    axes.set_ylabel("conductivity (S/cm)")
    axes.set_title(f"{chemical(curve.points[0].formula)}: {curve.mechanism}", fontsize=9)
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
